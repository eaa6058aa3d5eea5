//! Work on several things at a time.

use std::future::Future;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::Error;

/// Does `work` for each item, up to `jobs` at a time; results are in the order of the items. The
/// first error ends it.
pub(super) async fn in_order<T, R, F>(
    items: Vec<T>,
    jobs: usize,
    work: impl Fn(T) -> F,
) -> Result<Vec<R>, Error>
where
    F: Future<Output = Result<R, Error>>,
{
    let numbered = |(at, item)| {
        let done = work(item);
        async move { done.await.map(|result| (at, result)) }
    };
    let mut waiting = items.into_iter().enumerate().map(numbered);
    let mut running: FuturesUnordered<_> = waiting.by_ref().take(jobs.max(1)).collect();
    let mut results = Vec::new();
    while let Some(result) = running.next().await {
        results.push(result?);
        running.extend(waiting.next());
    }
    results.sort_unstable_by_key(|(at, _)| *at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
