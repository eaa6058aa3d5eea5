//! What a plan costs, without carrying it out.

use std::{collections::HashSet, sync::Arc};

use registry_name::Digest;

use super::{Plan, parallel::in_order};
use crate::{Error, Sink, Source};

impl Plan {
    /// The same plan without the blobs that the sink has already: what a dry run shows. Asks the
    /// sink for every blob, `jobs` at a time; [`Plan::run`] needs no such questions.
    ///
    /// # Errors
    ///
    /// What the sink said.
    pub async fn missing(mut self, sink: &Arc<dyn Sink>, jobs: usize) -> Result<Self, Error> {
        let there = in_order(self.blobs().to_vec(), jobs, |blob| async move {
            let there = sink.has_blob(&blob).await?;
            Ok(there.then_some(blob.digest))
        });
        let there: HashSet<_> = there.await?.into_iter().flatten().collect();
        self.retain_blobs(|digest| !there.contains(digest));
        Ok(self)
    }

    /// Bytes that [`Plan::run`] moves where a registry takes from its own repositories what they
    /// have. It need not, as where the login may not read them: then that moves, too.
    pub fn bytes_to_move(&self, source: &dyn Source, sink: &dyn Sink) -> u64 {
        let moving = self.blobs().iter().filter(|blob| !is_mounted(source, sink, &blob.digest));
        moving.fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// Requests that [`Plan::run`] makes to registries, about: one that takes a small blob at once is
    /// sent fewer; one that refuses a mount, keeps no referrers or is asked for tokens, more. What
    /// fails, comes in parts or is read back is not counted.
    pub fn requests(&self, source: &dyn Source, sink: &dyn Sink) -> usize {
        let to_registry = sink.repository().is_some();
        let blobs = self.blobs().iter().map(|blob| {
            let read = usize::from(source.mount_from(&blob.digest).is_some());
            match to_registry {
                false => read,
                true if is_mounted(source, sink, &blob.digest) => 1,
                // One that begins an upload, one that sends the bytes.
                true => read + 2,
            }
        });
        let puts = self.manifests().map(|found| self.tags(found.digest()).count().max(1));
        blobs.sum::<usize>() + puts.sum::<usize>() * usize::from(to_registry)
    }
}

fn is_mounted(source: &dyn Source, sink: &dyn Sink, blob: &Digest) -> bool {
    let (from, to) = (source.mount_from(blob), sink.repository());
    from.zip(to).is_some_and(|(from, to)| from.registry() == to.registry())
}
