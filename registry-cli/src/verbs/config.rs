//! `registry config IMAGE`

use std::collections::HashSet;

use registry_name::Digest;
use registry_remote::{Descriptor, Platform, read_blob, select};
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
            let only = only_platform(&select::offered(&remote, &manifest).await?)?;
            manifest = select::image(&remote, manifest, &only).await?;
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
fn only_platform(images: &[(Descriptor, Platform)]) -> Result<Platform, Failure> {
    let mut seen = HashSet::new();
    let platforms = images.iter().map(|(_, platform)| platform);
    let offered: Vec<_> = platforms.filter(|&platform| seen.insert(platform)).collect();
    match offered.as_slice() {
        [] => Err(Failure::other("this is an index that names no platform, so no configuration")),
        &[only] => Ok(only.clone()),
        several => {
            let list: Vec<_> = several.iter().map(ToString::to_string).collect();
            let list = list.join(", ");
            Err(Failure::usage(
                format!("this is an index, and an index has no configuration; offered: {list}"),
                "choose an image with --platform",
            ))
        }
    }
}
