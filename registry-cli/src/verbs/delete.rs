//! `registry delete IMAGE`

use std::fmt;

use registry_name::{Defaults, Identifier, Reference, Registry};
use registry_remote::Error;
use registry_transport::ErrorKind;
use serde::Serialize;

use crate::{failure::Failure, session::Session};

/// Delete a tag, a manifest with all its tags, or a blob
///
/// REPOSITORY:TAG deletes that tag alone, where the registry offers it; the manifest is never
/// deleted instead, unless --resolve asks for it. REPOSITORY@DIGEST deletes the manifest. Prints
/// what was deleted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What: REPOSITORY:TAG or REPOSITORY@DIGEST; nothing is assumed
    image: String,

    /// Look up what REPOSITORY:TAG names, and delete that manifest with every tag that names it
    #[arg(long)]
    resolve: bool,

    /// REPOSITORY@DIGEST is a blob; manifests that need it are not looked for
    #[arg(long, conflicts_with = "resolve")]
    blob: bool,
}

#[derive(Debug, Serialize)]
struct Deleted {
    deleted: String,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        session.no_platform()?;
        let mut reference = parse(&self.image)?;
        let remote = session.client()?.remote(reference.repository());
        if self.resolve {
            let named = remote.upstream().get(&reference.identifier()).await?;
            reference = reference.repository().with_digest(named.version().digest);
        }
        let deleted = match reference.identifier() {
            Identifier::Tag(_) if self.blob => {
                let what = "--blob: a blob has a digest and no tag";
                return Err(Failure::usage(what, "write REPOSITORY@DIGEST"));
            }
            Identifier::Tag(tag) => remote.delete_tag(&tag).await,
            Identifier::Digest(digest) if self.blob => remote.delete_blob(&digest).await,
            Identifier::Digest(digest) => remote.delete_manifest(&digest).await,
        };
        deleted.map_err(|error| advise(error, &reference))?;
        session.answer(&Deleted { deleted: reference.to_string() })
    }
}

/// A tag that nobody wrote must not be deleted, and of a tag and a digest it is not clear which.
fn parse(text: &str) -> Result<Reference, Failure> {
    let defaults = Defaults::strict().registry(Registry::docker_hub());
    let reference = Reference::parse(text, &defaults)?;
    match (reference.tag(), reference.digest()) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "both a tag and a digest are written, and only one can be deleted",
            "write REPOSITORY:TAG for the tag alone, REPOSITORY@DIGEST for the manifest",
        )),
        _ => Ok(reference),
    }
}

/// Names the command for what the registry does offer.
fn advise(error: Error, reference: &Reference) -> Failure {
    match &error {
        Error::Registry { source, .. } if source.kind() == ErrorKind::Unsupported => {
            let hint = "this registry allows no deletes; whoever runs it can switch them on";
            Failure::advised(error, hint.to_owned())
        }
        Error::TagDelete { digest, .. } => {
            let image = reference.repository().with_digest(digest.clone());
            let hint = format!(
                "to delete the manifest with every tag that names it: registry delete {image}"
            );
            Failure::advised(error, hint)
        }
        _ => error.into(),
    }
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.deleted)
    }
}
