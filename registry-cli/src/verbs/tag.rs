//! `registry tag IMAGE TAG...`

use std::fmt;

use registry_name::{Digest, Reference, Tag};
use serde::Serialize;

use crate::{failure::Failure, image, session::Session};

/// Give an image at a registry one more tag, or several
///
/// No layer moves. What IMAGE names is asked of the registry itself, never of a mirror. Prints
/// REPOSITORY@DIGEST.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which: REPOSITORY[:TAG][@DIGEST]
    image: String,
    /// The new tags
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Tagged {
    image: String,
    tags: Vec<Tag>,
    digest: Digest,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reference: Reference = self.image.parse()?;
        let tags = self.tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<Tag>, _>>()?;
        let remote = session.client()?.remote(reference.repository()).upstream();
        let manifest = image::manifest_at(session, &remote, &reference).await?;
        remote.put_manifest_tags(&manifest, &tags).await?;
        let image = image::pinned(&reference, &manifest);
        session.answer(&Tagged { image, tags, digest: manifest.name().clone() })
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)
    }
}
