//! Whose turn it is to change a list: one after the other for one list, and nobody waits for another
//! list or another registry.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use registry_name::{Repository, Tag};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// A list: where it is, and under which tag.
type List = (Repository, Tag);

/// The lists that somebody of this client is about to change.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<List, Weak<Turn<()>>>>);

impl Turns {
    /// Waits for whoever else changes this list.
    pub(super) async fn take(&self, repository: &Repository, tag: &Tag) -> OwnedMutexGuard<()> {
        self.of(repository, tag).lock_owned().await
    }

    /// What nobody holds or waits for is forgotten.
    fn of(&self, repository: &Repository, tag: &Tag) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = turns.entry((repository.clone(), tag.clone())).or_default();
        turn.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *turn = Arc::downgrade(&new);
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn only_who_changes_the_same_list_waits_and_nothing_stays() {
        let (a, b): (Repository, Repository) =
            ("a.example/app".parse().unwrap(), "b.example/app".parse().unwrap());
        let one: Tag = format!("sha256-{}", "1".repeat(64)).parse().unwrap();
        let two: Tag = format!("sha256-{}", "2".repeat(64)).parse().unwrap();
        let turns = Turns::default();
        let held = turns.take(&a, &one).now_or_never().unwrap();
        let mut waits = Box::pin(turns.take(&a, &one));
        assert!(waits.as_mut().now_or_never().is_none());
        for (repository, tag) in [(&a, &two), (&b, &one)] {
            assert!(turns.take(repository, tag).now_or_never().is_some());
        }
        drop(held);
        let next = waits.now_or_never().unwrap();
        assert!(turns.take(&a, &one).now_or_never().is_none());
        drop(next);
        drop(turns.of(&b, &two));
        assert_eq!(turns.0.lock().unwrap().len(), 1, "the last that was asked for");
    }
}
