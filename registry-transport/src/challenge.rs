//! `WWW-Authenticate` (RFC 9110, section 11.6.1): what a server wants to see before it answers.
//!
//! Several header lines, several challenges in one line, and their spellings in the field: spaces around `=`, empty list
//! elements, an unquoted URL as a value. A challenge that can be read in two ways is not used at all.

use serde::{Deserialize, Serialize};
use url::Url;

/// One challenge: a scheme and its parameters. Nothing in it is secret; it can be stored.
///
/// ```
/// use registry_transport::Challenge;
///
/// let line = br#"Bearer realm="https://auth.example.com/token",service="registry", Basic realm="x""#;
/// let challenges = Challenge::parse_all([line.as_slice()]);
/// assert_eq!(challenges.iter().map(Challenge::scheme).collect::<Vec<_>>(), ["bearer", "basic"]);
/// assert_eq!(challenges[0].realm(), Some("https://auth.example.com/token"));
/// assert_eq!(challenges[0].parameter("Service"), Some("registry"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
    insecure: bool,
}

/// A header line longer than this is not read.
const LONGEST_LINE: usize = 16 << 10;

impl Challenge {
    /// The scheme, in lower case: `bearer`, `basic`, `negotiate`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A parameter's value; names are compared without regard to case. An empty value is as good as none.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// Where tokens are had, for `bearer`.
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// All parameters, in their order, with their names in lower case.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it came without TLS.
    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// As it is meant where it came from: a realm may be relative to the URL that was challenged. One that is no URL stays
    /// as it is.
    pub(crate) fn at(mut self, url: &Url) -> Self {
        self.insecure = url.scheme() == "http";
        if self.scheme == "bearer" {
            let realm = self.parameters.iter_mut().find(|(name, _)| name == "realm");
            if let Some((_, realm)) = realm.filter(|(_, realm)| !realm.is_empty())
                && let Ok(absolute) = url.join(realm)
            {
                *realm = absolute.into();
            }
        }
        self
    }

    /// What of it holds for later requests too; `None` where that is not known.
    #[cfg(feature = "token-cache")]
    pub(crate) fn essence(&self) -> Option<Self> {
        let lasting: &[&str] = match self.scheme.as_str() {
            "bearer" => &["realm", "service"],
            "basic" => &[],
            _ => return None,
        };
        let mut essence = self.clone();
        essence.parameters.retain(|(name, _)| lasting.contains(&name.as_str()));
        Some(essence)
    }

    /// Every challenge in these header lines, in their order. What cannot be read is left out.
    pub fn parse_all<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<Self> {
        let mut challenges = Vec::new();
        for line in lines {
            if line.len() <= LONGEST_LINE {
                parse_line(&String::from_utf8_lossy(line), &mut challenges);
            }
        }
        challenges
    }

    /// The one to answer: Bearer with a realm, then Basic, then none.
    pub(crate) fn best(challenges: &[Self]) -> Option<&Self> {
        let bearer = |it: &&Self| it.scheme == "bearer" && it.realm().is_some();
        let basic = |it: &&Self| it.scheme == "basic";
        challenges.iter().find(bearer).or_else(|| challenges.iter().find(basic))
    }
}

/// Reads one line, up to the first thing that is no challenge.
fn parse_line(line: &str, challenges: &mut Vec<Challenge>) {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((scheme, after)) = token(rest) else { return };
        if !(after.is_empty() || after.starts_with([' ', '\t', ','])) {
            return;
        }
        let mut challenge = Challenge {
            scheme: scheme.to_ascii_lowercase(),
            parameters: Vec::new(),
            insecure: false,
        };
        let end = parameters(after, &mut challenge.parameters);
        if end != End::Ambiguous {
            challenges.push(challenge);
        }
        match end {
            End::NextChallenge(next) => rest = next,
            End::Line | End::Ambiguous => return,
        }
    }
}

/// How a challenge's parameters ended.
#[derive(PartialEq, Eq)]
enum End<'a> {
    /// Another challenge begins here.
    NextChallenge(&'a str),
    /// With the line, or with something that is no parameter.
    Line,
    /// In an unterminated string, or after a parameter that was there before.
    Ambiguous,
}

fn parameters<'a>(text: &'a str, parameters: &mut Vec<(String, String)>) -> End<'a> {
    // `Negotiate dG9rZW4=`: a token68 stands in place of all parameters.
    let mut rest = token68(text).unwrap_or(text);
    loop {
        let next = rest.trim_start_matches([' ', '\t', ',']);
        let separated = rest.trim_start().starts_with(',');
        let Some((name, after)) = token(next) else { return End::Line };
        let Some(value) = after.trim_start().strip_prefix('=') else {
            return if separated { End::NextChallenge(next) } else { End::Line };
        };
        let value = value.trim_start();
        let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
            let Some(read) = quoted_string(quoted) else { return End::Ambiguous };
            read
        } else {
            // A URL without quotes is no token, and is there all the same.
            let (value, after) = value.split_at(value.find(',').unwrap_or(value.len()));
            (value.trim().to_owned(), after)
        };
        let known = parameters.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if known || value.chars().any(char::is_control) {
            return End::Ambiguous;
        }
        parameters.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
}

/// RFC 9110, section 5.6.2.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_tchar(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What follows a token68 that is alone up to the next comma.
fn token68(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let is_char = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let rest = text.trim_start_matches(is_char);
    if rest.len() == text.len() {
        return None;
    }
    let rest = rest.trim_start_matches('=').trim_start();
    (rest.is_empty() || rest.starts_with(',')).then_some(rest)
}

/// The content of a quoted string whose opening quote is gone, unescaped, and what follows it.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests;
