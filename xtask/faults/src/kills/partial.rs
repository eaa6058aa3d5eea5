//! The file of a blob that has not come whole. What it says is read here once more, apart from the code that is tested.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::content::Blob;

/// Where it is in a layout.
pub fn path(layout: &Path, blob: &Blob) -> PathBuf {
    let hex = blob.digest.replace("sha256:", "");
    layout.join(format!("blobs/sha256/.registry-{hex}.partial"))
}

/// The ranges that it says to hold. None where it is not there, or says nothing that a later run would believe.
pub fn noted(layout: &Path, blob: &Blob) -> Vec<Range<u64>> {
    let bytes = fs::read(path(layout, blob)).unwrap_or_default();
    let note = bytes.get(blob.bytes.len()..).unwrap_or_default();
    ranges(&String::from_utf8_lossy(note), blob.bytes.len()).unwrap_or_default()
}

/// How many bytes ranges are together.
pub fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

fn ranges(note: &str, size: usize) -> Option<Vec<Range<u64>>> {
    let line = note.lines().next()?.strip_suffix(" .")?;
    let ranges = line.strip_prefix(&format!("registry-partial-1 {size}"))?;
    let range = |word: &str| {
        let (start, end) = word.split_once('-')?;
        Some(start.parse().ok()?..end.parse().ok()?)
    };
    ranges.split_ascii_whitespace().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_counts_if_it_is_whole_and_of_this_blob() {
        let held = ranges("registry-partial-1 100 0-10 20-30 .\nrest of an older one", 100);
        assert_eq!(held, Some(vec![0..10, 20..30]));
        assert_eq!(total(&held.unwrap()), 20);
        assert_eq!(ranges("registry-partial-1 100 .\n", 100), Some(Vec::new()));
        for other in [
            "",
            "registry-partial-1 100 0-10 20-3",
            "registry-partial-1 1000 0-10 .\n",
            "registry-partial-2 100 0-10 .\n",
            "registry-partial-1 100 0-x .\n",
        ] {
            assert_eq!(ranges(other, 100), None, "{other}");
        }
    }
}
