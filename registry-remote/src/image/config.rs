//! What a client reads in the configuration of an image
//! ([image-spec, config](https://github.com/opencontainers/image-spec/blob/main/config.md)).

use registry_name::Digest;
use serde::Deserialize;

use crate::Platform;

/// The largest configuration that is read, bytes.
pub(crate) const MAX_CONFIG: u64 = 8 << 20;

#[derive(Default, Deserialize)]
pub(crate) struct Config {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
    rootfs: Option<RootFs>,
}

#[derive(Default, Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<Digest>>,
}

impl Config {
    /// The platform, as far as there is one; an empty text is none.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let filled = |part: &Option<String>| part.clone().filter(|part| !part.is_empty());
        let (os, architecture) = (filled(&self.os), filled(&self.architecture));
        if os.is_none() && architecture.is_none() {
            return None;
        }
        let unknown = || "unknown".to_owned();
        Some(Platform {
            os: os.unwrap_or_else(unknown),
            architecture: architecture.unwrap_or_else(unknown),
            variant: filled(&self.variant),
            os_version: filled(&self.os_version),
            os_features: self.os_features.clone().unwrap_or_default(),
        })
    }

    pub(crate) fn diff_ids(&self) -> Vec<Digest> {
        self.rootfs.as_ref().and_then(|rootfs| rootfs.diff_ids.clone()).unwrap_or_default()
    }
}
