//! An image at a glance: where it is, what it is, and for which machines.

use registry_name::{Digest, Identifier, Registry, Tag};
use serde::{Deserialize, Serialize};

use crate::{Descriptor, Error, Platform, Remote, select};

/// What is known of an image without reading its layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Summary {
    /// The registry.
    pub host: Registry,
    /// The path of the repository at the registry.
    pub repository: String,
    /// The tag that was asked for; none where a digest was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// What that is.
    pub media_type: String,
    /// How long that is, bytes.
    pub size: u64,
    /// The images, in the order of the index; one for an image that stands alone. What no machine
    /// runs, such as an attestation, is left out.
    pub platforms: Vec<PlatformSummary>,
}

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlatformSummary {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What that is.
    pub media_type: String,
    /// How long that is, bytes.
    pub size: u64,
    /// `linux`, `windows`.
    pub os: String,
    /// Of Windows, mostly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `v7` of an `arm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What the image needs from the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

impl Remote {
    /// Sums up what a tag or a digest names.
    ///
    /// Costs one request, one more for an image that stands alone (its configuration names the
    /// platform), one for each index within an index, and two for each image whose entry names no
    /// platform.
    ///
    /// ```no_run
    /// # use registry_name::Reference;
    /// # use registry_remote::Client;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let name: Reference = "docker.io/library/alpine:3".parse()?;
    /// let summary = Client::anonymous()?.remote(name.repository()).summary(&name.identifier()).await?;
    /// for platform in &summary.platforms {
    ///     println!("{}/{} {}", platform.os, platform.architecture, platform.digest);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_manifest`](Self::get_manifest); [`Error::Limit`] where indexes within it go beyond
    /// the default [`Limits`](crate::copy::Limits), or more than 32 entries name no platform.
    pub async fn summary(&self, identifier: &Identifier) -> Result<Summary, Error> {
        let manifest = self.get_manifest(identifier).await?;
        let images = select::offered(self, &manifest).await?;
        let Descriptor { media_type, size, .. } = manifest.descriptor().clone();
        Ok(Summary {
            host: self.repository().registry(),
            repository: self.repository().path().to_owned(),
            tag: identifier.tag().cloned(),
            digest: manifest.name().clone(),
            media_type,
            size,
            platforms: images.into_iter().map(PlatformSummary::of).collect(),
        })
    }
}

impl PlatformSummary {
    fn of((image, platform): (Descriptor, Platform)) -> Self {
        Self {
            digest: image.digest,
            media_type: image.media_type,
            size: image.size,
            os: platform.os,
            os_version: platform.os_version,
            architecture: platform.architecture,
            variant: platform.variant,
            features: platform.os_features,
        }
    }
}
