//! Pages of a sorted list: `?n=` and `?last=`.

use http::HeaderValue;

use crate::problem::{Code, Problem};

/// Which part of a list a client asks for, and gets at most.
#[derive(Clone, Debug)]
pub(crate) struct Page<'a> {
    query: &'a [(String, String)],
    limit: usize,
    last: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// The page that `query` asks for, with at most `at_most` entries.
    pub(crate) fn of(query: &'a [(String, String)], at_most: usize) -> Result<Self, Problem> {
        let find = |key: &str| query.iter().find(|(name, _)| name == key);
        let limit = match find("n").map(|(_, digits)| digits) {
            None => at_most,
            Some(digits)
                if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() =>
            {
                // A number beyond any list means the whole list.
                digits.parse().unwrap_or(usize::MAX).min(at_most)
            }
            Some(_) => {
                let message = "n must be a whole number that is not negative";
                return Err(Problem::invalid(Code::Unsupported, message));
            }
        };
        Ok(Self { query, limit, last: find("last").map(|(_, last)| last.as_str()) })
    }

    /// The entries of this page, and whether more follow. `all` is sorted by the bytes of its keys;
    /// `last` need not be among them.
    pub(crate) fn cut<'b, T>(&self, all: &'b [T], key: impl Fn(&T) -> &str) -> (&'b [T], bool) {
        let start = self.last.map_or(0, |last| all.partition_point(|entry| key(entry) <= last));
        let rest = &all[start..];
        let page = &rest[..rest.len().min(self.limit)];
        // After an empty page there is nowhere to go on.
        (page, page.len() < rest.len() && !page.is_empty())
    }

    /// `Link: <…>; rel="next"` (RFC 8288): the same query for what follows `last`.
    pub(crate) fn next(&self, path: &str, last: &str) -> Option<HeaderValue> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query.iter().filter(|(key, _)| key != "last"));
        query.append_pair("last", last);
        HeaderValue::try_from(format!("<{path}?{}>; rel=\"next\"", query.finish())).ok()
    }
}
