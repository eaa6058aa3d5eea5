//! How often and how patiently a failed request is sent again, as the caller wants it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Class;
use crate::error::Error;

/// How often and how patiently a failed request is sent again. The defaults outlast the ten seconds for which content
/// networks remember a failure.
///
/// ```
/// use std::time::Duration;
/// use registry_transport::{ErrorKind, RetryPolicy, Transport};
///
/// let mut policy = RetryPolicy::default().retry_when(|error| match error.kind() {
///     ErrorKind::Conflict => Some(true), // this registry locks a repository for a moment
///     _ => None,                         // as usual
/// });
/// policy.attempts = 10;
/// policy.max_wait = Duration::from_secs(600);
/// let transport = Transport::builder().policy(policy).build()?;
/// # Ok::<(), registry_transport::Error>(())
/// ```
#[derive(Clone, Debug)]
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
    /// Exactly these statuses are worth another attempt. `None`: those that pass by (408, 429, 500, 502, 503, 504 and those
    /// of content networks), and once 421, 425 and any unknown 5xx.
    pub statuses: Option<Vec<u16>>,
    predicate: Option<Predicate>,
}

#[derive(Clone)]
struct Predicate(Arc<Judge>);

type Judge = dyn Fn(&Error) -> Option<bool> + Send + Sync;

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
            statuses: None,
            predicate: None,
        }
    }
}

impl RetryPolicy {
    /// Every request is sent once.
    pub fn none() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Gives `predicate` the last word on what is worth another attempt: `Some(true)` is, `Some(false)` is not, `None`
    /// leaves it to the rest of the policy.
    ///
    /// What may have been processed is still sent again only if its request [may be](crate::Replay).
    #[must_use]
    pub fn retry_when(
        mut self,
        predicate: impl Fn(&Error) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        self.predicate = Some(Predicate(Arc::new(predicate)));
        self
    }

    /// The same, with at most so many attempts.
    pub(crate) fn with_at_most(&self, attempts: u32) -> Self {
        Self { attempts: self.attempts.min(attempts), ..self.clone() }
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

    /// What a failure means for a resend, where the caller has a say in it.
    pub(crate) fn class_of(&self, error: &Error) -> Class {
        let listed = match (&self.statuses, error.status()) {
            (Some(statuses), Some(status)) => Some(statuses.contains(&status.as_u16())),
            _ => None,
        };
        let said = self.predicate.as_ref().and_then(|predicate| (predicate.0)(error)).or(listed);
        match (said, error.class()) {
            (Some(false), _) => Class::Permanent,
            // As often as the policy says, and only if it may have been processed twice.
            (Some(true), Class::Permanent | Class::Once | Class::Misplaced) => Class::Unknown,
            (_, class) => class,
        }
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}
