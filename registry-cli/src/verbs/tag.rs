//! `registry tag IMAGE TAG`

use std::fmt;

use registry_name::{Digest, Reference, Tag};
use serde::Serialize;

use crate::{failure::Failure, image, session::Session};

/// Give an image at a registry one more tag
///
/// No layer moves. Prints REPOSITORY@DIGEST.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which: REPOSITORY[:TAG][@DIGEST]
    image: String,
    /// The new tag
    tag: String,
}

#[derive(Debug, Serialize)]
struct Tagged {
    image: String,
    tag: Tag,
    digest: Digest,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reference: Reference = self.image.parse()?;
        let tag: Tag = self.tag.parse()?;
        let (remote, manifest) = image::manifest(session, &reference).await?;
        remote.put_manifest_as(&manifest, Some(&tag)).await?;
        let image = image::pinned(&reference, &manifest);
        session.answer(&Tagged { image, tag, digest: manifest.digest().clone() })
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)
    }
}
