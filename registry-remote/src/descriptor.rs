//! A descriptor: the media type, digest and size of something, and what else is known of it.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use registry_name::Digest;
use serde::{Deserialize, Serialize};

use crate::{Platform, Verifier, media_type};

/// What a manifest or an index says of a child
/// ([image-spec, descriptor](https://github.com/opencontainers/image-spec/blob/main/descriptor.md)).
///
/// A descriptor is a *view*: fields that are not listed here stay in the bytes of the manifest it
/// was read from, and those are what travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// How the content is to be read; see [`media_type`].
    #[serde(default)]
    pub media_type: String,
    /// The content's identity.
    pub digest: Digest,
    /// The content's length in bytes.
    pub size: u64,
    /// Where else the content may be had. Never asked without being told to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free text about the content.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_as_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// Which machine an entry of an index is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What an artifact is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The content itself, base64, for something small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Descriptor {
    /// A descriptor of the necessary parts.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
            data: None,
        }
    }

    /// A descriptor of bytes that nobody says the meaning of.
    pub(crate) fn unknown(digest: Digest, size: u64) -> Self {
        Self::new("application/octet-stream", digest, size)
    }

    /// The content itself, where it is embedded in `data`, and is what size and digest say. Otherwise
    /// it is fetched as if there were none ([image-spec, embedded
    /// content](https://github.com/opencontainers/image-spec/blob/main/descriptor.md#embedded-content)).
    pub fn embedded(&self) -> Option<Bytes> {
        let bytes = STANDARD.decode(self.data.as_ref()?).ok()?;
        let mut verifier = Verifier::new(self);
        verifier.update(&bytes).ok()?;
        verifier.finish().ok()?;
        Some(bytes.into())
    }

    /// Whether the content is a manifest or an index, so has children of its own.
    pub fn is_manifest(&self) -> bool {
        media_type::is_manifest(&self.media_type)
    }
}

/// `"annotations": null` occurs in the field and means none.
fn null_as_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g09_embedded_content_is_used_only_where_it_is_the_content() {
        let descriptor = |text: &str, data: &str| {
            let digest = crate::verify::digest(registry_name::Algorithm::Sha512, text.as_bytes());
            let mut descriptor = Descriptor::new("text/plain", digest, text.len() as u64);
            descriptor.data = Some(data.to_owned());
            descriptor
        };
        assert_eq!(descriptor("hello", "aGVsbG8=").embedded().as_deref(), Some(&b"hello"[..]));
        assert_eq!(descriptor("", "").embedded().as_deref(), Some(&b""[..]));
        for wrong in ["aGVsbG8", "aGVsbGE=", "aGVsbG8h", "aGVsbG8=\n", "", "****"] {
            assert_eq!(descriptor("hello", wrong).embedded(), None, "{wrong:?}");
        }
        let mut none = descriptor("hello", "");
        none.data = None;
        assert_eq!(none.embedded(), None);
    }
}
