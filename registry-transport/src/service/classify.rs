//! What an error of reqwest means for a resend. Its own predicates do not tell; the chain of causes does.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::body::BodyError;
use super::resolve::ResolveError;
use super::{HttpError, HttpErrorKind};

/// A request that got no answer.
pub(crate) fn request_error(error: reqwest::Error, through_proxy: bool) -> HttpError {
    let hint = hint(&error);
    let failure = match request_kind(&error) {
        // Nobody else is asked for the connection then.
        HttpErrorKind::ConnectionRefused | HttpErrorKind::NoSuchHost if through_proxy => {
            HttpError::new(HttpErrorKind::Proxy).with_cause(root(error))
        }
        // Its cause says nothing else.
        kind @ HttpErrorKind::ConnectionRefused => HttpError::new(kind),
        kind => HttpError::new(kind).with_cause(root(error)),
    };
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

pub(crate) const PROXY_LOGIN: &str =
    "the proxy wants a login: give its URL a user name and a password";

/// What can be done about a failure that says more than its kind.
fn hint(error: &reqwest::Error) -> Option<&'static str> {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    if text.contains("proxy authorization required") {
        return Some(PROXY_LOGIN);
    }
    causes(error).find_map(tls_failure).and_then(tls_hint)
}

#[cfg(feature = "rustls")]
fn tls_hint(failure: &(dyn StdError + 'static)) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
    Some(match failure.downcast_ref()? {
        Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the server's certificate has run out, or this machine's clock is wrong; it has to be renewed there"
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the server's certificate is for a later time; check this machine's clock"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the server's certificate is for other names; ask for it under one of them"
            }
            Bad::UnknownIssuer => {
                "nobody trusted here vouches for the server's certificate; if its CA is private, configure it for this host"
            }
            Bad::Revoked => "the server's certificate was revoked; it must not be trusted",
            _ => "the server's certificate cannot be trusted; it has to be replaced there",
        },
        Error::AlertReceived(Alert::CertificateRequired) => {
            "the server wants a client certificate: configure one for this host"
        }
        Error::AlertReceived(
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => "the server does not accept the client certificate that is configured for it",
        Error::AlertReceived(Alert::ProtocolVersion) | Error::PeerIncompatible(_) => {
            "the server only speaks versions of TLS that are no longer safe; it has to offer 1.2 or later"
        }
        _ => return None,
    })
}

#[cfg(not(feature = "rustls"))]
fn tls_hint(_: &(dyn StdError + 'static)) -> Option<&'static str> {
    None
}

/// A body that broke off.
pub(crate) fn body_error(error: reqwest::Error) -> HttpError {
    let wrong = causes(&error).any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|cause| {
            matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
                && tls_failure(cause).is_none()
        })
    });
    let wrong =
        wrong || causes(&error).any(|cause| h2_kind(cause) == Some(HttpErrorKind::Protocol));
    let kind = if wrong { HttpErrorKind::Protocol } else { HttpErrorKind::Interrupted };
    HttpError::new(kind).with_cause(root(error))
}

fn request_kind(error: &reqwest::Error) -> HttpErrorKind {
    use HttpErrorKind as Kind;
    for cause in causes(error) {
        if let Some(resolve) = cause.downcast_ref::<ResolveError>() {
            return match resolve {
                ResolveError::NoSuchHost(_) => Kind::NoSuchHost,
                ResolveError::Temporary(_) => Kind::Resolve,
                ResolveError::Private => Kind::PrivateAddress,
            };
        }
        if cause.is::<BodyError>() {
            return Kind::RequestBody;
        }
        if tls_failure(cause).is_some() {
            return Kind::Tls;
        }
        if let Some(kind) = h2_kind(cause) {
            return kind;
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            if hyper.is_parse() {
                return Kind::Protocol;
            }
            if hyper.is_canceled() || hyper.is_closed() {
                return Kind::Unprocessed;
            }
        }
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if io == Some(io::ErrorKind::ConnectionRefused) {
            return Kind::ConnectionRefused;
        }
    }
    if error.is_connect() {
        let text = causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
        // hyper-util's proxy errors have no public type.
        return if text.contains("tunnel") || text.contains("proxy") {
            Kind::Proxy
        } else {
            Kind::Connect
        };
    }
    if error.is_builder() { Kind::Unsupported } else { Kind::NoAnswer }
}

/// All causes, the error itself first. An `io::Error` passes on the source of what it wraps and not the wrapped error.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let next = |error: &&'a (dyn StdError + 'static)| -> Option<&'a (dyn StdError + 'static)> {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    };
    std::iter::successors(Some(error), next)
}

#[cfg(feature = "rustls")]
fn tls_failure<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    causes(cause).find(|cause| cause.is::<rustls::Error>())
}

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn tls_failure<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    causes(cause).find(|cause| cause.is::<native_tls::Error>())
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn tls_failure<'a>(_: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    None
}

#[cfg(feature = "http2")]
fn h2_kind(cause: &(dyn StdError + 'static)) -> Option<HttpErrorKind> {
    use HttpErrorKind as Kind;
    use h2::Reason;
    let error = cause.downcast_ref::<h2::Error>()?;
    let kind = match error.reason()? {
        // The other side broke a rule, and was told so.
        reason if error.is_library() && reason != Reason::NO_ERROR => Kind::Protocol,
        _ if !error.is_remote() => Kind::NoAnswer,
        // RFC 9113, sections 6.8 and 8.7: such a stream was not acted on.
        Reason::NO_ERROR if error.is_go_away() => Kind::Unprocessed,
        Reason::REFUSED_STREAM if error.is_reset() => Kind::Unprocessed,
        // Section 7.
        Reason::ENHANCE_YOUR_CALM => Kind::Throttled,
        Reason::HTTP_1_1_REQUIRED => Kind::Http1Required,
        _ => Kind::NoAnswer,
    };
    Some(kind)
}

#[cfg(not(feature = "http2"))]
fn h2_kind(_: &(dyn StdError + 'static)) -> Option<HttpErrorKind> {
    None
}

/// What an error of reqwest comes down to: all above only says that a request failed.
#[derive(Debug)]
struct Root(reqwest::Error);

/// Without its URL, which may hold a signed query.
fn root(error: reqwest::Error) -> Root {
    Root(error.without_url())
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        causes(&self.0).last().map_or(Ok(()), |last| write!(f, "{last}"))
    }
}

impl StdError for Root {}
