//! How a download goes on, as decisions over what was asked and what came back.
//!
//! Bytes are appended only where they provably belong. Whatever is doubtful costs a clean restart,
//! and of those there are few. How often an operation may be interrupted is the transport's
//! [`Budget`](registry_transport::Budget).

use std::ops::Range;

use registry_transport::{Origin, Url};

/// Restarts from the first byte, at most.
const MAX_RESTARTS: u32 = 2;
/// Bytes fetched again beyond the blob's own size, at most.
const MAX_REFETCHED: u64 = 64 << 20;

/// Where a download stands, and what it has cost.
#[derive(Debug)]
pub(super) struct Progress {
    size: u64,
    position: u64,
    /// Behind the last byte that is wanted.
    end: u64,
    since: u64,
    restarts: u32,
    refetched: u64,
    /// Of the answer that is being read.
    validator: Option<Validator>,
}

/// A strong entity tag (RFC 9110, section 8.8.3), and who gave it: two servers may tag the same
/// bytes in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validator {
    origin: Origin,
    tag: String,
}

/// What the head of an answer means for a download that stands at some position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Its body goes on exactly there.
    Append,
    /// Its body is the whole; this many bytes of it are known already.
    Skip(u64),
    /// It cannot be used; ask for the whole.
    Restart(String),
    /// The blob cannot be what was promised.
    Size(u64),
}

/// What an answer to a request for a blob says of its body.
#[derive(Debug, Default)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) content_length: Option<u64>,
    /// Every `Content-Range` line.
    pub(super) content_ranges: Vec<&'a str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) validator: Option<Validator>,
}

impl Validator {
    /// The tag of an answer from `url`; none where it is weak.
    pub(super) fn of(url: &Url, etag: Option<&str>) -> Option<Self> {
        let tag = etag.filter(|tag| tag.starts_with('"'))?.to_owned();
        Some(Self { origin: Origin::of(url)?, tag })
    }

    fn contradicts(&self, other: &Self) -> bool {
        self.origin == other.origin && self.tag != other.tag
    }
}

impl Progress {
    /// A download of the bytes in `range` of a blob of `size` bytes.
    pub(super) fn new(size: u64, range: Range<u64>) -> Self {
        let Range { start: position, end } = range;
        Self { size, position, end, since: 0, restarts: 0, refetched: 0, validator: None }
    }

    /// The next byte that is wanted.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Behind the last byte that is wanted.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn is_complete(&self) -> bool {
        self.position >= self.end
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.position += bytes;
        self.since += bytes;
    }

    /// Bytes that were fetched only to be thrown away.
    pub(super) fn skipped(&mut self, bytes: u64) {
        self.refetched = self.refetched.saturating_add(bytes);
    }

    /// The progress since it was last asked for, bytes.
    pub(super) fn since(&mut self) -> u64 {
        std::mem::take(&mut self.since)
    }

    /// Charges a restart from the first byte; says whether it may be had.
    pub(super) fn may_restart(&mut self) -> bool {
        self.restarts += 1;
        self.restarts <= MAX_RESTARTS && self.may_skip(0)
    }

    /// Whether so many known bytes may be fetched only to be thrown away.
    pub(super) fn may_skip(&self, known: u64) -> bool {
        self.refetched.saturating_add(known) <= self.size.saturating_add(MAX_REFETCHED)
    }

    /// The bytes that come now are tagged like this.
    pub(super) fn reads(&mut self, validator: Option<Validator>) {
        self.validator = validator;
    }

    /// Judges the head of an answer. `ranged`: the request asked for the rest only.
    pub(super) fn start(&self, answer: &Answer<'_>, ranged: bool) -> Start {
        match (answer.status, ranged) {
            (206, true) => match self.check_range(answer) {
                Ok(()) => Start::Append,
                Err(reason) => Start::Restart(reason),
            },
            (206, false) => Start::Restart("206 without having been asked for a range".to_owned()),
            (416, _) => Start::Restart(format!("416 at byte {} of {}", self.position, self.size)),
            _ => match answer.content_length {
                Some(length) if length != self.size => Start::Size(length),
                _ => Start::Skip(self.position),
            },
        }
    }

    /// RFC 9110, section 14.4: exactly one `bytes first-last/complete`, and it must be ours.
    fn check_range(&self, answer: &Answer<'_>) -> Result<(), String> {
        if answer.content_type.is_some_and(|kind| kind.starts_with("multipart/")) {
            return Err("206 with several parts".to_owned());
        }
        let [range] = answer.content_ranges[..] else {
            return Err(format!("206 with {} Content-Range lines", answer.content_ranges.len()));
        };
        let expected = (self.position, self.end.saturating_sub(1));
        let refuse =
            || format!("206 with {range:?} where bytes {}-{} were due", expected.0, expected.1);
        let (first, last, complete) = parse_content_range(range).ok_or_else(refuse)?;
        let right = (first, last) == expected && complete.is_none_or(|all| all == self.size);
        let length = answer.content_length.is_none_or(|length| length == self.end - self.position);
        if !(right && length) {
            return Err(refuse());
        }
        match (&self.validator, &answer.validator) {
            (Some(before), Some(now)) if before.contradicts(now) => {
                Err("206 with another ETag than before".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// `bytes 0-9/10` or `bytes 0-9/*`.
fn parse_content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u64>().ok() } else { None }
    };
    let rest = text.trim().strip_prefix("bytes ")?;
    let (range, complete) = rest.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let complete = if complete == "*" { None } else { Some(number(complete)?) };
    Some((number(first)?, number(last)?, complete))
}

#[cfg(test)]
mod tests;
