//! What a registry says beside its answer: warnings, and how many requests are left. It is reported and never acted on.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, WARNING};

use crate::text::sanitise;

/// What one answer may say in all, in bytes (distribution specification, "Warnings").
const MOST: usize = 4096;
/// Warnings that are remembered; a registry with more to say has said enough.
const REMEMBERED: usize = 64;

/// A warning of a registry (`Warning: 299 - "…"`; distribution specification, "Warnings"). Fit to be printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Warning {
    /// The host that warns.
    pub host: String,
    /// What it says, sanitised.
    pub text: String,
}

/// How many requests a host still answers (`RateLimit-Limit` and `RateLimit-Remaining`, as Docker Hub sends them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests in a window.
    pub limit: Option<u64>,
    /// Requests that are left in it.
    pub remaining: Option<u64>,
    /// How long the window is.
    pub window: Option<Duration>,
}

/// The warnings so far, each once.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<BTreeSet<Warning>>);

impl Warnings {
    /// Remembers the warnings of an answer, and returns those that are new.
    pub(crate) fn note(&self, host: &str, headers: &HeaderMap) -> Vec<Warning> {
        let texts = texts(headers);
        if texts.is_empty() {
            return Vec::new();
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let warning = |text| Warning { host: host.to_owned(), text };
        let mut new: Vec<_> = texts.into_iter().map(warning).collect();
        new.retain(|warning| all.len() < REMEMBERED && all.insert(warning.clone()));
        new
    }

    pub(crate) fn all(&self) -> Vec<Warning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The texts of all warnings with code 299 and the agent `-`, 4096 bytes at most.
fn texts(headers: &HeaderMap) -> Vec<String> {
    let mut left = MOST;
    let mut texts = Vec::new();
    for line in headers.get_all(WARNING) {
        let Some(text) = text(line.as_bytes()) else { continue };
        if text.is_empty() || text.len() > left {
            break;
        }
        left -= text.len();
        texts.push(text);
    }
    texts
}

/// `299 - "text"`, with `\"` and `\\` in it (RFC 7234, section 5.5); a date may follow.
fn text(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line.get(..MOST).unwrap_or(line)).into_owned();
    let quoted = line.trim().strip_prefix("299 - \"")?;
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some(sanitise(&text, MOST)),
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
}

/// What an answer says about its rate limit; nothing where it says nothing that can be read.
pub(crate) fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
    const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
    let (limit, window) = quantity(headers, &LIMIT);
    let (remaining, other) = quantity(headers, &REMAINING);
    let limit = RateLimit { limit, remaining, window: window.or(other) };
    (limit != RateLimit::default()).then_some(limit)
}

/// `100;w=21600`: a number, and the window in seconds.
fn quantity(headers: &HeaderMap, name: &HeaderName) -> (Option<u64>, Option<Duration>) {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let number = parts.next().and_then(|number| number.parse().ok());
    let window = parts.find_map(|part| part.strip_prefix("w=")?.parse::<u32>().ok());
    (number, window.filter(|_| number.is_some()).map(|s| Duration::from_secs(s.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let value =
            |value: &&str| (HeaderName::from_static(name), value.as_bytes().try_into().unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn e16_a_warning_is_said_once_and_cannot_move_the_cursor() {
        let warnings = Warnings::default();
        let flood = format!("299 - \"{}\"", "x".repeat(1 << 20));
        let said = headers(
            "warning",
            &[
                "299 - \"old image\"",
                "299 - \"a \\\"quoted\\\" \u{9b}31m\" \"Sat, 25 Aug 2012 23:34:45 GMT\"",
                "299 - \"old image\"",
                "199 - \"another code\"",
                "299 proxy \"another agent\"",
                "299 - no quotes",
                "299 - \"no end",
                "",
                &flood,
            ],
        );
        let new: Vec<_> =
            warnings.note("a", &said).into_iter().map(|warning| warning.text).collect();
        assert_eq!(new, ["old image", "a \"quoted\" \\u{9b}31m"]);
        assert_eq!(warnings.note("a", &said), []);
        assert_eq!(warnings.note("b", &said).len(), 2);
        assert_eq!(warnings.all().len(), 4);
    }

    #[test]
    fn e16_warnings_without_end_are_remembered_up_to_a_limit() {
        let warnings = Warnings::default();
        for n in 0..1000 {
            warnings.note("a", &headers("warning", &[&format!("299 - \"{n}\"")]));
        }
        assert_eq!(warnings.all().len(), REMEMBERED);
        let many: Vec<_> = (0..1000).map(|n| format!("299 - \"{n:020}\"")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(texts(&headers("warning", &many)).concat().len() <= MOST);
    }

    #[test]
    fn e17_a_rate_limit_is_read_where_it_can_be() {
        let both = |limit: &str, remaining: &str| {
            let mut all = headers("ratelimit-limit", &[limit]);
            all.extend(headers("ratelimit-remaining", &[remaining]));
            rate_limit(&all)
        };
        let window = Some(Duration::from_secs(21_600));
        let want = RateLimit { limit: Some(100), remaining: Some(0), window };
        assert_eq!(both("100;w=21600", "0;w=21600"), Some(want));
        assert_eq!(both("100", "x"), Some(RateLimit { limit: Some(100), ..RateLimit::default() }));
        assert_eq!(both("-1;w=1", ""), None);
        assert_eq!(rate_limit(&HeaderMap::new()), None);
    }
}
