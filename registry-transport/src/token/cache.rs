//! Tokens that are remembered, and the guarantee that each is fetched once for all who wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use registry_authn::Scopes;

use super::Held;
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
pub(crate) struct Cache(Mutex<HashMap<Key, Cell>>);

/// One token, and the fetch that will bring it.
#[derive(Debug, Default)]
struct Cell {
    token: Option<Held>,
    /// Owned by those who wait for it, and driven by any one of them: it outlives each, and ends with the last.
    flight: Option<WeakShared<BoxFuture<'static, Result<Held, Error>>>>,
}

/// More entries than this, and the stale ones are thrown out.
const CROWDED: usize = 256;

impl Cache {
    /// A token for `key` of which at least `need` remains: a remembered one (`true`), or the one that `fetch` brings.
    /// Everyone who waits for the same fetch shares its token or its failure; a failure is not remembered beyond them.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        key: &Key,
        now: Instant,
        need: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<(Held, bool), Error>
    where
        F: Future<Output = Result<Held, Error>> + Send + 'static,
    {
        let flight = {
            let mut cells = self.lock();
            if let Some(token) = covering(&cells, key, now, need) {
                return Ok((token, true));
            }
            make_room(&mut cells, now);
            let cell = cells.entry(key.clone()).or_default();
            cell.in_flight().unwrap_or_else(|| {
                let flight = self.landing(key.clone(), fetch()).boxed().shared();
                cell.flight = flight.downgrade();
                flight
            })
        };
        let token = flight.await?;
        let stored = token.stored;
        Ok((token, stored))
    }

    /// Forgets exactly this token; one that took its place in the meantime stays.
    pub(crate) fn forget(&self, key: &Key, refused: &Held) {
        for (other, cell) in self.lock().iter_mut() {
            if other.same_source(key)
                && cell.token.as_ref().is_some_and(|token| token.secret == refused.secret)
            {
                cell.token = None;
            }
        }
    }

    /// Does not keep the cache alive: a fetch may be the last one to hold on to it.
    fn landing<F>(
        self: &Arc<Self>,
        key: Key,
        fetch: F,
    ) -> impl Future<Output = Result<Held, Error>> + Send + 'static + use<F>
    where
        F: Future<Output = Result<Held, Error>> + Send + 'static,
    {
        let cache = Arc::downgrade(self);
        async move {
            let fetched = fetch.await;
            if let Some(cache) = cache.upgrade() {
                let token = fetched.as_ref().ok().cloned();
                cache.lock().insert(key, Cell { token, flight: None });
            }
            fetched
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cell {
    fn in_flight(&self) -> Option<Shared<BoxFuture<'static, Result<Held, Error>>>> {
        self.flight.as_ref()?.upgrade()
    }
}

/// A token that will do: its scopes include those of `key`. One without scopes serves those who ask for none.
fn covering(cells: &HashMap<Key, Cell>, key: &Key, now: Instant, need: Duration) -> Option<Held> {
    let serves = |other: &Key| {
        other.scopes == key.scopes || (!key.scopes.is_empty() && other.scopes.covers(&key.scopes))
    };
    let mut tokens = cells
        .iter()
        .filter(|(other, _)| other.same_source(key) && serves(other))
        .filter_map(|(_, cell)| cell.token.as_ref());
    tokens.find(|token| token.is_fresh(now, need)).cloned()
}

fn make_room(cells: &mut HashMap<Key, Cell>, now: Instant) {
    if cells.len() >= CROWDED {
        cells.retain(|_, cell| {
            let fresh =
                cell.token.as_ref().is_some_and(|token| token.is_fresh(now, Duration::ZERO));
            fresh || cell.in_flight().is_some()
        });
    }
}

impl Key {
    pub(crate) fn same_source(&self, other: &Self) -> bool {
        self.realm == other.realm && self.service == other.service && self.who == other.who
    }
}

#[cfg(test)]
mod tests;
