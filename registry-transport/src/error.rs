//! What went wrong: what was attempted, on what, how often, what the other side said, and what to do next.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use registry_name::Registry;
use url::Url;

use crate::diagnostic::Diagnostic;
use crate::origin::Origin;
use crate::redact::RedactedUrl;
use crate::request::Replay;
use crate::retry::Class;
use crate::text::sanitise;

/// A failed request. `Display` is one line and holds no secret; the cause is in [`source`](std::error::Error::source).
#[derive(Clone)]
pub struct Error(Box<Inner>);

pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    what: String,
    method: Option<Method>,
    url: Option<RedactedUrl>,
    origin: Option<Origin>,
    status: Option<StatusCode>,
    diagnostics: Vec<Diagnostic>,
    hint: Option<String>,
    class: Class,
    /// Where it did not happen to the request itself, what holds for the one that failed.
    replay: Option<Replay>,
    retry_after: Option<Duration>,
    retry_at: Option<SystemTime>,
    history: History,
    cause: Option<Cause>,
    untrusted_realm: Option<(Registry, String)>,
    tried: Vec<Error>,
}

#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) first: Option<Error>,
    /// Whether one before the last may have been processed.
    pub(crate) doubtful: bool,
}

/// What kind of failure it is: enough to choose an exit code or the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 404 or 410: there is no such thing, or it is not shown to this caller.
    NotFound,
    /// 401 although a credential or token was accepted before.
    Unauthorized,
    /// 401 without a challenge that this client can answer.
    NoChallenge,
    /// The token endpoint refused the credential.
    TokenRefused,
    /// 403: known and not allowed.
    Denied,
    /// Too many requests, and the wait is longer than allowed; see [`Error::retry_at`].
    RateLimited,
    /// 409 or 412: somebody else's change is in the way, or the registry does not allow this change.
    Conflict,
    /// 405 or 501: the registry does not offer this operation.
    Unsupported,
    /// 413, or a body over the cap that the caller set.
    TooLarge,
    /// 416: the range does not exist.
    Range,
    /// 400, 422 and their like: the registry understood and does not accept it.
    Rejected,
    /// The registry fails (5xx), and kept failing.
    Unavailable,
    /// A status that was not expected and has no kind of its own.
    UnexpectedStatus,
    /// No connection, or it broke before an answer: name resolution, refused, unreachable, reset.
    Network,
    /// The TLS handshake or the certificate failed. Never retried.
    Tls,
    /// The other side does not speak HTTP as it should.
    Protocol,
    /// The origin rule forbids the next step; nothing was sent.
    Refused,
    /// Nothing happened for too long.
    Timeout,
    /// Bytes come, but slower than the floor.
    TooSlow,
    /// The answer broke off in its body.
    Interrupted,
    /// The body to send could not be read, or was not as long as announced.
    Body,
    /// A credential could not be had: keychain, configuration file, helper.
    Credential,
    /// The request or the transport is set up in a way that cannot work.
    Config,
    /// The caller wanted no more of it ([`Cancellation`](crate::Cancellation)).
    Cancelled,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The status of the last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What the registry said about it, in its own codes and words.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0.diagnostics
    }

    /// The method of the request.
    pub fn method(&self) -> Option<&Method> {
        self.0.method.as_ref()
    }

    /// The URL that failed, fit to be printed.
    pub fn url(&self) -> Option<&RedactedUrl> {
        self.0.url.as_ref()
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.0.class, Class::Permanent)
    }

    /// Whether the server may have done what was asked, this time or before: to be found out before it is asked again.
    pub fn is_doubtful(&self) -> bool {
        self.0.history.doubtful || (self.0.class.is_doubtful() && self.0.replay.is_none())
    }

    /// The time before which the server does not want to be asked again.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.retry_at
    }

    /// How many times the request was sent; a resend after a challenge or a redirect does not count.
    pub fn attempts(&self) -> u32 {
        self.0.history.attempts
    }

    /// From the first attempt to the failure, waits included.
    pub fn elapsed(&self) -> Duration {
        self.0.history.elapsed
    }

    /// How the first attempt failed, when there were several.
    pub fn first_failure(&self) -> Option<&Error> {
        self.0.history.first.as_ref()
    }

    /// How the mirrors failed that were asked before, in the order in which they were asked.
    pub fn tried(&self) -> &[Error] {
        &self.0.tried
    }

    /// What the caller can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or(match self.0.kind {
            ErrorKind::NotFound if self.0.status.is_some() => {
                Some("a registry also answers this for a private repository; log in if it is one")
            }
            ErrorKind::Unauthorized | ErrorKind::Denied | ErrorKind::NoChallenge => {
                Some("log in to the registry, or check that the account may do this")
            }
            ErrorKind::TokenRefused => Some("check the user name and password, or log in again"),
            ErrorKind::Unavailable | ErrorKind::Network | ErrorKind::Timeout => {
                Some("check the host name, the port and the network, or try again later")
            }
            _ => None,
        })
    }

    /// The registry whose credential was kept from its token endpoint, and that endpoint's host: to be
    /// [trusted](crate::Hosts::trust_realm), if it is meant to have it.
    pub fn untrusted_realm(&self) -> Option<(&Registry, &str)> {
        self.0.untrusted_realm.as_ref().map(|(registry, host)| (registry, host.as_str()))
    }

    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            what: what.into(),
            method: None,
            url: None,
            origin: None,
            status: None,
            diagnostics: Vec::new(),
            hint: None,
            class: Class::Permanent,
            replay: None,
            retry_after: None,
            retry_at: None,
            history: History::default(),
            cause: None,
            untrusted_realm: None,
            tried: Vec::new(),
        }))
    }

    pub(crate) fn cancelled(method: &Method, url: &Url) -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled").with_request(method, url)
    }

    /// The server that failed.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    pub(crate) fn class(&self) -> Class {
        self.0.class
    }

    pub(crate) fn replay(&self) -> Option<Replay> {
        self.0.replay
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// This failure was about to be waited out when the caller wanted no more of it.
    pub(crate) fn into_cancelled(self) -> Self {
        let mut cancelled = Self::new(ErrorKind::Cancelled, "cancelled while waiting to go on");
        (cancelled.0.method, cancelled.0.url) = (self.0.method.clone(), self.0.url.clone());
        cancelled.with_cause(self)
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn at_token_endpoint(mut self) -> Self {
        self.0.what = format!("token endpoint: {}", self.0.what);
        self.0.replay = Some(Replay::Twice);
        self
    }

    pub(crate) fn with_request(mut self, method: &Method, url: &Url) -> Self {
        self.0.method = Some(method.clone());
        self.0.url = Some(url.into());
        self.0.origin = Origin::of(url);
        self
    }

    pub(crate) fn with_cause(
        mut self,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.0.cause = Some(Arc::new(cause));
        self
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn with_boxed_cause(
        mut self,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> Self {
        self.0.cause = Some(Arc::from(cause));
        self
    }

    pub(crate) fn with_class(mut self, class: Class) -> Self {
        self.0.class = class;
        self
    }

    pub(crate) fn with_untrusted_realm(mut self, registry: &Registry, host: &str) -> Self {
        self.0.hint = Some(format!(
            "the credential for {registry} was not sent to its token endpoint at {host}; \
             trust that host as a token realm to allow it"
        ));
        self.0.untrusted_realm = Some((registry.clone(), host.to_owned()));
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_answer(mut self, status: StatusCode, diagnostics: Vec<Diagnostic>) -> Self {
        self.0.status = Some(status);
        self.0.diagnostics = diagnostics;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_retry_at(mut self, retry_at: SystemTime) -> Self {
        self.0.retry_at = Some(retry_at);
        self
    }

    pub(crate) fn with_tried(mut self, tried: Vec<Self>) -> Self {
        self.0.tried = tried;
        self
    }

    pub(crate) fn with_history(mut self, history: History) -> Self {
        self.0.history = history;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { what, method, url, diagnostics, tried, .. } = &*self.0;
        let (attempts, elapsed) = (self.attempts(), self.elapsed());
        if let (Some(method), Some(url)) = (method, url) {
            write!(f, "{method} {url}: ")?;
        }
        f.write_str(what)?;
        for (n, diagnostic) in diagnostics.iter().take(5).enumerate() {
            write!(f, "{}{diagnostic}", if n == 0 { ": " } else { "; " })?;
        }
        if attempts > 1 {
            write!(f, " ({attempts} attempts in {:.1} s)", elapsed.as_secs_f64())?;
        }
        for (n, error) in tried.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "; mirrors before: " } else { "; " })?;
            let causes =
                std::iter::successors(std::error::Error::source(error), |cause| cause.source());
            if let Some(root) = causes.last() {
                write!(f, " ({root})")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("message", &self.to_string())
            .field("cause", &self.0.cause.as_ref().map(ToString::to_string))
            .field("hint", &self.hint())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// The words for an answer that is an error: the status, and the body's text when it is no error document.
pub(crate) fn describe_status(
    status: StatusCode,
    diagnostics: &[Diagnostic],
    body: &[u8],
) -> String {
    let mut what = status.as_u16().to_string();
    if let Some(reason) = status.canonical_reason() {
        what = format!("{what} {reason}");
    }
    let text = String::from_utf8_lossy(body);
    if diagnostics.is_empty() && !text.trim().is_empty() && !text.trim_start().starts_with('<') {
        what = format!("{what}: {}", sanitise(&text, 300));
    }
    what
}

pub(crate) fn kind_of_status(status: StatusCode, class: Class) -> ErrorKind {
    if class == Class::Throttled && status.as_u16() != 503 {
        return ErrorKind::RateLimited;
    }
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        409 | 412 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        416 => ErrorKind::Range,
        400 | 402 | 406 | 411 | 414 | 415 | 422 | 428 | 431 | 451 => ErrorKind::Rejected,
        408 | 421 | 425 | 499 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::UnexpectedStatus,
    }
}
