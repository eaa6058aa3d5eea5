//! What one operation may spend on failures, carried through its token requests, redirects and resumes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::retry::{Class, Next, Spent};

/// Progress that makes an interruption forgotten.
const PROGRESS: u64 = 64 << 10;
/// Consecutive interruptions without progress that end an operation.
const INTERRUPTIONS: u32 = 5;
/// Resumes of one operation, however much progress it makes.
const RESUMES: u32 = 256;

/// The retry budget of one operation: a handle to clone into every request that belongs to it.
///
/// Attempts never multiply: however many requests an operation consists of, they share one account.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Account>>);

#[derive(Debug)]
struct Account {
    spent: Spent,
    first_failure: Option<Instant>,
    interruptions: u32,
    too_slow: u32,
    resumes: u32,
    resumes_allowed: u32,
}

impl Account {
    /// What was spent on requests counts no more.
    fn forgive(&mut self) {
        (self.spent, self.first_failure) = (Spent::default(), None);
    }

    /// Progress worth the name: nor do the interruptions before it.
    fn advanced(&mut self) {
        self.forgive();
        (self.interruptions, self.too_slow) = (0, 0);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

impl Budget {
    /// A fresh budget for an operation.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Account {
            spent: Spent::default(),
            first_failure: None,
            interruptions: 0,
            too_slow: 0,
            resumes: 0,
            resumes_allowed: RESUMES,
        })))
    }

    /// A fresh budget for moving a blob of `size` bytes: a large one may be interrupted more often in all
    /// (8 times, and once for every MiB, at most 256 times).
    pub fn for_blob(size: u64) -> Self {
        let budget = Self::new();
        let by_size = u32::try_from(size >> 20).unwrap_or(RESUMES);
        budget.account(|account| {
            account.resumes_allowed = RESUMES.min(8_u32.saturating_add(by_size));
        });
        budget
    }

    /// What was spent up to `now`, which is the time of a failure.
    pub(crate) fn spent_at(&self, now: Instant) -> Spent {
        self.account(|account| {
            let first = *account.first_failure.get_or_insert(now);
            account.spent.elapsed = now.saturating_duration_since(first);
            account.spent
        })
    }

    /// The resends that were charged so far.
    pub(crate) fn retries(&self) -> u32 {
        self.account(|account| account.spent.retries)
    }

    pub(crate) fn charge(&self, class: Class, next: Next) {
        self.account(|account| account.spent.charge(class, next));
    }

    /// A request of several brought the operation on by `progress` bytes: if they are worth the name, those that failed
    /// before count no more, and the next interruption is the first in a row.
    pub fn advanced(&self, progress: u64) {
        if progress >= PROGRESS {
            self.account(Account::advanced);
        }
    }

    /// The operation begins anew, with requests of its own: those before count no more. Interruptions do, so that it comes to
    /// an end; how often it may begin is up to the caller.
    pub fn begin_anew(&self) {
        self.account(Account::forgive);
    }

    /// Charges one interruption of a body after `progress` bytes. `None`: the operation has had enough of them.
    /// Otherwise the number of interruptions in a row that made no progress worth the name.
    pub(crate) fn interrupted(&self, progress: u64) -> Option<u32> {
        self.account(|account| {
            if progress >= PROGRESS {
                account.advanced();
            } else {
                account.interruptions += 1;
                // What goes on from here is another request, and that body may have taken minutes.
                account.first_failure = None;
            }
            account.resumes += 1;
            let left = account.interruptions <= INTERRUPTIONS
                && account.resumes <= account.resumes_allowed;
            left.then_some(account.interruptions)
        })
    }

    /// Charges a body that came too slowly, likewise: a minute was spent on it, so that one more connection is all it gets.
    pub(crate) fn too_slow(&self, progress: u64) -> Option<u32> {
        let in_a_row = self.interrupted(progress)?;
        self.account(|account| {
            account.too_slow += 1;
            (account.too_slow <= 1).then_some(in_a_row)
        })
    }

    fn account<T>(&self, f: impl FnOnce(&mut Account) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
