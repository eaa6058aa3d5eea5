//! One manifest of a repository, as the inspecting verbs want it.

use registry_name::{Identifier, Reference};
use registry_remote::{Manifest, Remote, select};
use serde_json::value::RawValue;

use crate::{failure::Failure, session::Session};

/// The manifest that a reference names; with `--platform`, the image for it.
pub(crate) async fn manifest(
    session: &Session,
    reference: &Reference,
) -> Result<(Remote, Manifest), Failure> {
    let remote = session.client()?.remote(reference.repository());
    let manifest = manifest_at(session, &remote, reference).await?;
    Ok((remote, manifest))
}

/// The same from a repository that may be reached in a way of its own.
pub(crate) async fn manifest_at(
    session: &Session,
    remote: &Remote,
    reference: &Reference,
) -> Result<Manifest, Failure> {
    let platform = session.one_platform()?;
    let manifest = remote.get_manifest(&reference.identifier()).await?;
    Ok(match platform {
        Some(platform) => select::image(remote, manifest, platform).await?,
        None => manifest,
    })
}

/// Bytes as a part of a JSON document on one line: themselves where they are JSON, else as a string.
pub(crate) fn embedded(bytes: &[u8]) -> Result<Box<RawValue>, Failure> {
    // In JSON, line breaks stand between the parts only, where they are as good as spaces.
    let on_one_line: Vec<u8> =
        bytes.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect();
    if let (Ok(_), Ok(value)) =
        (serde_json::from_slice::<&RawValue>(bytes), serde_json::from_slice(&on_one_line))
    {
        return Ok(value);
    }
    serde_json::value::to_raw_value(&String::from_utf8_lossy(bytes))
        .map_err(|error| Failure::other(error.to_string()))
}

/// `ghcr.io/a/b@sha256:…`
pub(crate) fn pinned(reference: &Reference, manifest: &Manifest) -> String {
    let identifier = Identifier::Digest(manifest.name().clone());
    Reference::new(reference.repository().clone(), identifier).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_embedded_stays_on_one_line_and_keeps_its_text_otherwise() {
        let rows = [
            (
                "{\n  \"b\": 1.0e5,\r\n\t\"a\": \"x\\n\"\n}",
                "{   \"b\": 1.0e5,  \t\"a\": \"x\\n\" }",
            ),
            ("no\nJSON", "\"no\\nJSON\""),
        ];
        for (bytes, expected) in rows {
            assert_eq!(embedded(bytes.as_bytes()).unwrap().get(), expected);
        }
    }
}
