//! Whether to try again, and when: pure decisions. The loop that acts on them is in `transport`.

mod after;
mod policy;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use http::StatusCode;

pub use self::after::retry_after;
pub use self::policy::RetryPolicy;
use crate::diagnostic::{Diagnostic, ErrorCode};
use crate::request::Replay;
use crate::service::HttpErrorKind;

/// What a failure means for a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Trying again changes nothing.
    Permanent,
    /// It may work in a moment, and the request was not processed.
    Transient,
    /// It may work in a moment; the request may have been processed.
    Ambiguous,
    /// It may work in a moment, and nobody said what came of the request.
    Unknown,
    /// The server asks for patience.
    Throttled,
    /// The server asks for patience; the request may have been processed.
    Overloaded,
    /// Worth one more try; the request may have been processed.
    Once,
    /// Worth one more try: the server did not want it in this way, and did not process it.
    Misplaced,
    /// Nothing listens there; perhaps it restarts.
    Refused,
    /// The server did not process it: any method may go again.
    Unprocessed,
    /// Sent, and no answer: an idle connection that was closed, or a crash.
    NoAnswer,
}

impl Class {
    /// Whether the request may have been processed.
    pub(crate) fn is_doubtful(self) -> bool {
        self.is_unknown() || matches!(self, Self::Ambiguous | Self::Once)
    }

    /// Whether it may have been, and no answer denies it.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown | Self::NoAnswer | Self::Overloaded)
    }

    /// Whether the server asks for patience.
    pub(crate) fn is_throttled(self) -> bool {
        matches!(self, Self::Throttled | Self::Overloaded)
    }
}

/// The class of a status. Error codes refine it: they make a failure permanent or throttled, never a success.
pub(crate) fn class_of_status(
    status: StatusCode,
    diagnostics: &[Diagnostic],
    has_retry_after: bool,
) -> Class {
    use ErrorCode as Code;
    let says = |code: &Code| diagnostics.iter().any(|diagnostic| diagnostic.code == *code);
    if (status.is_client_error() || status.is_server_error()) && says(&Code::TooManyRequests) {
        return Class::Throttled;
    }
    let permanent = [
        Code::NameUnknown,
        Code::NameInvalid,
        Code::Denied,
        Code::ManifestInvalid,
        Code::DigestInvalid,
        Code::Unsupported,
    ];
    if permanent.iter().any(says) {
        return Class::Permanent;
    }
    match status.as_u16() {
        429 => Class::Throttled,
        503 if has_retry_after => Class::Throttled,
        503 => Class::Transient,
        408 | 499 | 500 | 502 | 504 | 520..=524 | 527 | 529 | 530 => Class::Ambiguous,
        501 | 505..=508 | 510 | 511 => Class::Permanent,
        421 | 425 => Class::Misplaced,
        500..=599 => Class::Once,
        _ => Class::Permanent,
    }
}

/// The class of a failure without an answer.
pub(crate) fn class_of_transport(kind: HttpErrorKind) -> Class {
    use HttpErrorKind as Kind;
    match kind {
        Kind::Resolve | Kind::Connect => Class::Transient,
        Kind::ConnectionRefused => Class::Refused,
        Kind::Unprocessed => Class::Unprocessed,
        Kind::Throttled => Class::Overloaded,
        Kind::Http1Required => Class::Misplaced,
        Kind::NoAnswer | Kind::Interrupted => Class::NoAnswer,
        Kind::NoSuchHost
        | Kind::Tls
        | Kind::PrivateAddress
        | Kind::Proxy
        | Kind::Protocol
        | Kind::RequestBody
        | Kind::Unsupported => Class::Permanent,
    }
}

/// What an operation has used up so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Resends that were charged.
    pub(crate) retries: u32,
    /// Of those, after a refused connection.
    pub(crate) refused: u32,
    /// Of those, after something worth one more try.
    pub(crate) once: u32,
    /// Resends that were free.
    pub(crate) free: u32,
    /// Resends, free or not, although nobody said what came of the request.
    pub(crate) unknown: u32,
    /// Since the first failure.
    pub(crate) elapsed: Duration,
}

impl Spent {
    /// Charges a resend after a failure of `class`.
    pub(crate) fn charge(&mut self, class: Class, next: Next) {
        self.unknown += u32::from(class.is_unknown());
        if next == Next::Free {
            self.free += 1;
            return;
        }
        self.retries += 1;
        self.refused += u32::from(class == Class::Refused);
        self.once += u32::from(matches!(class, Class::Once | Class::Misplaced));
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send it again at once; this is not charged.
    Free,
    /// Send it again after this wait.
    After(Duration),
    /// The server wants a longer wait than allowed: fail now, and say until when.
    Later(Duration),
    /// Fail now.
    Stop,
}

/// Decides what to do after a failure of `class`. `jitter` is uniform in `0.0..1.0`.
pub(crate) fn next(
    policy: &RetryPolicy,
    class: Class,
    replay: Replay,
    retry_after: Option<Duration>,
    spent: &Spent,
    jitter: f64,
) -> Next {
    if class == Class::Permanent || (class.is_doubtful() && replay == Replay::Unsent) {
        return Next::Stop;
    }
    if policy.attempts > 1
        && spent.free == 0
        && matches!(class, Class::Unprocessed | Class::NoAnswer)
    {
        return Next::Free;
    }
    if let Some(asked) = retry_after.filter(|asked| *asked > policy.max_wait) {
        return Next::Later(asked);
    }
    let exhausted = spent.retries + 1 >= policy.attempts
        || (class == Class::Refused && spent.refused >= 2)
        || (matches!(class, Class::Once | Class::Misplaced) && spent.once >= 1)
        || (class.is_unknown() && replay == Replay::Twice && spent.unknown >= 2);
    let wait = match (retry_after, class) {
        (Some(asked), _) => patience(asked, jitter),
        (None, Class::Refused) => policy.refused.mul_f64(0.2 + 0.8 * jitter),
        (None, class) if class.is_throttled() => {
            backoff(policy.throttled_base, policy.throttled_cap, spent.retries, jitter)
        }
        (None, _) => backoff(policy.base, policy.cap, spent.retries, jitter),
    };
    match retry_after {
        _ if !exhausted && spent.elapsed + wait <= policy.total => Next::After(wait),
        Some(asked) => Next::Later(asked),
        None => Next::Stop,
    }
}

/// What a server asked for, and a little more, so that not everybody comes back at once.
pub(crate) fn patience(asked: Duration, jitter: f64) -> Duration {
    asked + asked.mul_f64(0.1).min(Duration::from_secs(5)).mul_f64(jitter)
}

/// Half of the wait is fixed, so that it outlasts a short outage; half is random, so that many clients do not march in step.
pub(crate) fn backoff(base: Duration, cap: Duration, retries: u32, jitter: f64) -> Duration {
    let full = base.saturating_mul(2_u32.saturating_pow(retries)).min(cap);
    full.mul_f64(0.5 + 0.5 * jitter)
}

/// Uniform in `0.0..1.0`: the standard library seeds its hashers at random, and nothing here is a secret.
pub(crate) fn jitter() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
