//! How many ranges of one blob are read at the same time, as decisions over what was measured.

use std::time::Duration;

use crate::tuning::{RANGED_FROM, RANGES};

/// How long the throughput is watched before a decision.
pub(crate) const WINDOW: Duration = Duration::from_millis(100);
/// A connection that brings this much a second is not what a download waits for.
const FAST: u64 = 35 << 20;
/// What would be over within this time is not worth another connection.
const SOON: Duration = Duration::from_millis(400);
/// A range takes about this long.
const RANGE_TIME: Duration = Duration::from_millis(500);
/// The smallest and the largest range, bytes; only what is left at the end may be smaller.
const RANGE: (u64, u64) = (RANGED_FROM / 2, 64 << 20);
const LAST_RANGE: u64 = 1 << 20;

/// One range at first; more for as long as more of them bring more.
#[derive(Debug)]
pub(crate) struct Pace {
    ranges: usize,
    /// Bytes a second with that many.
    rate: u64,
    /// It was slow once: the first moments of a download say little.
    was_slow: bool,
    settled: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { ranges: 1, rate: 0, was_slow: false, settled: false }
    }

    /// Whether the number of ranges will stay as it is.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// How many ranges there should be, after `bytes` came in `time` and `left` are to come.
    pub(crate) fn observe(&mut self, bytes: u64, time: Duration, left: u64) -> usize {
        let rate = per_second(bytes, time);
        let grew = rate > self.rate.saturating_add(self.rate / 4);
        self.settled |= !grew && self.ranges > 1;
        self.rate = self.rate.max(rate);
        let is_fast = rate / self.ranges as u64 >= FAST;
        self.settled |= is_fast && self.ranges == 1;
        let is_soon_over = u128::from(left) * 1000 < u128::from(rate) * SOON.as_millis();
        let is_first_doubt = !std::mem::replace(&mut self.was_slow, !is_fast);
        if !self.settled && !is_fast && !is_first_doubt && !is_soon_over {
            // The first step is the largest: it tells most.
            let factor = if self.ranges == 1 { 4 } else { 2 };
            self.ranges = (self.ranges * factor).min(RANGES);
        }
        self.ranges
    }

    /// No more than this many could be had.
    pub(crate) fn limit(&mut self, ranges: usize) {
        if ranges < self.ranges {
            self.ranges = ranges;
            self.settled = true;
        }
        self.settled |= self.ranges >= RANGES;
    }

    /// The length of a range at this pace.
    pub(crate) fn range(&self) -> u64 {
        let rate = u128::from(self.rate / self.ranges.max(1) as u64);
        let length = u64::try_from(rate * RANGE_TIME.as_millis() / 1000).unwrap_or(u64::MAX);
        length.clamp(RANGE.0, RANGE.1)
    }
}

/// The length of the next range where `left` bytes are for `ranges` to share: none should be alone
/// at the end with much to do.
pub(crate) fn share(length: u64, left: u64, ranges: usize) -> u64 {
    length.min((left / ranges.max(1) as u64).max(LAST_RANGE))
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000 / time.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LARGE: u64 = 10 << 30;

    /// How the number of ranges goes at `rate(ranges)` MiB a second.
    fn steps(left: u64, rate: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut pace = Pace::new();
        let mut ranges = 1;
        let mut steps = Vec::new();
        for _ in 0..6 {
            ranges = pace.observe(rate(ranges) * MIB / 10, WINDOW, left);
            pace.limit(ranges);
            steps.push(ranges);
        }
        steps
    }

    #[test]
    fn connections_are_added_while_they_bring_more() {
        assert_eq!(steps(LARGE, |ranges| 25 * ranges as u64), [1, 4, 8, 8, 8, 8]);
        assert_eq!(steps(LARGE, |ranges| 25 * ranges.min(3) as u64), [1, 4, 8, 8, 8, 8]);
        assert_eq!(steps(LARGE, |_| 25), [1, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn a_fast_connection_and_a_download_that_is_soon_over_stay_alone() {
        assert_eq!(steps(LARGE, |_| 100), [1; 6]);
        assert_eq!(steps(9 * MIB, |_| 25), [1; 6]);
        assert_eq!(steps(9 * MIB, |_| 4), [1, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn nothing_at_all_is_not_a_reason_to_stop_looking() {
        let mut pace = Pace::new();
        assert_eq!(pace.observe(0, WINDOW, LARGE), 1);
        assert_eq!(pace.observe(0, WINDOW, LARGE), 4);
        assert_eq!(pace.observe(0, Duration::ZERO, LARGE), 4);
        assert!(pace.is_settled());
    }

    #[test]
    fn more_than_can_be_had_is_not_asked_for_again() {
        let mut pace = Pace::new();
        assert_eq!(pace.observe(MIB, WINDOW, LARGE), 1);
        assert_eq!(pace.observe(MIB, WINDOW, LARGE), 4);
        pace.limit(2);
        assert!(pace.is_settled());
        assert_eq!(pace.observe(8 * MIB, WINDOW, LARGE), 2);
    }

    #[test]
    fn ranges_are_as_long_as_the_connection_is_fast_and_short_at_the_end() {
        let mut pace = Pace::new();
        assert_eq!(pace.range(), 4 * MIB);
        pace.observe(3 * MIB, WINDOW, LARGE);
        pace.observe(3 * MIB, WINDOW, LARGE);
        pace.limit(1);
        assert_eq!(pace.range(), 15 * MIB);
        pace.observe(10_000 * MIB, WINDOW, LARGE);
        assert_eq!(pace.range(), 64 * MIB);
        assert_eq!(share(10 * MIB, 160 * MIB, 8), 10 * MIB);
        assert_eq!(share(10 * MIB, 40 * MIB, 8), 5 * MIB);
        assert_eq!(share(10 * MIB, 4 * MIB, 8), MIB);
        assert_eq!(share(10 * MIB, 10, 0), MIB);
    }
}
