//! Pages of a sorted list: `?n=` and `?last=`.

use http::HeaderValue;

use crate::problem::{Code, Problem};

/// What a client asks of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    limit: Option<usize>,
    last: Option<String>,
}

impl Page {
    pub(crate) fn of(query: &[(String, String)]) -> Result<Self, Problem> {
        let find = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let limit = match find("n") {
            None => None,
            Some(digits)
                if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() =>
            {
                // A number beyond any list means the whole list.
                Some(digits.parse().unwrap_or(usize::MAX))
            }
            Some(_) => {
                let message = "n must be a whole number that is not negative";
                return Err(Problem::invalid(Code::Unsupported, message));
            }
        };
        Ok(Self { limit, last: find("last").cloned() })
    }

    /// The entries of this page, and the last one of them if more follow. `all` is sorted by its
    /// bytes; `last` need not be in it.
    pub(crate) fn cut<'a, T: AsRef<str>>(&self, all: &'a [T]) -> (&'a [T], Option<&'a str>) {
        let start = self
            .last
            .as_deref()
            .map_or(0, |last| all.partition_point(|entry| entry.as_ref() <= last));
        let rest = &all[start..];
        let page = &rest[..rest.len().min(self.limit.unwrap_or(usize::MAX))];
        let more = page.len() < rest.len();
        (page, page.last().filter(|_| more).map(AsRef::as_ref))
    }

    /// `Link: <…>; rel="next"` (RFC 8288) for the page that follows `last`.
    pub(crate) fn next(&self, path: &str, last: &str) -> Option<HeaderValue> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("last", last);
        if let Some(limit) = self.limit {
            query.append_pair("n", &limit.to_string());
        }
        HeaderValue::try_from(format!("<{path}?{}>; rel=\"next\"", query.finish())).ok()
    }
}
