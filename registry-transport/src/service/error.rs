//! What can go wrong between the client and one server, by what it means for a resend.

use std::fmt;

use crate::error::Cause;

/// A request that got no answer, or an answer that broke off.
#[derive(Clone)]
pub struct HttpError {
    kind: HttpErrorKind,
    cause: Option<Cause>,
    hint: Option<&'static str>,
}

/// What happened, by what it means for a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// The host name does not exist. Not retried.
    NoSuchHost,
    /// The resolver failed or took too long. Retried.
    Resolve,
    /// The connection was refused. Retried twice, quickly.
    ConnectionRefused,
    /// No connection in time, no route, or it broke while it was set up. Retried.
    Connect,
    /// The TLS handshake failed. Never retried.
    Tls,
    /// A name that a server chose leads to a private address; nothing was sent. Not retried.
    PrivateAddress,
    /// A proxy refused. Not retried.
    Proxy,
    /// The server cannot have processed it (a connection found dead, `GOAWAY`, `REFUSED_STREAM`). Retried, any method.
    Unprocessed,
    /// The server wants fewer requests (`ENHANCE_YOUR_CALM`, RFC 9113, section 7). Retried slowly if the request may be replayed.
    Throttled,
    /// The server wants HTTP/1.1 (`HTTP_1_1_REQUIRED`, RFC 9113, section 7). Retried once, any method; the built-in service asks it
    /// that way from then on.
    Http1Required,
    /// The connection broke after the request went out and before an answer. Retried if the request may be replayed.
    NoAnswer,
    /// The answer broke off in its body. The caller resumes or starts again.
    Interrupted,
    /// The other side does not speak HTTP, or wrongly. Not retried.
    Protocol,
    /// The request body failed on our side. Not retried.
    RequestBody,
    /// This client cannot send such a request (for instance `https` without TLS support). Not retried.
    Unsupported,
}

impl HttpError {
    /// A failure of this kind.
    pub fn new(kind: HttpErrorKind) -> Self {
        Self { kind, cause: None, hint: None }
    }

    /// The same with what caused it. Its text must hold no secret, so no unredacted URL.
    #[must_use]
    pub fn with_cause(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.cause = Some(Cause::from(cause.into()));
        self
    }

    /// The same with what can be done about it.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// What happened.
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }
}

impl fmt::Display for HttpErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchHost => "no such host",
            Self::Resolve => "the host name could not be resolved",
            Self::ConnectionRefused => "connection refused",
            Self::Connect => "no connection",
            Self::Tls => "the TLS handshake failed",
            Self::PrivateAddress => "the host name leads to a private address",
            Self::Proxy => "the proxy refused",
            Self::Unprocessed => "the server closed the connection before it read the request",
            Self::Throttled => "the server wants fewer requests",
            Self::Http1Required => "the server wants HTTP/1.1",
            Self::NoAnswer => "the connection broke before an answer came",
            Self::Interrupted => "the answer broke off",
            Self::Protocol => "the answer is not HTTP",
            Self::RequestBody => "the body to send failed",
            Self::Unsupported => "this client cannot send such a request",
        })
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpError")
            .field("kind", &self.kind)
            .field("cause", &self.cause.as_ref().map(ToString::to_string))
            .field("hint", &self.hint)
            .finish()
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
