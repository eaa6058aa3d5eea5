//! Why a name was refused: which component, which byte, what to write instead.

use std::borrow::Cow;
use std::fmt;

/// A name that does not follow the grammar.
///
/// `Display` is one line without the hint; [`caret`](Self::caret) draws where the input went wrong.
///
/// ```
/// use registry_name::{Component, Reference};
///
/// let error = "ghcr.io/Acme/app:v1".parse::<Reference>().unwrap_err();
/// assert_eq!(error.component(), Component::Repository);
/// assert_eq!(error.offset(), 8);
/// assert_eq!(error.caret(), "ghcr.io/Acme/app:v1\n        ^");
/// assert_eq!(error.hint(), Some("repository names are lower-case: write \"acme/app\""));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ParseError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    input: String,
    component: Component,
    offset: usize,
    reason: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
}

/// The part of a name that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// The input as a whole.
    Reference,
    /// The registry's host.
    Registry,
    /// The registry's port.
    Port,
    /// The path of the repository at its registry.
    Repository,
    /// The tag.
    Tag,
    /// The digest.
    Digest,
    /// The algorithm of a digest: well written, but not one that is supported.
    Algorithm,
}

impl ParseError {
    /// The part of the name that is wrong.
    pub fn component(&self) -> Component {
        self.0.component
    }

    /// Where it is wrong: bytes from the start of [`input`](Self::input), its length for "something is
    /// missing at the end". Always on a character boundary.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// What is wrong there, as a phrase without a full stop.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What was probably meant.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The text that was refused. A password in front of an `@` (`user:password@host/…`) is replaced by
    /// asterisks, byte for byte.
    pub fn input(&self) -> &str {
        &self.0.input
    }

    /// Two lines: the input and a caret under the byte that is wrong.
    ///
    /// Control characters are drawn as `?`, and of a long input only the neighbourhood is shown, so that
    /// the caret stays where it belongs on a terminal of 80 columns.
    pub fn caret(&self) -> String {
        const BEFORE: usize = 56;
        const WIDTH: usize = 72;
        let input = self.0.input.as_str();
        let column = input[..self.0.offset].chars().count();
        let skip = column.saturating_sub(BEFORE);
        let mut drawing = String::with_capacity(2 * WIDTH + 8);
        if skip > 0 {
            drawing.push('…');
        }
        let mut rest = input.chars().skip(skip);
        drawing.extend(rest.by_ref().take(WIDTH).map(printable));
        if rest.next().is_some() {
            drawing.push('…');
        }
        drawing.push('\n');
        drawing.extend(std::iter::repeat_n(' ', column - skip + usize::from(skip > 0)));
        drawing.push('^');
        drawing
    }
}

/// `c`, if it takes one column on a terminal and does nothing else there.
fn printable(c: char) -> char {
    if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() { c } else { '?' }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { input, component, offset, reason, .. } = &*self.0;
        write!(f, "invalid {component} in {} at byte {offset}: {reason}", Quoted(input))
    }
}

impl fmt::Debug for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { input, component, offset, reason, hint } = &*self.0;
        f.debug_struct("ParseError")
            .field("input", input)
            .field("component", component)
            .field("offset", offset)
            .field("reason", reason)
            .field("hint", hint)
            .finish()
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Registry => "registry",
            Self::Port => "port",
            Self::Repository => "repository",
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Algorithm => "digest algorithm",
        })
    }
}

/// The text as it may be shown: whoever pastes `user:password@host/name` should not find the
/// password in a log. It is replaced by asterisks, byte for byte.
///
/// ```
/// # use registry_name::without_password;
/// assert_eq!(without_password("https://me:secret@ghcr.io/a"), "https://me:******@ghcr.io/a");
/// assert_eq!(without_password("ghcr.io/a:v1@sha256:2cf2"), "ghcr.io/a:v1@sha256:2cf2");
/// ```
pub fn without_password(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_owned() };
    let scheme = before.find("://").map_or(0, |colon| colon + 3);
    let Some(colon) = before[scheme..].find(':') else { return text.to_owned() };
    let is_name = is_like_a_digest(after) || starts_like_a_name(before);
    if scheme == 0 && !after.contains('/') && is_name {
        return text.to_owned();
    }
    let start = scheme + colon + 1;
    format!("{}{}@{after}", &before[..start], "*".repeat(before.len() - start))
}

/// Text in quotes, control characters escaped, cut where it is too long for one line.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 160;
        if self.0.len() <= LONGEST {
            return write!(f, "{:?}", self.0);
        }
        let cut = self.0.char_indices().map(|(at, _)| at).take_while(|&at| at <= LONGEST).last();
        write!(f, "{:?}…", &self.0[..cut.unwrap_or_default()])
    }
}

/// What a scanner found, `at` bytes into the text that it was given.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) component: Component,
    pub(crate) at: usize,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) hint: Option<Cow<'static, str>>,
}

impl Fault {
    pub(crate) fn new(
        component: Component,
        at: usize,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { component, at, reason: reason.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault, seen from `by` bytes further left.
    pub(crate) fn shift(mut self, by: usize) -> Self {
        self.at += by;
        self
    }

    pub(crate) fn of(self, input: &str) -> ParseError {
        ParseError(Box::new(Inner {
            input: without_password(input),
            component: self.component,
            offset: self.at,
            reason: self.reason,
            hint: self.hint,
        }))
    }
}

/// Whether this is more of a digest than of a host.
fn is_like_a_digest(text: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let host = text.starts_with('[') || text.rsplit_once(':').is_some_and(|(_, end)| is_port(end));
    let sha = text.strip_prefix("sha").is_some_and(numbered);
    text.is_empty() || sha || (text.contains(':') && !host)
}

/// `app/…` or `host:5000/…`, where a user would have a password behind the colon.
fn starts_like_a_name(text: &str) -> bool {
    let Some((first, _)) = text.split_once('/') else { return false };
    first.split_once(':').is_none_or(|(_, port)| is_port(port))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}
