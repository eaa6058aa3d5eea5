//! Byte ranges: `Range` of downloads (RFC 9110 section 14) and `Content-Range` of upload chunks.

/// What a `Range` header asks of a representation of `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range, several ranges, another unit, or a header that makes no sense; RFC 9110
    /// allows a server to ignore all of these.
    Everything,
    /// `first` to `last`, both inclusive and inside the representation.
    Part { first: u64, last: u64 },
    /// Nothing of what was asked for exists: 416.
    Unsatisfiable,
}

pub(crate) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::Everything;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Wanted::Everything };
    match (first.is_empty(), number(first), last.is_empty(), number(last)) {
        (true, _, false, Some(suffix)) => suffix_of(size, suffix),
        (false, Some(first), true, _) => part(size, first, u64::MAX),
        (false, Some(first), false, Some(last)) => part(size, first, last),
        _ => Wanted::Everything,
    }
}

/// The chunk that an upload's `Content-Range: <first>-<last>` announces (distribution
/// specification, "Pushing a blob in chunks").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    pub(crate) length: u64,
}

/// `None`: not `^[0-9]+-[0-9]+$`, or a chunk that ends before it starts.
pub(crate) fn chunk(header: &str) -> Option<Chunk> {
    let (first, last) = header.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let length = last.checked_sub(first)?.checked_add(1)?;
    Some(Chunk { first, length })
}

/// `Range` of an upload's status. There is no way to write "nothing yet"; `0-0` is what clients
/// know.
pub(crate) fn received(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn suffix_of(size: u64, suffix: u64) -> Wanted {
    if suffix == 0 || size == 0 {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part { first: size.saturating_sub(suffix), last: size - 1 }
}

fn part(size: u64, first: u64, last: u64) -> Wanted {
    if first >= size || last < first {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part { first, last: last.min(size - 1) }
}

/// Digits only: `str::parse` alone would take a sign. A number too large for `u64` is still a
/// position, one past every end.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
