//! `registry config IMAGE`

use registry_name::Digest;
use registry_remote::{Manifest, Platform, read_blob};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{args::Format, failure::Failure, image, session::Session};

/// Bytes of a configuration, at most.
const MAX_CONFIG: u64 = 8 << 20;

/// Print the configuration of an image
///
/// Its exact bytes, nothing added. Of an index it is the image for --platform; an index that offers
/// a single platform needs none.
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
    config: Box<RawValue>,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let reference = session.image(&self.image)?;
        let (remote, mut manifest) = image::manifest(session, &reference).await?;
        if manifest.is_index() {
            let only = only_platform(&manifest)?;
            manifest = registry_remote::select::image(&remote, manifest, &only).await?;
        }
        let Some(config) = manifest.config() else {
            return Err(Failure::other(format!(
                "{} has no configuration",
                image::pinned(&reference, &manifest)
            )));
        };
        let bytes = read_blob(&remote, config, MAX_CONFIG).await?;
        match session.global.output {
            Format::Text => session.data(&bytes),
            Format::Json => session.document(&Shown {
                image: image::pinned(&reference, &manifest),
                media_type: config.media_type.clone(),
                digest: config.digest.clone(),
                size: config.size,
                config: image::embedded(&bytes)?,
            }),
        }
    }
}

/// The platform of an index that offers one; nobody else's guess is better than asking.
fn only_platform(index: &Manifest) -> Result<Platform, Failure> {
    let offered = index.platforms();
    if let [only] = offered.as_slice() {
        return Ok(only.clone());
    }
    if offered.is_empty() {
        return Err(Failure::other("this is an index that names no platform, so no configuration"));
    }
    let list: Vec<_> = offered.iter().map(ToString::to_string).collect();
    Err(Failure::usage(
        format!(
            "this is an index, and an index has no configuration; offered: {}",
            list.join(", ")
        ),
        "choose an image with --platform",
    ))
}
