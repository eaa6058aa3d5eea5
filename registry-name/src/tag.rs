//! Tags.

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;
use crate::scan;

/// A name that a repository gives to one of its manifests, and may give to another one tomorrow.
///
/// A letter, digit or `_`, followed by up to 127 letters, digits, `_`, `.` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub(crate) String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scan::tag(text).map_err(|fault| fault.of(text))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
