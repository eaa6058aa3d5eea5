//! What both matrices of cuts need: many short plays, a few at a time.

use std::future::Future;
use std::io;
use std::thread::available_parallelism;

use tokio::task::JoinSet;

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
