//! One entry more in an `index.json`, and everything else as it was.

use registry_name::Tag;
use serde_json::{Value, json};

use crate::{Descriptor, local::listing::REF_NAME, media_type};

/// The `index.json` with `entry` in it, or `None` where nothing changes.
///
/// A tag names one entry: one that had it goes. Without a tag, an entry is added unless its digest
/// is listed already.
pub(super) fn with_entry(
    index: Option<&[u8]>,
    entry: &Descriptor,
    tag: Option<&Tag>,
) -> Result<Option<Vec<u8>>, String> {
    let mut index = match index {
        Some(bytes) => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX}),
    };
    let fields = index.as_object_mut().ok_or("it is no object")?;
    let entries = fields.entry("manifests").or_insert(Value::Null);
    if entries.is_null() {
        *entries = json!([]);
    }
    let entries = entries.as_array_mut().ok_or("its manifests are no list")?;
    let digest = Value::from(entry.digest.as_str());
    let is_ours = |old: &Value| match tag {
        Some(tag) => old["annotations"][REF_NAME] == tag.as_str(),
        None => old["digest"] == digest,
    };
    let mut ours = entries.iter().filter(|old| is_ours(old));
    if let Some(first) = ours.next()
        && first["digest"] == digest
        && ours.next().is_none()
    {
        return Ok(None);
    }
    let at = entries.iter().position(is_ours).unwrap_or(entries.len());
    entries.retain(|old| !is_ours(old));
    entries.insert(at, described(entry, tag).map_err(|error| error.to_string())?);
    serde_json::to_vec(&index).map(Some).map_err(|error| error.to_string())
}

fn described(entry: &Descriptor, tag: Option<&Tag>) -> serde_json::Result<Value> {
    let mut entry = entry.clone();
    entry.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag.to_string())));
    serde_json::to_value(entry)
}

#[cfg(test)]
mod tests;
