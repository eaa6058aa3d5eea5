//! A source of credentials that is broken.

use std::borrow::Cow;
use std::fmt;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A source of credentials that should have answered and could not.
///
/// `Display` names the source, [`source`](std::error::Error::source) the cause, [`hint`](Self::hint) a
/// way to go on. None of them holds anything that the source said, which may be a secret.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    origin: String,
    what: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    cause: Option<Cause>,
}

/// What kind of source is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A config file as a whole: unreadable, too large, not JSON.
    File,
    /// One entry of a config file.
    Entry,
    /// A credential helper that is not installed.
    HelperMissing,
    /// A credential helper that failed.
    Helper,
    /// A credential helper that did not answer in time.
    HelperTimeout,
    /// A name that must not be handed to a credential helper, or run as one.
    Input,
    /// A source of another kind.
    Other,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        origin: impl Into<String>,
        what: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            origin: origin.into(),
            what: what.into(),
            hint: None,
            cause: None,
        }))
    }

    pub(crate) fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// A source of your own that is broken, for a [`Keychain`](crate::Keychain) of your own.
    pub fn source_failed(
        origin: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(ErrorKind::Other, origin, "cannot give a credential").because(cause)
    }

    /// What kind of source is broken.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Which source: a file, a variable, a helper's program.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// How to go on.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.origin, self.0.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}
