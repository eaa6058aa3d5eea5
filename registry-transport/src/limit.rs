//! How many requests may run at one server at once.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::Notify;

use crate::service::{HttpError, ResponseBody};

/// Lets so many requests in, and the others wait. The number can be lowered while requests run: then nobody is let in until
/// enough of them have ended.
///
/// A caller that keeps one answer open while it asks for another could wait for itself. So whoever has waited for a while
/// in which no byte moved in any open answer is let in all the same.
#[derive(Debug)]
pub(crate) struct Limiter {
    state: Mutex<State>,
    freed: Notify,
    most: usize,
}

#[derive(Debug)]
struct State {
    running: usize,
    capacity: usize,
    /// Answers since the number was last changed.
    answered: u32,
    /// When something last moved.
    moved: Instant,
}

/// Held while a request runs, up to the end of its answer's body.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Limiter>);

/// So many answers are needed to try one more request at once.
const ANSWERS: u32 = 5;

impl Limiter {
    /// Without a number, everybody is let in until [`lower`](Self::lower) is called.
    pub(crate) fn new(most: Option<NonZeroUsize>) -> Arc<Self> {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        let moved = Instant::now();
        let state = Mutex::new(State { running: 0, capacity: most, answered: 0, moved });
        Arc::new(Self { state, freed: Notify::new(), most })
    }

    /// Waits for a place, or until nothing has moved for `patience`. Whoever waits longest comes first.
    pub(crate) async fn enter(self: &Arc<Self>, patience: Duration) -> Permit {
        while !self.try_enter(patience) {
            let left = patience.saturating_sub(self.with(|state| state.moved.elapsed()));
            let _ = tokio::time::timeout(left, self.freed.notified()).await;
        }
        // What was freed at once several times wakes one: the next one looks for itself.
        self.freed.notify_one();
        Permit(Arc::clone(self))
    }

    /// The server asked for patience: half of what runs now is enough for the time being, and never less than one.
    pub(crate) fn lower(&self) {
        self.with(|state| {
            state.capacity = (state.capacity.min(state.running) / 2).max(1);
            state.answered = 0;
        });
    }

    /// The server answered: after five answers one more may be tried.
    pub(crate) fn raise(&self) {
        let most = self.most;
        let raised = self.with(|state| {
            state.answered += 1;
            let raised = state.answered >= ANSWERS && state.capacity < most;
            if raised {
                state.capacity += 1;
            }
            if state.answered >= ANSWERS {
                state.answered = 0;
            }
            raised
        });
        if raised {
            self.freed.notify_one();
        }
    }

    fn try_enter(&self, patience: Duration) -> bool {
        self.with(|state| {
            let free = state.running < state.capacity || state.moved.elapsed() >= patience;
            if free {
                state.running += 1;
                state.moved = Instant::now();
            }
            free
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Permit {
    /// Gives the place back when the body has ended, broken off or been dropped.
    pub(crate) fn until_the_end_of(self, body: ResponseBody) -> ResponseBody {
        Box::pin(Guarded { body, permit: Some(self) })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.running -= 1;
            state.moved = Instant::now();
        });
        self.0.freed.notify_one();
    }
}

struct Guarded {
    body: ResponseBody,
    permit: Option<Permit>,
}

impl Stream for Guarded {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.as_mut().poll_next(context);
        match (&next, &self.permit) {
            (Poll::Ready(None | Some(Err(_))), _) => self.permit = None,
            (Poll::Ready(Some(Ok(_))), Some(permit)) => {
                permit.0.with(|state| state.moved = Instant::now());
            }
            _ => {}
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt as _, stream};

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    fn limiter(most: usize) -> Arc<Limiter> {
        Limiter::new(NonZeroUsize::new(most))
    }

    #[tokio::test]
    async fn so_many_are_let_in_and_the_next_one_when_one_has_left() {
        let limiter = limiter(2);
        let first = limiter.enter(LONG).now_or_never().unwrap();
        let second = limiter.enter(LONG).now_or_never().unwrap();
        let mut third = Box::pin(limiter.enter(LONG));
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
        drop(second);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_does_not_take_a_place_with_it() {
        let limiter = limiter(1);
        let running = limiter.enter(LONG).now_or_never().unwrap();
        let mut gone = Box::pin(limiter.enter(LONG));
        let mut next = Box::pin(limiter.enter(LONG));
        assert!((&mut gone).now_or_never().is_none());
        assert!((&mut next).now_or_never().is_none());
        drop(running);
        drop(gone);
        assert!(next.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_lowered_limit_lets_nobody_in_until_enough_have_left() {
        let limiter = Limiter::new(None);
        let mut running: Vec<_> =
            (0..8).map(|_| limiter.enter(LONG).now_or_never().unwrap()).collect();
        limiter.lower();
        running.truncate(4);
        assert!(limiter.enter(LONG).now_or_never().is_none());
        (0..4).for_each(|_| limiter.raise());
        assert!(limiter.enter(LONG).now_or_never().is_none());
        limiter.raise();
        assert!(limiter.enter(LONG).now_or_never().is_some());
        running.clear();
        (0..10).for_each(|_| limiter.lower());
        assert!(limiter.enter(LONG).now_or_never().is_some());
    }

    #[tokio::test]
    async fn everyone_who_waits_gets_in_when_all_leave() {
        let limiter = limiter(3);
        let running: Vec<_> = (0..3).map(|_| limiter.enter(LONG).now_or_never().unwrap()).collect();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(limiter.enter(LONG))).collect();
        assert!(waiting.iter_mut().all(|next| next.now_or_never().is_none()));
        drop(running);
        let inside: Vec<_> = waiting.into_iter().filter_map(FutureExt::now_or_never).collect();
        assert_eq!(inside.len(), 3);
    }

    #[tokio::test]
    async fn a_place_is_held_to_the_end_of_the_body() {
        let limiter = limiter(1);
        let body = || -> ResponseBody { Box::pin(stream::iter([Ok(Bytes::from_static(b"x"))])) };
        let mut guarded = limiter.enter(LONG).await.until_the_end_of(body());
        assert!(guarded.next().await.is_some());
        assert!(limiter.enter(LONG).now_or_never().is_none());
        assert!(guarded.next().await.is_none());
        let dropped = limiter.enter(LONG).now_or_never().unwrap().until_the_end_of(body());
        assert!(limiter.enter(LONG).now_or_never().is_none());
        drop(dropped);
        assert!(limiter.enter(LONG).now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_waits_for_itself_is_let_in_when_nothing_moves() {
        let limiter = limiter(1);
        let kept_open = limiter.enter(LONG).await;
        let second = limiter.enter(Duration::ZERO).now_or_never();
        assert!(second.is_some());
        drop((kept_open, second));
        assert!(limiter.enter(LONG).now_or_never().is_some());
    }
}
