//! `registry digest IMAGE`

use std::fmt;

use registry_name::{Digest, Reference};
use registry_remote::{Descriptor, Error};
use serde::Serialize;

use crate::{failure::Failure, image, session::Session};

/// Print the digest of an image
///
/// Of an index it is the index's own; with --platform, that of the image for the platform.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which: REPOSITORY[:TAG][@DIGEST]
    image: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    image: String,
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reference = session.image(&self.image)?;
        let Descriptor { media_type, digest, size, .. } = find(session, &reference).await?;
        let image = reference.repository().with_digest(digest.clone()).to_string();
        session.answer(&Found { image, media_type, digest, size })
    }
}

async fn find(session: &Session, reference: &Reference) -> Result<Descriptor, Failure> {
    if session.one_platform()?.is_some() {
        let (_, manifest) = image::manifest(session, reference).await?;
        return Ok(manifest.descriptor().clone());
    }
    let remote = session.client()?.remote(reference.repository());
    let found = remote.head_manifest(&reference.identifier()).await?;
    found.ok_or_else(|| absent(reference))
}

fn absent(reference: &Reference) -> Failure {
    let repository = reference.repository();
    let what = match reference.digest() {
        Some(digest) => format!("manifest {digest}"),
        None => format!("tag {}", reference.identifier()),
    };
    let error = Error::NotFound { location: repository.to_string(), what };
    let hint = format!("`registry ls {repository}` lists its tags; a private one needs a login");
    Failure::advised(error, hint)
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest.fmt(f)
    }
}
