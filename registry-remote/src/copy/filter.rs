//! Which tags of a repository are copied.

use std::{fmt, str::FromStr};

use registry_name::Tag;

use super::Wanted;
use crate::{Error, Source};

/// Chooses tags by patterns. An empty filter chooses all.
///
/// ```
/// # use registry_remote::copy::TagFilter;
/// let filter = TagFilter { include: vec!["v1.*".parse()?], exclude: vec!["*-rc?".parse()?] };
/// assert!(filter.matches(&"v1.2".parse()?));
/// assert!(!filter.matches(&"v1.2-rc1".parse()?));
/// assert!(!filter.matches(&"latest".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// A tag must match one of these, if there are any.
    pub include: Vec<TagPattern>,
    /// A tag must match none of these.
    pub exclude: Vec<TagPattern>,
}

/// A pattern of tags: `*` stands for any text, `?` for one character, anything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagPattern(String);

/// A text that is no pattern of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a pattern of tags: expected the characters of a tag, `*` and `?`")]
pub struct PatternError {
    text: String,
}

impl TagFilter {
    /// Whether a tag is chosen.
    pub fn matches(&self, tag: &Tag) -> bool {
        let any = |patterns: &[TagPattern]| patterns.iter().any(|pattern| pattern.matches(tag));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// The tags of a source that are chosen, each to be copied under its own name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where no tag is chosen, [`Error::Unsupported`] where the source has
    /// no list of tags.
    pub async fn choose(&self, source: &dyn Source) -> Result<Vec<Wanted>, Error> {
        let tags = source.list_tags().await?.ok_or_else(|| unlisted(source))?;
        let chosen: Vec<_> = tags.iter().filter(|tag| self.matches(tag)).map(Wanted::tag).collect();
        if chosen.is_empty() {
            let what = format!("tag that was asked for, of {} tags", tags.len());
            return Err(Error::NotFound { location: source.location(), what });
        }
        Ok(chosen)
    }
}

impl TagPattern {
    fn matches(&self, tag: &Tag) -> bool {
        matches(self.0.as_bytes(), tag.as_str().as_bytes())
    }
}

impl FromStr for TagPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-*?".contains(&b);
        if text.is_empty() || !text.bytes().all(fits) {
            return Err(PatternError { text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn unlisted(source: &dyn Source) -> Error {
    Error::Unsupported { what: format!("{} does not list tags", source.location()) }
}

/// In time linear in the text for each star: only the last star is ever tried again.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                (p, t) = (after, from + 1);
                star = Some((after, from + 1));
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_tags() {
        for (pattern, text, expected) in [
            ("*", "latest", true),
            ("v1", "v1", true),
            ("v1", "v1.0", false),
            ("v?.*", "v1.2.3", true),
            ("v?.*", "v12.3", false),
            ("*-rc*", "v1-rc1", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("?", "", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        let stars = "a*".repeat(60);
        assert!(!matches(stars.as_bytes(), "a".repeat(59).as_bytes()));
    }

    #[test]
    fn what_no_tag_can_hold_is_no_pattern() {
        for text in ["", "a/b", "[ab]", "^v", "a b", "ü"] {
            assert!(text.parse::<TagPattern>().is_err(), "{text:?}");
        }
    }
}
