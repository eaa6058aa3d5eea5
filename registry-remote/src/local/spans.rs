//! Which bytes of a blob are here, as ranges.

use std::{fmt::Write as _, ops::Range};

/// Ranges that are remembered in a file, at most; what lies further back is fetched again.
const REMEMBERED: usize = 64;
/// How a remembered set begins: the version of its form.
const MAGIC: &str = "registry-partial-1";

/// Disjoint ranges in ascending order, never touching each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<Range<u64>>);

impl Spans {
    /// Adds a range, whatever of it is here already.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|span| span.end < range.start);
        let behind = self.0.partition_point(|span| span.start <= range.end);
        let touched = &self.0[first..behind];
        let start = touched.first().map_or(range.start, |span| span.start.min(range.start));
        let end = touched.last().map_or(range.end, |span| span.end.max(range.end));
        self.0.splice(first..behind, std::iter::once(start..end));
    }

    /// The end of the range that `at` is in; `at` where it is in none.
    pub(crate) fn end_from(&self, at: u64) -> u64 {
        let next = self.0.partition_point(|span| span.end <= at);
        self.0.get(next).filter(|span| span.start <= at).map_or(at, |span| span.end)
    }

    /// What is missing within `range`.
    pub(crate) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for span in &self.0[self.0.partition_point(|span| span.end <= at)..] {
            if span.start >= range.end {
                break;
            }
            if span.start > at {
                gaps.push(at..span.start);
            }
            at = at.max(span.end);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// How many bytes they are together.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }

    /// One line of text for a blob of `size` bytes.
    pub(crate) fn to_line(&self, size: u64) -> String {
        let mut line = format!("{MAGIC} {size}");
        for span in self.0.iter().take(REMEMBERED) {
            // Writing to a string cannot fail.
            let _ = write!(line, " {}-{}", span.start, span.end);
        }
        line.push_str(" .\n");
        line
    }

    /// What [`Spans::to_line`] wrote for a blob of the same size; `None` for anything else.
    pub(crate) fn from_line(text: &[u8], size: u64) -> Option<Self> {
        let line = text.split(|byte| *byte == b'\n').next()?;
        let line = std::str::from_utf8(line).ok()?.strip_suffix(" .")?;
        let mut words = line.split(' ');
        if words.next() != Some(MAGIC) || words.next()?.parse() != Ok(size) {
            return None;
        }
        let mut spans = Self::default();
        for word in words.take(REMEMBERED) {
            let (start, end) = word.split_once('-')?;
            let (start, end) = (start.parse().ok()?, end.parse().ok()?);
            if start >= end || end > size {
                return None;
            }
            spans.insert(start..end);
        }
        Some(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(ranges: &[Range<u64>]) -> Spans {
        let mut spans = Spans::default();
        for range in ranges {
            spans.insert(range.clone());
        }
        spans
    }

    /// The same as a table of booleans.
    #[test]
    fn any_order_of_any_ranges_is_the_union_of_them() {
        const SIZE: u64 = 24;
        let index = |at: u64| usize::try_from(at).unwrap();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let (mut ours, mut table) = (Spans::default(), vec![false; index(SIZE)]);
            for _ in 0..random(8) {
                let start = random(SIZE);
                let end = start + random(SIZE + 1 - start);
                ours.insert(start..end);
                (start..end).for_each(|at| table[index(at)] = true);
            }
            let here = |at: u64| table[index(at)];
            assert_eq!(ours.total(), (0..SIZE).filter(|at| here(*at)).count() as u64);
            for at in 0..SIZE {
                let end = (at..SIZE).find(|at| !here(*at)).unwrap_or(SIZE);
                assert_eq!(ours.end_from(at), end, "{ours:?} from {at}");
            }
            let (start, end) = (random(SIZE), SIZE - random(4));
            let missing: Vec<_> = ours.gaps(start..end).into_iter().flatten().collect();
            let wanted: Vec<_> = (start..end).filter(|at| !here(*at)).collect();
            assert_eq!(missing, wanted, "{ours:?} in {start}..{end}");
            assert!(ours.0.windows(2).all(|pair| pair[0].end < pair[1].start), "{ours:?}");
            assert_eq!(Spans::from_line(ours.to_line(SIZE).as_bytes(), SIZE), Some(ours));
        }
    }

    #[test]
    fn a_remembered_set_that_is_damaged_or_of_another_blob_is_none() {
        let line = spans(&[0..10, 20..30]).to_line(100);
        assert_eq!(line, "registry-partial-1 100 0-10 20-30 .\n");
        assert!(Spans::from_line(format!("{line}rest of an older one").as_bytes(), 100).is_some());
        for damaged in [
            "",
            "\n",
            "registry-partial-1 100 0-10 20-30",
            "registry-partial-1 100 0-10 20-3 \0\0",
            "registry-partial-1 101 0-10 .\n",
            "registry-partial-2 100 0-10 .\n",
            "registry-partial-1 100 0-101 .\n",
            "registry-partial-1 100 10-10 .\n",
            "registry-partial-1 100 -1-10 .\n",
            "registry-partial-1 100 0-99999999999999999999 .\n",
        ] {
            assert_eq!(Spans::from_line(damaged.as_bytes(), 100), None, "{damaged:?}");
        }
        let many: Vec<_> = (0..100).map(|n| n * 10..n * 10 + 5).collect();
        let line = spans(&many).to_line(1000);
        assert_eq!(Spans::from_line(line.as_bytes(), 1000), Some(spans(&many[..64])));
    }
}
