//! Tokens that are remembered, and the guarantee that each is fetched by one caller while the others wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use registry_authn::Scopes;

use super::Token;
use crate::error::Error;

/// Which tokens are the same: same endpoint, same service, same scopes, same credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
    pub(crate) scopes: Scopes,
    /// Tells credentials apart without holding one.
    pub(crate) who: u64,
}

/// Tokens in memory.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashMap<Key, Arc<Cell>>>);

/// One token. Whoever holds the lock fetches it; a caller that goes away lets go of the lock, and the next one fetches.
#[derive(Debug, Default)]
struct Cell {
    slot: tokio::sync::Mutex<Slot>,
    /// Counts finished fetches, so that a waiter knows whether the failure it finds is younger than its own question.
    fetches: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    token: Option<Token>,
    failure: Option<Error>,
}

/// More entries than this, and the stale ones are thrown out.
const CROWDED: usize = 256;

impl Cache {
    /// A fresh token for `key`: a remembered one (`true`), or the one that `fetch` brings. Everyone who waits for the same
    /// fetch shares its token or its failure; a failure is not remembered beyond them.
    pub(crate) async fn get<F>(
        &self,
        key: &Key,
        now: impl Fn() -> Instant,
        fetch: F,
    ) -> Result<(Token, bool), Error>
    where
        F: Future<Output = Result<Token, Error>>,
    {
        if let Some(token) = self.covering(key, now()) {
            return Ok((token, true));
        }
        let cell = self.cell(key, now());
        let seen = cell.fetches.load(Ordering::Acquire);
        let mut slot = cell.slot.lock().await;
        if let Some(token) = slot.token.as_ref().filter(|token| token.is_fresh(now())) {
            return Ok((token.clone(), true));
        }
        let finished_meanwhile = cell.fetches.load(Ordering::Acquire) != seen;
        if let Some(failure) = slot.failure.as_ref().filter(|_| finished_meanwhile) {
            return Err(failure.clone());
        }
        let fetched = fetch.await;
        cell.fetches.fetch_add(1, Ordering::Release);
        match fetched {
            Ok(token) => {
                *slot = Slot { token: Some(token.clone()), failure: None };
                Ok((token, false))
            }
            Err(error) => {
                *slot = Slot { token: None, failure: Some(error.clone()) };
                Err(error)
            }
        }
    }

    /// Forgets exactly this token; one that took its place in the meantime stays.
    pub(crate) async fn forget(&self, key: &Key, refused: &Token) {
        let cells: Vec<_> = {
            let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            cells
                .iter()
                .filter(|(other, _)| other.same_source(key))
                .map(|(_, cell)| Arc::clone(cell))
                .collect()
        };
        for cell in cells {
            let mut slot = cell.slot.lock().await;
            if slot
                .token
                .as_ref()
                .is_some_and(|token| token.secret.expose() == refused.secret.expose())
            {
                slot.token = None;
            }
        }
    }

    /// A fresh token of the same source whose scopes include those of `key`.
    fn covering(&self, key: &Key, now: Instant) -> Option<Token> {
        if key.scopes.is_empty() {
            return None;
        }
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells
            .iter()
            .filter(|(other, _)| other.same_source(key) && other.scopes.covers(&key.scopes))
            .find_map(|(_, cell)| {
                let slot = cell.slot.try_lock().ok()?;
                slot.token.clone().filter(|token| token.is_fresh(now))
            })
    }

    fn cell(&self, key: &Key, now: Instant) -> Arc<Cell> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= CROWDED && !cells.contains_key(key) {
            cells.retain(|_, cell| {
                // A cell that is in use keeps its place: its lock is what makes callers wait for each other.
                Arc::strong_count(cell) > 1
                    || cell.slot.try_lock().is_ok_and(|slot| {
                        slot.token.as_ref().is_some_and(|token| token.is_fresh(now))
                    })
            });
        }
        Arc::clone(cells.entry(key.clone()).or_default())
    }
}

impl Key {
    fn same_source(&self, other: &Self) -> bool {
        self.realm == other.realm && self.service == other.service && self.who == other.who
    }
}

#[cfg(test)]
mod tests;
