//! How long to wait for what. There is no limit on a whole honest transfer.

use std::time::Duration;

/// How long each phase of a request may take. The defaults suit real networks; tests divide them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// Until a connection stands, TLS handshake included: 10 s.
    pub connect: Duration,
    /// From the last byte sent to the head of the answer: 30 s.
    pub head: Duration,
    /// The same where the registry has to store what was sent before it answers: 120 s, or longer where that is much.
    pub commit: Duration,
    /// What a registry is trusted to store per second when much is committed: 8 MiB.
    pub commit_rate: u64,
    /// Between two pieces of an answer's body: 30 s.
    pub body_idle: Duration,
    /// The least average speed of a body, in bytes per second of waiting: 1 KiB/s. Zero switches it off.
    pub floor: u64,
    /// The span of waiting over which the average is taken: 60 s. Time in which the caller does not read is not waiting.
    pub floor_span: Duration,
    /// While a body is sent, without the network taking a byte: 60 s.
    pub write_idle: Duration,
    /// A whole small body, such as a manifest: 30 s.
    pub small_body: Duration,
    /// A whole page of a list: 60 s.
    pub page_body: Duration,
    /// A whole token answer: 10 s.
    pub token_body: Duration,
    /// The text of an error: 2 s.
    pub error_body: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            commit: Duration::from_secs(120),
            commit_rate: 8 << 20,
            body_idle: Duration::from_secs(30),
            floor: 1 << 10,
            floor_span: Duration::from_secs(60),
            write_idle: Duration::from_secs(60),
            small_body: Duration::from_secs(30),
            page_body: Duration::from_secs(60),
            token_body: Duration::from_secs(10),
            error_body: Duration::from_secs(2),
        }
    }
}

impl Deadlines {
    /// Every duration divided by `factor`; rates stay. `Deadlines::default().divided_by(50)` suits a test on loopback.
    #[must_use]
    pub fn divided_by(mut self, factor: u32) -> Self {
        for duration in [
            &mut self.connect,
            &mut self.head,
            &mut self.commit,
            &mut self.body_idle,
            &mut self.floor_span,
            &mut self.write_idle,
            &mut self.small_body,
            &mut self.page_body,
            &mut self.token_body,
            &mut self.error_body,
        ] {
            *duration /= factor.max(1);
        }
        self
    }

    /// How long the head of the answer may take once everything is sent, to a request that has `bytes` stored.
    pub(crate) fn head_after(&self, bytes: u64) -> Duration {
        if bytes == 0 {
            return self.head;
        }
        self.commit.max(Duration::from_secs(bytes / self.commit_rate.max(1)))
    }
}

/// Measures one body against the floor. Only time spent waiting counts, so a slow consumer is never to blame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    waited: Duration,
    bytes: u64,
}

impl Meter {
    /// Adds one piece and how long it was waited for. False: the last span was slower than the floor.
    pub(crate) fn is_fast_enough(
        &mut self,
        deadlines: &Deadlines,
        waited: Duration,
        bytes: u64,
    ) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < deadlines.floor_span {
            return true;
        }
        let asked = u128::from(deadlines.floor) * self.waited.as_millis() / 1000;
        let fast = u128::from(self.bytes) >= asked;
        *self = Self::default();
        fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_dripped_body_falls_through_the_floor_after_one_span() {
        // D06: one byte every half second
        let deadlines = Deadlines::default();
        let mut meter = Meter::default();
        let passed =
            (0..1000).take_while(|_| meter.is_fast_enough(&deadlines, SECOND / 2, 1)).count();
        assert_eq!(passed, 119);
    }

    #[test]
    fn a_slow_honest_body_never_falls_through_the_floor() {
        let deadlines = Deadlines::default();
        let mut meter = Meter::default();
        assert!((0..10_000).all(|_| meter.is_fast_enough(&deadlines, SECOND, 1 << 10)));
    }

    #[test]
    fn a_pause_is_made_up_by_what_comes_after_it_in_the_same_span() {
        let deadlines = Deadlines::default();
        let mut meter = Meter::default();
        assert!(meter.is_fast_enough(&deadlines, SECOND * 29, 1));
        assert!(meter.is_fast_enough(&deadlines, SECOND * 29, 1));
        assert!(meter.is_fast_enough(&deadlines, SECOND * 2, 1 << 20));
        // and the next span starts from nothing
        assert!(meter.is_fast_enough(&deadlines, SECOND * 59, 0));
        assert!(!meter.is_fast_enough(&deadlines, SECOND, 0));
    }

    #[test]
    fn a_large_commit_is_given_the_time_to_store_it() {
        let deadlines = Deadlines::default();
        assert_eq!(deadlines.head_after(0), SECOND * 30);
        assert_eq!(deadlines.head_after(1), SECOND * 120);
        assert_eq!(deadlines.head_after(8 << 30), SECOND * 1024);
    }
}
