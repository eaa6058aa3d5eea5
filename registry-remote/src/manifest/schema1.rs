//! Docker's schema 1, as far as it has to be known to be carried
//! ([distribution, manifest v2 schema 1](https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-1.md)).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use registry_name::Digest;
use serde::Deserialize;

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
    let mut blobs: Vec<Digest> = Vec::new();
    for layer in document.fs_layers {
        if !blobs.contains(&layer.blob_sum) {
            blobs.push(layer.blob_sum);
        }
    }
    Ok(blobs)
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
    let mut payload = bytes.get(..first.format_length)?.to_vec();
    payload.extend(URL_SAFE_NO_PAD.decode(&first.format_tail).ok()?);
    Some(payload)
}
