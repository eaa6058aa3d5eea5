//! Whether the two documents of a docker archive describe the same images.

use std::collections::{HashMap, HashSet};

use super::docker::{Archive, Saved, digest_in};
use crate::{
    Error, Manifest,
    local::{listing::Listing, names::blob_name},
    media_type,
};

/// Whether `index.json` and `manifest.json` describe the same images. Where they do not, what can
/// be loaded is what `manifest.json` lists.
///
/// # Errors
///
/// [`Error::Integrity`] where they do, and an image has other layers than its configuration says.
pub(super) fn agree(
    archive: &mut Archive<'_>,
    listing: &Listing,
    saved: &[Saved],
) -> Result<bool, Error> {
    let mut images = HashMap::new();
    for image in saved {
        if let Some(config) = digest_in(&image.config) {
            images.entry(config).or_insert(image);
        }
    }
    // An archive may repeat an entry as often as it likes: each manifest is read once.
    let mut seen = HashSet::new();
    let mut waiting = listing.entries().to_vec();
    while let Some(entry) = waiting.pop() {
        if !entry.is_manifest() || !seen.insert(entry.digest.clone()) {
            continue;
        }
        let Some(range) = archive.entries.find(&blob_name(&entry.digest)) else {
            continue;
        };
        let bytes = archive.document(range, entry.digest.as_str())?;
        let what = format!("manifest {} of {}", entry.digest, archive.path.display());
        let manifest = Manifest::verified(bytes, Some(&entry.media_type), &entry.digest, &what)?;
        waiting.extend(manifest.manifests().iter().cloned());
        let Some(config) = manifest.config() else { continue };
        let Some(image) = images.get(&config.digest) else { continue };
        if image.layers.as_ref().is_some_and(|layers| layers.len() != manifest.layers().len()) {
            return Ok(false);
        }
        if media_type::is_config(&config.media_type) {
            archive.check_layers(image, manifest.layers())?;
        }
    }
    Ok(true)
}
