//! Where in each registry a blob is known to be, so that the next repository that needs it mounts
//! it; and whose turn it is to upload one that is nowhere yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use registry_name::{Digest, Registry, Repository};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// Blobs that are remembered, at most.
const MAX_ENTRIES: usize = 16 << 10;

/// The repository that a blob is in; held by whoever is about to bring it to the first one.
type Place = Arc<Turn<Option<Repository>>>;

/// The places of the blobs of all registries.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<(Registry, Digest), Place>>);

/// What is known of a blob when its upload begins.
pub(super) enum Known {
    In(Repository),
    /// Nothing. Others wait until this is told, or dropped.
    Nowhere(OwnedMutexGuard<Option<Repository>>),
}

impl Places {
    /// Waits for an upload of the same blob to the same registry that is under way.
    pub(super) async fn find(&self, registry: &Registry, digest: &Digest) -> Known {
        let turn = self.place(registry, digest).lock_owned().await;
        match &*turn {
            Some(repository) => Known::In(repository.clone()),
            None => Known::Nowhere(turn),
        }
    }

    /// It was deleted, or is not where it was.
    pub(in crate::remote) async fn forget(&self, registry: &Registry, digest: &Digest) {
        *self.place(registry, digest).lock_owned().await = None;
    }

    fn place(&self, registry: &Registry, digest: &Digest) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_ENTRIES {
            places.clear();
        }
        Arc::clone(places.entry((registry.clone(), digest.clone())).or_default())
    }
}
