//! Entries more in an `index.json`, and everything else as it was.

use std::collections::{HashMap, HashSet};

use registry_name::Tag;
use serde_json::{Value, json};

use crate::{Descriptor, local::listing::REF_NAME, media_type};

/// A manifest to list, by a tag or without one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) manifest: Descriptor,
    pub(super) tag: Option<Tag>,
}

impl Entry {
    /// One for each tag; where there are none and it is `asked` for by itself, one without.
    pub(super) fn all(manifest: &Descriptor, tags: &[Tag], asked: bool) -> Vec<Self> {
        let bare = (tags.is_empty() && asked).then_some(None);
        let named = tags.iter().cloned().map(Some);
        named.chain(bare).map(|tag| Self { manifest: manifest.clone(), tag }).collect()
    }
}

/// The `index.json` with `entries` in it, or `None` where nothing changes.
///
/// A tag names one entry, the last that is given: one that had it goes. Without a tag, an entry is
/// added unless its digest is listed already.
pub(super) fn with_entries(
    index: Option<&[u8]>,
    entries: &[Entry],
) -> Result<Option<Vec<u8>>, String> {
    let mut index = match index {
        Some(bytes) => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX}),
    };
    let fields = index.as_object_mut().ok_or("it is no object")?;
    let listed = fields.entry("manifests").or_insert(Value::Null);
    if listed.is_null() {
        *listed = json!([]);
    }
    let listed = listed.as_array_mut().ok_or("its manifests are no list")?;
    let moved = move_tags(listed, entries)?;
    let added = add_missing(listed, entries)?;
    if !moved && !added {
        return Ok(None);
    }
    serde_json::to_vec(&index).map(Some).map_err(|error| error.to_string())
}

/// Lets each tag that is listed already name what it is to name, in its place and once.
fn move_tags(listed: &mut Vec<Value>, entries: &[Entry]) -> Result<bool, String> {
    let wanted = by_tag(entries);
    let (mut met, mut changed, mut kept) = (HashSet::new(), false, Vec::new());
    for old in std::mem::take(listed) {
        let entry = tag_of(&old).and_then(|tag| wanted.get(tag).copied());
        let is_first = entry.and_then(|entry| entry.tag.as_ref()).is_none_or(|tag| met.insert(tag));
        match entry {
            Some(_) if !is_first => changed = true,
            Some(entry) if old["digest"] != entry.manifest.digest.as_str() => {
                changed = true;
                kept.push(described(entry)?);
            }
            _ => kept.push(old),
        }
    }
    *listed = kept;
    Ok(changed)
}

fn add_missing(listed: &mut Vec<Value>, entries: &[Entry]) -> Result<bool, String> {
    let wanted = by_tag(entries);
    let text = |value: &str| value.to_owned();
    let mut tags: HashSet<_> = listed.iter().filter_map(tag_of).map(text).collect();
    let digests = listed.iter().filter_map(|old| old["digest"].as_str());
    let mut digests: HashSet<_> = digests.map(text).collect();
    let before = listed.len();
    for entry in entries {
        let (entry, is_new) = match &entry.tag {
            Some(tag) => (wanted[tag.as_str()], tags.insert(text(tag.as_str()))),
            None => (entry, !digests.contains(entry.manifest.digest.as_str())),
        };
        if is_new {
            listed.push(described(entry)?);
            digests.insert(text(entry.manifest.digest.as_str()));
        }
    }
    Ok(listed.len() > before)
}

/// What each tag is to name: what it was given last.
fn by_tag(entries: &[Entry]) -> HashMap<&str, &Entry> {
    let named = entries.iter().filter_map(|entry| Some((entry.tag.as_ref()?.as_str(), entry)));
    named.collect()
}

fn tag_of(entry: &Value) -> Option<&str> {
    entry["annotations"][REF_NAME].as_str()
}

fn described(entry: &Entry) -> Result<Value, String> {
    let mut manifest = entry.manifest.clone();
    let tag = entry.tag.as_ref().map(|tag| (REF_NAME.to_owned(), tag.to_string()));
    manifest.annotations.extend(tag);
    serde_json::to_value(manifest).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
