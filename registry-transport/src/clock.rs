//! Time as a value that is passed in, so that expiry and waits can be tested without waiting.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

/// Where the policy takes its time from. Deadlines of a socket are not measured by it.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// Monotonic time: expiry of tokens, budgets, cool-downs.
    fn now(&self) -> Instant;
    /// The time of day, for `Retry-After` dates of servers that send no `Date`, and for messages.
    fn time_of_day(&self) -> SystemTime;
    /// Waits before a resend. Dropping the future ends the wait.
    async fn sleep(&self, duration: Duration);
}

/// The real time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
