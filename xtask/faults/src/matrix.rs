//! What both matrices of cuts need: many short plays, a few at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::task::JoinSet;

use crate::content::{Blob, LAYER_GZIP, noise};
use crate::origin::End;

/// Cuts that share one origin.
pub(crate) const TOGETHER: usize = 64;
/// Below this every byte is a point of its own.
pub(crate) const EACH: usize = 4096;
/// Both ways in which a connection can end.
pub(crate) const ENDS: [End; 2] = [End::Fin, End::Rst];

/// The repository of one of the cuts that share an origin.
pub(crate) fn repository(index: usize) -> String {
    format!("cut/number-{index}")
}

/// A blob of each of these sizes.
pub(crate) fn blobs(sizes: impl Iterator<Item = usize>) -> Arc<BTreeMap<usize, Blob>> {
    let sizes: BTreeSet<_> = sizes.collect();
    let blob = |size| (size, Blob::new(LAYER_GZIP, noise(1, size)));
    Arc::new(sizes.into_iter().map(blob).collect())
}

/// `count` points of a range, at no regular distance, the first one among them.
pub(crate) fn spread(range: Range<usize>, count: usize) -> impl Iterator<Item = usize> {
    let step = range.len() / count;
    (0..count).map(move |n| range.start + n * step + n * 7919 % step.max(1))
}

/// Lets all of these run to their ends, twice as many at a time as there are processors: much of a play is waiting.
pub(crate) async fn side_by_side<P, T>(mut plays: impl Iterator<Item = P>) -> io::Result<Vec<T>>
where
    P: Future<Output = io::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let at_once = 2 * available_parallelism()?.get();
    let mut running = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        while running.len() < at_once
            && let Some(play) = plays.next()
        {
            running.spawn(play);
        }
        match running.join_next().await {
            None => return Ok(ended),
            Some(end) => ended.push(end.map_err(io::Error::other)??),
        }
    }
}
