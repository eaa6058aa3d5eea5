//! How a manifest that refers to another one is listed, and under which tag that list is kept where
//! the registry does not keep it
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Listing referrers", "Referrers tag schema").

use registry_name::{Digest, Tag};

use crate::{Descriptor, Error, Manifest};

/// The tag that stands for the referrers of a digest: the algorithm cut at 32 characters, the hash
/// at 64, joined by `-`.
pub(crate) fn list_tag(subject: &Digest) -> Result<Tag, Error> {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let text = format!("{}-{}", cut(subject.algorithm().as_str(), 32), cut(subject.hex(), 64));
    text.parse().map_err(|_| Error::Unsupported {
        what: format!("cannot name the referrers tag of {subject}"),
    })
}

/// Whether this is the list of what refers to something. An index that is named by its content may have
/// such a tag too; its entries have platforms.
pub(crate) fn is_list(tag: &Tag, manifest: &Manifest) -> bool {
    let has_images = manifest.manifests().iter().any(|entry| entry.platform.is_some());
    is_list_tag(tag) && manifest.is_index() && !has_images
}

/// Whether a tag stands for the referrers of some digest.
fn is_list_tag(tag: &Tag) -> bool {
    let Some((algorithm, hex)) = tag.as_str().split_once('-') else { return false };
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    matches!(algorithm, "sha256" | "sha512") && hex.len() == 64 && hex.bytes().all(is_hex)
}

/// The entry of a referring manifest: with its artifact type and all its annotations.
pub(crate) fn entry(manifest: &Manifest) -> Descriptor {
    let mut descriptor = manifest.descriptor().clone();
    descriptor.artifact_type = manifest.artifact_type().map(str::to_owned);
    descriptor.annotations = manifest.annotations().clone();
    descriptor
}

/// The same, if it refers to `subject`.
pub(crate) fn entry_of(manifest: &Manifest, subject: &Digest) -> Option<Descriptor> {
    manifest.subject().filter(|found| found.digest == *subject).map(|_| entry(manifest))
}

/// Leaves only artifacts of one type, where one is given.
pub(crate) fn retain_type(found: &mut Vec<Descriptor>, wanted: Option<&str>) {
    if wanted.is_some() {
        found.retain(|entry| entry.artifact_type.as_deref() == wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_cut_as_the_specification_says() {
        let sha256: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        assert_eq!(list_tag(&sha256).unwrap().as_str(), format!("sha256-{}", "a".repeat(64)));
        let sha512: Digest = format!("sha512:{}", "b".repeat(128)).parse().unwrap();
        assert_eq!(list_tag(&sha512).unwrap().as_str(), format!("sha512-{}", "b".repeat(64)));
        for digest in [sha256, sha512] {
            assert!(is_list_tag(&list_tag(&digest).unwrap()), "{digest}");
        }
    }

    #[test]
    fn a_digest_with_a_suffix_or_cut_elsewhere_is_no_list() {
        let hex = "a".repeat(64);
        for tag in [
            format!("sha256-{hex}.sig"),
            format!("sha256-{}", &hex[1..]),
            format!("sha256-{}", hex.to_uppercase()),
            format!("md5-{hex}"),
            hex,
        ] {
            assert!(!is_list_tag(&tag.parse().unwrap()), "{tag}");
        }
    }
}
