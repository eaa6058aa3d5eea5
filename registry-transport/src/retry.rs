//! Whether to try again, and when: pure decisions. The loop that acts on them is in `transport`.

mod after;

use std::time::Duration;

use http::StatusCode;

pub use self::after::retry_after;
use crate::diagnostic::{Diagnostic, ErrorCode};
use crate::request::Replay;
use crate::service::HttpErrorKind;

/// How often and how patiently a failed request is sent again. The defaults outlast the ten seconds for which content
/// networks remember a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included: 6. Answers to a challenge and redirects do not count.
    pub attempts: u32,
    /// From the first failure to the last attempt, waits included: 120 s.
    pub total: Duration,
    /// The first wait after a transient failure; it doubles each time: 500 ms. Half of each wait is random.
    pub base: Duration,
    /// The longest wait of our own: 15 s.
    pub cap: Duration,
    /// The first wait after "too many requests" without a `Retry-After`: 1 s.
    pub throttled_base: Duration,
    /// The longest such wait: 30 s.
    pub throttled_cap: Duration,
    /// The longest wait after a refused connection, which is tried again twice: 250 ms.
    pub refused: Duration,
    /// The longest `Retry-After` that is waited for; beyond it the request fails at once with the time: 60 s.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            total: Duration::from_secs(120),
            base: Duration::from_millis(500),
            cap: Duration::from_secs(15),
            throttled_base: Duration::from_secs(1),
            throttled_cap: Duration::from_secs(30),
            refused: Duration::from_millis(250),
            max_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Every request is sent once.
    pub fn none() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Our own waits divided by `factor`; limits and counts stay. Suits a test on loopback.
    #[must_use]
    pub fn divided_by(mut self, factor: u32) -> Self {
        for wait in [
            &mut self.base,
            &mut self.cap,
            &mut self.throttled_base,
            &mut self.throttled_cap,
            &mut self.refused,
        ] {
            *wait /= factor.max(1);
        }
        self
    }
}

/// What a failure means for a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Trying again changes nothing.
    Permanent,
    /// It may work in a moment, and the request was not processed.
    Transient,
    /// It may work in a moment; the request may have been processed.
    Ambiguous,
    /// The server asks for patience.
    Throttled,
    /// Worth one more try.
    Once,
    /// Nothing listens there; perhaps it restarts.
    Refused,
    /// The server did not process it: any method may go again.
    Unprocessed,
    /// Sent, and no answer: an idle connection that was closed, or a crash.
    NoAnswer,
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
        421 | 425 | 500..=599 => Class::Once,
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
    /// Since the first failure.
    pub(crate) elapsed: Duration,
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
    let may_have_been_processed = matches!(class, Class::Ambiguous | Class::NoAnswer | Class::Once);
    if class == Class::Permanent || (may_have_been_processed && replay == Replay::Unsent) {
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
        || (class == Class::Once && spent.once >= 1);
    let wait = match (retry_after, class) {
        (Some(asked), _) => asked + asked.mul_f64(0.1).min(Duration::from_secs(5)).mul_f64(jitter),
        (None, Class::Refused) => policy.refused.mul_f64(0.2 + 0.8 * jitter),
        (None, Class::Throttled) => {
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

/// Half of the wait is fixed, so that it outlasts a short outage; half is random, so that many clients do not march in step.
pub(crate) fn backoff(base: Duration, cap: Duration, retries: u32, jitter: f64) -> Duration {
    let full = base.saturating_mul(2_u32.saturating_pow(retries)).min(cap);
    full.mul_f64(0.5 + 0.5 * jitter)
}

#[cfg(test)]
mod tests;
