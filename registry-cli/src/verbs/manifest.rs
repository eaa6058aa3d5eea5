//! `registry manifest IMAGE`

use registry_name::Digest;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{args::Format, failure::Failure, image, session::Session};

/// Print the manifest of an image
///
/// Its exact bytes, nothing added; with --platform, of the image for that platform.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which: REPOSITORY[:TAG][@DIGEST]
    image: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    image: String,
    media_type: String,
    digest: Digest,
    size: u64,
    manifest: Box<RawValue>,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reference = session.image(&self.image)?;
        let (_, manifest) = image::manifest(session, &reference).await?;
        match session.global.output {
            Format::Text => session.data(manifest.bytes()),
            Format::Json => session.document(&Shown {
                image: image::pinned(&reference, &manifest),
                media_type: manifest.media_type().to_owned(),
                digest: manifest.name().clone(),
                size: manifest.descriptor().size,
                manifest: image::embedded(manifest.bytes())?,
            }),
        }
    }
}
