//! How values look.

use registry_name::Digest;
use serde_json::{Map, Value};

use super::html::{Html, html};

/// Entries of a list that is not paged; the JSON has them all.
pub(super) const MANY: usize = 100;

/// Characters of one value.
const LONG: usize = 1000;

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "B";
    for larger in UNITS {
        // What would be shown as 1024.0 belongs to the next unit.
        if tenths < 10_235 {
            break;
        }
        tenths = (tenths + 512) / 1024;
        unit = larger;
    }
    if unit == "B" {
        return format!("{bytes} B");
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// `sha256:0123456789ab`, enough to tell digests apart by eye.
pub(super) fn short(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{}:{}", digest.algorithm().as_str(), hex.get(..12).unwrap_or(hex))
}

/// A text, cut where it is too long to read.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A JSON value in one line; a string is itself.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => clip(text),
        other => clip(&other.to_string()),
    }
}

/// One row of a `dl`; nothing if there is nothing to say.
pub(super) fn row(to: &mut Html, label: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        html!(*to; "<dt>" (label) "</dt><dd>" (clip(text)) "</dd>\n");
    }
}

/// The rows of an object: annotations or labels.
pub(super) fn rows(to: &mut Html, map: &Map<String, Value>) {
    for (key, one) in map.iter().take(MANY) {
        row(to, &clip(key), Some(&value(one)));
    }
    more(to, map.len());
}

/// Says how many entries of a bounded list are missing.
fn more(to: &mut Html, length: usize) {
    if length > MANY {
        html!(*to; "<dt>More</dt><dd>" (length - MANY) " more are in the JSON below</dd>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_people_read() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown, "{bytes}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(LONG + 1);
        assert_eq!(clip(&text), "é".repeat(LONG) + "…");
        assert_eq!(clip(&text[2..]), "é".repeat(LONG));
    }
}
