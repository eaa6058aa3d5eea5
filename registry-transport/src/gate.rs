//! What all requests to one host share: a cool-down after it asked for patience, and an account for retries.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::origin::Origin;
use crate::retry::Class;

/// A retry account starts with this much, and never holds more.
const CAPACITY: u32 = 500;
/// What a retry costs.
const RETRY: u32 = 14;
/// What a retry costs that the server asked to be made later.
const THROTTLED: u32 = 5;

/// One gate for each host.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<Origin, Arc<Gate>>>);

/// Open, unless the host asked for patience. Then requests wait in front of it; when the time has come, one goes first to
/// see, and the others follow when it got an answer.
///
/// A body that is read while it is sent may be read from this very host, and takes its time: nothing but such bodies waits
/// for the answer to one.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    opened: Notify,
    first: tokio::sync::Mutex<()>,
    first_stream: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    closed_until: Option<Instant>,
    account: u32,
}

/// Held by the request that goes first.
pub(crate) type First<'a> = tokio::sync::MutexGuard<'a, ()>;

impl Gates {
    pub(crate) fn of(&self, origin: &Origin) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(origin.clone()).or_default())
    }
}

impl Default for Gate {
    fn default() -> Self {
        let state = State { closed_until: None, account: CAPACITY };
        Self {
            state: Mutex::new(state),
            opened: Notify::new(),
            first: tokio::sync::Mutex::new(()),
            first_stream: tokio::sync::Mutex::new(()),
        }
    }
}

impl Gate {
    /// Waits until the host may be asked, by a request whose body is a stream or is not. `announce` is told about each wait.
    /// `Err` is a wait longer than `longest`.
    pub(crate) async fn pass(
        &self,
        stream: bool,
        clock: &dyn Clock,
        longest: Duration,
        announce: impl Fn(Duration),
    ) -> Result<Option<First<'_>>, Duration> {
        loop {
            let opened = pin!(self.opened.notified());
            if self.closed_until().is_none() {
                return Ok(None);
            }
            let turn = pin!(self.turn(stream, clock, longest, &announce));
            if let Either::Right((turn, _)) = select(opened, turn).await {
                return turn;
            }
        }
    }

    /// The same for one after the other.
    async fn turn(
        &self,
        stream: bool,
        clock: &dyn Clock,
        longest: Duration,
        announce: impl Fn(Duration),
    ) -> Result<Option<First<'_>>, Duration> {
        let first_stream = if stream { Some(self.first_stream.lock().await) } else { None };
        let first = self.first.lock().await;
        loop {
            let Some(until) = self.closed_until() else { return Ok(None) };
            let wait = until.saturating_duration_since(clock.now());
            if wait.is_zero() {
                return Ok(Some(first_stream.unwrap_or(first)));
            }
            if wait > longest {
                return Err(wait);
            }
            announce(wait);
            clock.sleep(wait).await;
        }
    }

    /// The host answered. Only the answer to the request that went first opens the gate: one to a request from before it was
    /// closed says nothing about now.
    pub(crate) fn answered(&self, first: Option<First<'_>>) {
        self.with(|state| {
            if first.is_some() {
                state.closed_until = None;
            }
            state.account = (state.account + 1).min(CAPACITY);
        });
        if first.is_some() {
            self.opened.notify_waiters();
        }
        drop(first);
    }

    /// The host asked for patience until then.
    pub(crate) fn close(&self, until: Instant) {
        self.with(|state| state.closed_until = state.closed_until.max(Some(until)));
    }

    /// Pays for a retry. False: this host has failed so often of late that there is nothing left to pay with.
    pub(crate) fn pay(&self, class: Class) -> bool {
        let price = if class.is_throttled() { THROTTLED } else { RETRY };
        self.with(|state| match state.account.checked_sub(price) {
            Some(left) => {
                state.account = left;
                true
            }
            None => false,
        })
    }

    fn closed_until(&self) -> Option<Instant> {
        self.with(|state| state.closed_until)
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_bounds_the_retries_of_all_requests_to_a_dead_host() {
        // E13
        let gate = Gate::default();
        assert_eq!((0..1000).take_while(|_| gate.pay(Class::Transient)).count(), 35);
        let gate = Gate::default();
        assert_eq!((0..1000).take_while(|_| gate.pay(Class::Throttled)).count(), 100);
        assert!(!gate.pay(Class::Transient));
        (0..14).for_each(|_| gate.answered(None));
        assert!(gate.pay(Class::Transient));
    }
}
