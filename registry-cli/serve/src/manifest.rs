//! What a registry has to know of a manifest (OCI image specification, manifest and index).

use std::collections::BTreeMap;

use http::StatusCode;
use registry_name::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::problem::{Code, Problem};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A manifest that may be stored.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) media_type: String,
    pub(crate) subject: Option<Digest>,
    /// What must be in the repository already.
    pub(crate) blobs: Vec<Digest>,
}

/// Reads a manifest as it was pushed with this `Content-Type`.
pub(crate) fn check(bytes: &[u8], content_type: Option<&str>) -> Result<Checked, Problem> {
    let fault = |message: String| Problem::invalid(Code::ManifestInvalid, message);
    let document: Document = serde_json::from_slice(bytes).map_err(|error| {
        fault(format!("the manifest is not the JSON that it should be: {error}"))
    })?;
    // Parameters are ignored: RFC 9110 section 8.3.1, distribution specification "Pushing Manifests".
    let given = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    let given = given.filter(|value| !value.is_empty());
    let media_type = match (document.media_type.as_deref(), given) {
        (Some(declared), Some(given)) if declared != given => {
            let message = format!("mediaType is {declared:?}, but Content-Type is {given:?}");
            return Err(fault(message));
        }
        (Some(declared), _) => declared.to_owned(),
        (None, Some(given)) => given.to_owned(),
        (None, None) => document.shape().map(str::to_owned).ok_or_else(|| {
            fault("neither mediaType nor Content-Type says what the manifest is".to_owned())
        })?,
    };
    if !is_media_type(&media_type) {
        return Err(fault(format!("{media_type:?} is not a media type")));
    }
    if document.schema_version == Some(1) {
        return Err(fault("manifests of schema version 1 are not supported".to_owned()));
    }
    // Content that can be read in two ways is read differently by different clients.
    if document.manifests.is_some() && (document.config.is_some() || document.layers.is_some()) {
        return Err(fault("a manifest has either manifests, or config and layers".to_owned()));
    }
    let blobs = document.required_blobs();
    let subject = document.subject.map(|subject| subject.digest);
    Ok(Checked { media_type, subject, blobs })
}

/// One error for each blob that is not there.
pub(crate) fn missing_blobs(missing: Vec<Digest>) -> Problem {
    let errors = missing.into_iter().map(|digest| {
        let message =
            format!("the manifest references blob {digest}, which is not in the repository");
        (message, json!({ "digest": digest.as_str() }))
    });
    Problem::several(StatusCode::BAD_REQUEST, Code::ManifestBlobUnknown, errors)
}

/// The type that the bytes alone tell.
pub(crate) fn media_type_of(bytes: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(bytes).ok()?;
    document.media_type.clone().or_else(|| document.shape().map(str::to_owned))
}

/// The digest of the manifest's subject.
pub(crate) fn subject_of(bytes: &[u8]) -> Option<Digest> {
    let document: Document = serde_json::from_slice(bytes).ok()?;
    document.subject.map(|subject| subject.digest)
}

/// Every blob that a manifest names, wherever it is kept.
pub(crate) fn blobs_of(bytes: &[u8]) -> Vec<Digest> {
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return Vec::new() };
    let lists = [document.layers, document.blobs];
    let blobs = document.config.into_iter().chain(lists.into_iter().flatten().flatten());
    blobs.map(|blob| blob.digest).collect()
}

/// A manifest as an entry of a referrers list (distribution specification, "Listing Referrers").
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Referrer {
    media_type: String,
    pub(crate) digest: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

impl Referrer {
    pub(crate) fn new(digest: &Digest, media_type: String, bytes: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let config_type = document.config.and_then(|config| config.media_type);
        let artifact_type =
            document.artifact_type.filter(|value| !value.is_empty()).or(config_type);
        Some(Self {
            media_type,
            digest: digest.to_string(),
            size: bytes.len(),
            artifact_type,
            annotations: document.annotations,
        })
    }
}

/// The fields of image manifests, indexes and Docker's equivalents. All others are kept in the
/// bytes, unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    /// Of the artifact manifest that image-spec 1.1 had before its release.
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    #[serde(deserialize_with = "digest")]
    digest: Digest,
    #[serde(rename = "size")]
    _size: u64,
    urls: Option<Vec<String>>,
}

impl Document {
    fn shape(&self) -> Option<&'static str> {
        match (&self.manifests, &self.config) {
            (Some(_), None) => Some(OCI_INDEX),
            (None, Some(_)) => Some(OCI_MANIFEST),
            _ => None,
        }
    }

    /// The manifests of an index may be missing: an index of which only some platforms were copied
    /// is useful.
    fn required_blobs(&self) -> Vec<Digest> {
        let lists = [&self.layers, &self.blobs];
        let blobs = self.config.iter().chain(lists.into_iter().flatten().flatten());
        let mut digests: Vec<Digest> =
            blobs.filter(|blob| !blob.is_elsewhere()).map(|blob| blob.digest.clone()).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }
}

impl Descriptor {
    /// Non-distributable layers, and those with `urls`, need not be in a registry.
    fn is_elsewhere(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or_default();
        kind.starts_with("application/vnd.oci.image.layer.nondistributable.")
            || kind.starts_with("application/vnd.docker.image.rootfs.foreign.")
            || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

/// `type/subtype` (RFC 6838 section 4.2), which can stand in a header.
fn is_media_type(text: &str) -> bool {
    let name = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
            && part.len() <= 127
    };
    text.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

fn digest<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}
