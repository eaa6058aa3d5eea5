//! Conditional requests (RFC 9110 section 13) over entity tags that are digests.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use registry_name::Digest;

/// The strong entity tag of content: its digest in quotes.
pub(crate) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// `If-None-Match` names this content: a GET is answered with 304.
pub(crate) fn not_modified(headers: &HeaderMap, digest: &Digest) -> bool {
    matches(headers, &IF_NONE_MATCH, Some(digest)).unwrap_or(false)
}

/// A `Range` header counts: there is no `If-Range`, or it names this content.
pub(crate) fn range_applies(headers: &HeaderMap, digest: &Digest) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag(digest).as_bytes())
}

/// What a PUT demands of the content that it replaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Precondition {
    headers: HeaderMap,
}

impl Precondition {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut kept = HeaderMap::new();
        for name in [IF_MATCH, IF_NONE_MATCH] {
            for value in headers.get_all(&name) {
                kept.append(&name, value.clone());
            }
        }
        Self { headers: kept }
    }

    /// Whether a PUT may replace `current` (`None`: there is nothing yet).
    pub(crate) fn holds(&self, current: Option<&Digest>) -> bool {
        matches(&self.headers, &IF_MATCH, current).unwrap_or(true)
            && !matches(&self.headers, &IF_NONE_MATCH, current).unwrap_or(false)
    }
}

/// `None`: the header is absent. `*` matches whatever exists.
fn matches(headers: &HeaderMap, name: &HeaderName, current: Option<&Digest>) -> Option<bool> {
    if !headers.contains_key(name) {
        return None;
    }
    let Some(current) = current else { return Some(false) };
    let tag = etag(current);
    // A digest holds neither comma nor quote, so the list splits at every comma.
    Some(headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    }))
}
