//! Faults on demand, for tests of clients.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

/// Something that a registry does wrong because it was asked to. Each applies to requests below
/// `/v2` and to `/token`.
///
/// Their text is what `registry serve --fault` takes:
///
/// ```
/// use registry_serve::Fault;
/// use std::time::Duration;
///
/// assert_eq!("delay=250ms".parse(), Ok(Fault::Delay(Duration::from_millis(250))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `fail=3` or `fail=3:500`: the next three requests get this status; 503 if none is given.
    FailNext(u32, StatusCode),
    /// `cut=1024`: the connection ends after this many bytes of each longer body.
    CutBodies(u64),
    /// `delay=250ms`, `delay=2s`: every answer comes this much later.
    Delay(Duration),
    /// `429=5`: every fifth request is answered with 429 and `Retry-After: 1`.
    RateLimitEvery(NonZeroU32),
    /// `expire-tokens=5`: before every fifth request, all tokens expire.
    ExpireTokensEvery(NonZeroU32),
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let parse = || {
            let (kind, value) = text.split_once('=')?;
            Some(match kind {
                "fail" => {
                    let (count, status) = value.split_once(':').unwrap_or((value, "503"));
                    let status = StatusCode::from_bytes(status.as_bytes()).ok();
                    let status = status
                        .filter(|status| status.is_client_error() || status.is_server_error())?;
                    Self::FailNext(number(count)?, status)
                }
                "cut" => Self::CutBodies(number(value)?),
                "delay" => Self::Delay(duration(value)?),
                "429" => Self::RateLimitEvery(number(value)?),
                "expire-tokens" => Self::ExpireTokensEvery(number(value)?),
                _ => return None,
            })
        };
        parse().ok_or(UnknownFault(()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailNext(count, status) => write!(f, "fail={count}:{}", status.as_u16()),
            Self::CutBodies(after) => write!(f, "cut={after}"),
            Self::Delay(by) => write!(f, "delay={}ms", by.as_millis()),
            Self::RateLimitEvery(every) => write!(f, "429={every}"),
            Self::ExpireTokensEvery(every) => write!(f, "expire-tokens={every}"),
        }
    }
}

/// A text that names no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("faults are fail=N[:STATUS], cut=BYTES, delay=N(ms|s), 429=N and expire-tokens=N")]
pub struct UnknownFault(());

/// Digits only: no sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(milliseconds) => number(milliseconds).map(Duration::from_millis),
        None => number(text.strip_suffix('s')?).map(Duration::from_secs),
    }
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Active>>);

#[derive(Clone, Copy, Debug)]
struct Active {
    fault: Fault,
    seen: u32,
}

/// What is to go wrong with one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) refuse: Option<StatusCode>,
    pub(crate) cut: Option<u64>,
    pub(crate) expire_tokens: bool,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(Active { fault, seen: 0 });
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Counts a request for a path, and says what is to go wrong with it.
    pub(crate) fn plan(&self, path: &str) -> Plan {
        let mut plan = Plan::default();
        if path != "/token" && path != "/v2" && !path.starts_with("/v2/") {
            return plan;
        }
        for active in self.lock().iter_mut() {
            active.seen = active.seen.saturating_add(1);
            match active.fault {
                Fault::FailNext(count, status) if active.seen <= count => {
                    plan.refuse = Some(status);
                }
                Fault::FailNext(..) => {}
                Fault::CutBodies(after) => plan.cut = Some(after),
                Fault::Delay(by) => plan.delay += by,
                Fault::RateLimitEvery(every) => {
                    if active.every(every) {
                        plan.refuse = Some(StatusCode::TOO_MANY_REQUESTS);
                    }
                }
                Fault::ExpireTokensEvery(every) => plan.expire_tokens |= active.every(every),
            }
        }
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    /// Counts from the start again after each time.
    fn every(&mut self, every: NonZeroU32) -> bool {
        let due = self.seen >= every.get();
        if due {
            self.seen = 0;
        }
        due
    }
}

#[cfg(test)]
mod tests;
