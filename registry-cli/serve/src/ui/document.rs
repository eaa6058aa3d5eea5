//! Manifests as pages show them: whatever is odd is left out, nothing is refused.

use registry_name::Digest;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// An image manifest, an index, or Docker's equivalents (OCI image specification).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    artifact_type: Option<String>,
    pub(super) config: Option<Descriptor>,
    #[serde(default, deserialize_with = "list")]
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "list")]
    blobs: Vec<Descriptor>,
    pub(super) manifests: Option<Vec<Descriptor>>,
    pub(super) subject: Option<Descriptor>,
    #[serde(default)]
    annotations: Value,
}

/// What a manifest says about other content.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: Option<String>,
    #[serde(deserialize_with = "digest")]
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default)]
    platform: Value,
    #[serde(default)]
    annotations: Value,
}

impl Document {
    /// What cannot be read has no parts; its bytes are shown all the same.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// What kind of artifact it is (image specification, "Guidelines for Artifact Usage").
    pub(super) fn artifact_type(&self) -> Option<&str> {
        let declared = self.artifact_type.as_deref().filter(|kind| !kind.is_empty());
        declared.or_else(|| {
            let kind = self.config.as_ref()?.media_type.as_deref()?;
            (!is_image_config(kind)).then_some(kind)
        })
    }

    /// Layers, under whichever of the two names.
    pub(super) fn content(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().chain(&self.blobs)
    }

    /// Bytes of configuration and layers; what is listed twice is stored twice nowhere.
    pub(super) fn size(&self) -> u64 {
        let mut all: Vec<_> = self.config.iter().chain(self.content()).collect();
        all.sort_unstable_by(|a, b| a.digest.cmp(&b.digest));
        all.dedup_by(|a, b| a.digest == b.digest);
        all.iter().fold(0, |sum, one| sum.saturating_add(one.size))
    }

    pub(super) fn annotations(&self) -> Option<&Map<String, Value>> {
        self.annotations.as_object().filter(|annotations| !annotations.is_empty())
    }
}

impl Descriptor {
    /// `linux/arm64/v8`, or what else tells one entry of an index from the others.
    pub(super) fn platform(&self) -> Option<String> {
        let kind = self.annotations.get("vnd.docker.reference.type").and_then(Value::as_str);
        kind.map(str::to_owned).or_else(|| platform(&self.platform))
    }
}

/// The platform that an object names, in an index or in a configuration.
pub(super) fn platform(of: &Value) -> Option<String> {
    let parts = ["os", "architecture", "variant"].map(|key| of.get(key).and_then(Value::as_str));
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let version = of.get("os.version").and_then(Value::as_str).map(|version| format!(" {version}"));
    (!parts.is_empty()).then(|| parts.join("/") + version.as_deref().unwrap_or_default())
}

pub(super) fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
    )
}

fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Descriptor>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn digest<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}
