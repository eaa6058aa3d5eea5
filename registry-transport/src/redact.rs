//! URLs that may be shown: a signed query or a password in an address never reaches a log or an error.

use std::fmt;

use url::Url;

/// What stands in place of a hidden value.
pub(crate) const REDACTED: &str = "REDACTED";

/// Query parameters of the distribution and token protocols, which hold names and never secrets.
const SHOWN: [&str; 7] = ["scope", "service", "mount", "from", "digest", "n", "last"];

/// A URL as it may be printed: user information is masked, and so is every query value that is not known to be harmless.
///
/// There is no way back to the URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedactedUrl(String);

impl RedactedUrl {
    /// The printable text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Url> for RedactedUrl {
    fn from(url: &Url) -> Self {
        let mut shown = url.clone();
        if !url.username().is_empty() || url.password().is_some() {
            // Both fail only for a URL without a host, which has no user information either.
            let _ = shown.set_password(None);
            let _ = shown.set_username(REDACTED);
        }
        shown.set_fragment(None);
        if url.query().is_some() {
            shown.set_query(Some(&redacted_query(url)));
        }
        Self(shown.into())
    }
}

fn redacted_query(url: &Url) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in url.query_pairs() {
        if SHOWN.contains(&key.as_ref()) {
            query.append_pair(&key, &value);
        } else if value.is_empty() {
            // `?token` without a value may be the secret itself.
            query.append_key_only(REDACTED);
        } else {
            query.append_pair(&key, REDACTED);
        }
    }
    query.finish()
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_values_are_shown() {
        for (url, want) in [
            ("https://e/x", "https://e/x"),
            ("https://e/x?a=1&a=2", "https://e/x?a=REDACTED&a=REDACTED"),
            ("https://u:p@e/x", "https://REDACTED@e/x"),
            ("https://u@e/x", "https://REDACTED@e/x"),
            ("https://e/x?n=1&last=a%20b", "https://e/x?n=1&last=a+b"),
            (
                "https://e/x?X-Amz-Signature=abc&scope=repository:a:pull",
                "https://e/x?X-Amz-Signature=REDACTED&scope=repository%3Aa%3Apull",
            ),
            ("https://e/x?canary", "https://e/x?REDACTED"),
            ("https://e/x#canary", "https://e/x"),
            (
                "https://e/x?mount=m&from=f&digest=d&service=s&_state=canary",
                "https://e/x?mount=m&from=f&digest=d&service=s&_state=REDACTED",
            ),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!(RedactedUrl::from(&url).to_string(), want);
            assert_eq!(format!("{:?}", RedactedUrl::from(&url)), want);
        }
    }
}
