//! What a killed program left, and what the next one made of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::partial::{noted, total};
use super::{REPOSITORY, TAG};
use crate::content::{Image, sha256};
use crate::layout::{entries, resolve, verified_blobs};
use crate::registry::Registry;

/// How many bytes of an image's blobs are there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Left {
    /// In blobs that are complete.
    pub(super) whole: u64,
    /// In files of blobs that are not.
    pub(super) partial: u64,
}

/// What of the image is in a layout. Once it is `whole`, the image is in it and nothing else; before, it is listed only where it is.
pub(super) fn layout(
    directory: &Path,
    image: &Image,
    whole: bool,
    faults: &mut Vec<String>,
) -> io::Result<Left> {
    let blobs = match verified_blobs(directory) {
        Ok(blobs) => blobs,
        Err(error) => {
            faults.push(error.to_string());
            BTreeSet::new()
        }
    };
    let expected: BTreeSet<_> =
        image.blobs().chain([&image.manifest]).map(|blob| blob.digest.clone()).collect();
    let listed = entries(directory)?;
    if (whole || !listed.is_empty()) && (listed.len() != 1 || blobs != expected) {
        faults.push(format!(
            "{} entries are listed, and {} blobs are there",
            listed.len(),
            blobs.len()
        ));
    }
    if whole {
        if resolve(directory, TAG)?.as_ref() != Some(&image.manifest.digest) {
            faults.push("the tag does not name the image".to_owned());
        }
        let count = |folder: &str| fs::read_dir(directory.join(folder)).map_or(0, Iterator::count);
        if [count(""), count("blobs"), count("blobs/sha256")] != [3, 1, expected.len()] {
            faults.push("something else is in the layout".to_owned());
        }
    }
    let (there, others): (Vec<_>, Vec<_>) =
        image.blobs().partition(|blob| blobs.contains(&blob.digest));
    Ok(Left {
        whole: there.iter().map(|blob| blob.bytes.len() as u64).sum(),
        partial: others.iter().map(|blob| total(&noted(directory, blob))).sum(),
    })
}

/// An archive is there whole, or not at all.
pub(super) fn archive(
    directory: &Path,
    expected: &[u8],
    whole: bool,
    faults: &mut Vec<String>,
) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    if !whole {
        names.retain(|name| !(name.starts_with(".registry-") && name.ends_with(".partial")));
    }
    match names.as_slice() {
        [only] if only == "target" => {
            if fs::read(directory.join("target"))? != expected {
                faults.push("the archive is another than that of a pull nobody killed".to_owned());
            }
        }
        [] if !whole => {}
        _ => faults.push(format!("where the archive is to be there are {names:?}")),
    }
    Ok(())
}

/// How many bytes of the image's blobs a registry has. Once it is `whole`, the image is in it; before, its manifest is only there
/// where everything that it needs is.
pub(super) fn registry(
    registry: &Registry,
    image: &Image,
    whole: bool,
    faults: &mut Vec<String>,
) -> u64 {
    let held = registry.repository(REPOSITORY).cloned().unwrap_or_default();
    for (digest, _) in held.blobs.iter().filter(|(digest, bytes)| sha256(bytes) != **digest) {
        faults.push(format!("the registry holds other bytes as {digest}"));
    }
    let all = image.blobs().all(|blob| held.blobs.contains_key(&blob.digest));
    let tagged = held.tags.get(TAG) == Some(&image.manifest.digest);
    if (whole && !(all && tagged)) || (!held.manifests.is_empty() && !all) {
        let count = held.blobs.len();
        faults.push(format!("all: {all}, tagged: {tagged}, with {count} blobs in the registry"));
    }
    let there = image.blobs().filter(|blob| held.blobs.contains_key(&blob.digest));
    there.map(|blob| blob.bytes.len() as u64).sum()
}
