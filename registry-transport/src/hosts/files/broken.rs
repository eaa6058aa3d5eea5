//! A configuration file that cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// A configuration file that is there and cannot be used. Nothing is guessed in its place.
///
/// `Display` names the file, the line where there is one, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    file: PathBuf,
    line: Option<u32>,
    what: String,
}

impl BrokenFile {
    pub(super) fn new(file: &Path, line: Option<u32>, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }

    /// The file, or the directory.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for BrokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for BrokenFile {}

impl From<BrokenFile> for Error {
    fn from(broken: BrokenFile) -> Self {
        Self::new(ErrorKind::Config, "the configuration of registries is broken")
            .with_hint(format!("correct {}, or go on without it", broken.file.display()))
            .with_cause(broken)
    }
}
