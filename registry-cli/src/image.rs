//! One manifest of a repository, as the inspecting verbs want it.

use futures_util::StreamExt as _;
use registry_name::{Identifier, Reference};
use registry_remote::{Descriptor, Manifest, Remote, select};
use serde_json::value::RawValue;

use crate::{failure::Failure, session::Session};

/// Bytes of a configuration, at most.
const MAX_CONFIG: u64 = 8 << 20;

/// The manifest that a reference names; with `--platform`, the image for it.
pub(crate) async fn manifest(
    session: &Session,
    reference: &Reference,
) -> Result<(Remote, Manifest), Failure> {
    let platform = session.one_platform()?;
    let remote = session.client()?.remote(reference.repository());
    let mut manifest = remote.get_manifest(&reference.identifier()).await?;
    if let Some(platform) = platform {
        manifest = select::image(&remote, manifest, platform).await?;
    }
    Ok((remote, manifest))
}

/// A small blob, verified.
pub(crate) async fn small_blob(
    remote: &Remote,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, Failure> {
    if descriptor.size > MAX_CONFIG {
        return Err(Failure::other(format!(
            "the configuration has {} bytes, and no more than {MAX_CONFIG} are read",
            descriptor.size
        )));
    }
    let mut blob = remote.blob(descriptor).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = blob.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Bytes as a part of a JSON document: themselves where they are JSON, else as a string.
pub(crate) fn embedded(bytes: &[u8]) -> Result<Box<RawValue>, Failure> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    serde_json::value::to_raw_value(&String::from_utf8_lossy(bytes))
        .map_err(|error| Failure::other(error.to_string()))
}

/// `ghcr.io/a/b@sha256:…`
pub(crate) fn pinned(reference: &Reference, manifest: &Manifest) -> String {
    let identifier = Identifier::Digest(manifest.digest().clone());
    Reference::new(reference.repository().clone(), identifier).to_string()
}
