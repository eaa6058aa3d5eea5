//! Blobs that no manifest references.
//!
//! A push uploads blobs first, and then the manifest that names them, so a blob without a manifest
//! may be part of one that is under way. What keeps it is its age: from its upload, or from the last
//! time that a client looked whether it is there, mounted it, or named it in a manifest.

use std::collections::HashSet;
use std::time::Duration;

use registry_name::Digest;

use crate::error::Error;
use crate::manifest;
use crate::server::Server;
use crate::work::blocking;

/// What a collection has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// How many blobs, counted in each repository that had one.
    pub blobs: u64,
    /// Their sizes together. What several repositories have in common is freed with the last one.
    pub bytes: u64,
}

impl Server {
    pub(crate) async fn collect_garbage(&self, older_than: Duration) -> Result<Collected, Error> {
        let store = self.store();
        let work = async {
            self.sessions.expire(self.limits.upload_expiry).await?;
            blocking(move || Ok(store.collect(older_than)?)).await
        };
        work.await.map_err(|_| Error::Garbage)
    }
}

/// What these manifests reference.
pub(crate) fn referenced<'a>(manifests: impl IntoIterator<Item = &'a [u8]>) -> HashSet<Digest> {
    manifests.into_iter().flat_map(manifest::blobs_of).collect()
}
