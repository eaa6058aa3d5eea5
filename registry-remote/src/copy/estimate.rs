//! What a plan costs, without carrying it out.

use std::{collections::HashSet, sync::Arc};

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

    /// Bytes that [`Plan::run`] moves at most: none of what a registry takes from one of its own
    /// repositories.
    pub fn bytes_to_move(&self, source: &dyn Source, sink: &dyn Sink) -> u64 {
        if is_mounted(source, sink) { 0 } else { self.bytes() }
    }

    /// Requests that [`Plan::run`] makes to registries at most, where none fails, no blob comes in
    /// parts and no token is needed.
    pub fn requests(&self, source: &dyn Source, sink: &dyn Sink) -> usize {
        let read = usize::from(source.repository().is_some());
        let (blob, manifest) = match sink.repository() {
            None => (read, 0),
            Some(_) if is_mounted(source, sink) => (1, 1),
            // One that begins an upload, one that sends the bytes.
            Some(_) => (read + 2, 1),
        };
        let puts = self.manifests().map(|found| self.tags(found.digest()).count().max(1));
        self.blobs().len() * blob + puts.sum::<usize>() * manifest
    }
}

fn is_mounted(source: &dyn Source, sink: &dyn Sink) -> bool {
    let (from, to) = (source.repository(), sink.repository());
    from.zip(to).is_some_and(|(from, to)| from.registry() == to.registry())
}
