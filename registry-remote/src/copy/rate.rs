//! Bytes a second, for everything that a copy reads together.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Each byte takes its time on one line that all readers share.
#[derive(Debug)]
pub(super) struct Rate {
    bytes_per_second: NonZeroU64,
    /// When the line is free again.
    free: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, free: Mutex::default() }
    }

    /// Waits until the bytes that were read would have passed.
    pub(super) async fn spend(&self, bytes: usize) {
        let until = self.book(bytes, Instant::now());
        tokio::time::sleep_until(until).await;
    }

    fn book(&self, bytes: usize, now: Instant) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free.map_or(now, |free| free.max(now));
        let end = start + time(bytes, self.bytes_per_second);
        *free = Some(end);
        end
    }
}

fn time(bytes: usize, bytes_per_second: NonZeroU64) -> Duration {
    let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(bytes_per_second.get());
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_queue_up_behind_each_other_and_idle_time_is_not_saved() {
        let rate = Rate::new(NonZeroU64::new(1000).unwrap());
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(rate.book(500, start), at(500));
        assert_eq!(rate.book(500, start), at(1000), "a second reader waits behind the first");
        assert_eq!(rate.book(1, at(900)), at(1001));
        assert_eq!(rate.book(1000, at(5000)), at(6000), "what was not used is gone");
    }
}
