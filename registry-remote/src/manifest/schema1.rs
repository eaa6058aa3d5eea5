//! Docker's schema 1, as far as it has to be known to be carried
//! ([distribution, manifest v2 schema 1](https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-1.md)).

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use registry_name::{Algorithm, Digest};
use serde::{Deserialize, de::IgnoredAny};

use crate::verify;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    fs_layers: Vec<FsLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: Digest,
}

#[derive(Deserialize)]
struct Signed {
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    protected: String,
}

/// A document that has signatures and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    #[serde(rename = "signatures")]
    _signatures: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versioned {
    schema_version: u64,
}

/// Where the signed bytes end, and what followed them before the signatures were put in.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
}

/// The blobs, each once, in the order in which they are listed: the topmost first.
pub(super) fn blobs(bytes: &[u8]) -> Result<Vec<Digest>, serde_json::Error> {
    let document: Document = serde_json::from_slice(bytes)?;
    let mut seen = HashSet::new();
    let blobs = document.fs_layers.into_iter().map(|layer| layer.blob_sum);
    Ok(blobs.filter(|blob| seen.insert(blob.clone())).collect())
}

/// Whether these bytes carry signatures.
pub(super) fn is_signed(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Signed>(bytes).is_ok()
}

/// Whether `digest` is that of what was signed: registries name a signed manifest by its bytes
/// without the signatures, which say themselves where they were put in.
pub(super) fn is_signed_as(bytes: &[u8], digest: &Digest) -> bool {
    payload(bytes).is_some_and(|payload| verify::digest(digest.algorithm(), &payload) == *digest)
}

/// The digest of what was signed, if these bytes carry signatures.
pub(super) fn signed(bytes: &[u8]) -> Option<Digest> {
    payload(bytes).map(|payload| verify::digest(Algorithm::Sha256, &payload))
}

/// What was signed, if these bytes are that and the signatures, and nothing else.
///
/// The signatures come after `formatLength` bytes, and say what was in their place. Nobody vouches
/// for that, so it is only believed where it was the end of a document of schema 1: then both
/// documents have the same members in the same bytes, and what is read of one was in the other.
fn payload(bytes: &[u8]) -> Option<Vec<u8>> {
    let signed: Signed = serde_json::from_slice(bytes).ok()?;
    let mut protected = signed.signatures.iter().map(|signature| {
        let text = URL_SAFE_NO_PAD.decode(&signature.protected).ok()?;
        serde_json::from_slice::<Protected>(&text).ok()
    });
    let first = protected.next()??;
    if !protected.all(|other| other.as_ref() == Some(&first)) {
        return None;
    }
    let (members, rest) = bytes.split_at_checked(first.format_length)?;
    let tail = URL_SAFE_NO_PAD.decode(&first.format_tail).ok()?;
    if tail.trim_ascii() != b"}" || !is_signatures(rest) {
        return None;
    }
    let payload = [members, &tail].concat();
    let version = serde_json::from_slice::<Versioned>(&payload).ok()?.schema_version;
    (version == 1).then_some(payload)
}

/// Whether a document that was read up to a member's end goes on with the signatures and ends.
fn is_signatures(rest: &[u8]) -> bool {
    let member = rest.trim_ascii_start().strip_prefix(b",");
    let alone = member.map(|member| [b"{", member].concat());
    alone.is_some_and(|alone| serde_json::from_slice::<Signatures>(&alone).is_ok())
}
