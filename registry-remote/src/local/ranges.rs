//! One blob over several connections, straight to where it belongs.
//!
//! It begins as one stream of the whole. While that is slower than it might be, ranges ahead of it
//! are read at the same time; when the stream reaches them, it is let go, and ranges bring the rest.
//! Whatever goes wrong with a range, one stream brings what is missing.

use std::{
    future::Future,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::{JoinError, JoinSet},
    time::{Instant, timeout},
};

use super::{
    assembly::Assembly,
    feed::Feed,
    pace::{Pace, WINDOW, share},
    spans::Spans,
};
use crate::{
    ByteStream, Error, ErrorKind,
    parts::{Part, Parts},
};

/// Reads what an assembly misses.
pub(super) async fn fetch(parts: Parts, assembly: &Arc<Assembly>) -> Result<(), Error> {
    let crew = Arc::new(Crew::new(parts, assembly));
    // The stream of the whole has a seat too, if there is one, and goes without it otherwise.
    let _seat = crew.parts.seat();
    let mut workers = JoinSet::new();
    if assembly.missing_from() == 0 {
        workers.spawn(stream(Arc::clone(&crew), crew.await_one()));
    } else if assembly.missing_from() < assembly.size() {
        // An earlier process was here. What is asked for now is exactly what is missing.
        workers.spawn(range(Arc::clone(&crew), crew.await_one(), None));
    }
    let (mut pace, mut watched) = (Pace::new(), Window::new(&crew));
    let (mut stopped, mut left, mut failed) = (false, None, None);
    loop {
        let joined = if stopped || pace.is_settled() {
            workers.join_next().await
        } else if let Ok(joined) = timeout(WINDOW, workers.join_next()).await {
            joined
        } else {
            if let Some((bytes, time)) = watched.look(&crew) {
                crew.grow(&mut pace, bytes, time, &mut workers);
            }
            continue;
        };
        match joined.map(|joined| joined.unwrap_or_else(broken)) {
            None => break,
            Some(Ok(End::Done)) => {}
            Some(Ok(End::Met(feed))) if stopped => left = Some(feed),
            Some(Ok(End::Met(_))) => {
                workers.spawn(range(Arc::clone(&crew), crew.await_one(), None));
            }
            Some(Ok(End::NoRanges)) => stopped = true,
            Some(Err(error)) => (stopped, failed) = (true, failed.or(Some(error))),
        }
        if stopped {
            // Nobody may be writing when the rest is read by one.
            crew.stop.send_replace(true);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => finish(&crew, left).await,
    }
}

/// Reads what is missing as one stream: the one that there is, or another.
async fn finish(crew: &Crew, stream: Option<Feed>) -> Result<(), Error> {
    let assembly = &crew.assembly;
    let from = assembly.missing_from();
    let mut feed = match stream {
        _ if from >= assembly.size() => return Ok(()),
        Some(feed) if feed.position() <= from => feed,
        _ => match crew.parts.open(Part::From(from)).await? {
            Some(stream) => Feed::new(stream, from),
            None => return Ok(()),
        },
    };
    feed.pour(assembly, |_| Some(u64::MAX)).await
}

/// How one of the crew ended.
enum End {
    /// It did what there was to do.
    Done,
    /// The stream of the whole has come to what others read.
    Met(Feed),
    /// Ranges are not to be had here, or it was told to stop.
    NoRanges,
}

/// Who reads a blob together.
struct Crew {
    parts: Parts,
    assembly: Arc<Assembly>,
    /// What is here, or being read by one of the crew.
    taken: Mutex<Spans>,
    /// The length of the next range, and how many share what is left.
    length: AtomicU64,
    sharing: AtomicUsize,
    /// Bytes that came, and of how many answers not even the head did.
    received: Arc<AtomicU64>,
    awaited: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Crew {
    fn new(parts: Parts, assembly: &Arc<Assembly>) -> Self {
        let taken = Mutex::new(assembly.written());
        let length = AtomicU64::new(Pace::new().range());
        let sharing = AtomicUsize::new(1);
        let (assembly, received, awaited) = (Arc::clone(assembly), Arc::default(), Arc::default());
        let stop = watch::Sender::new(false);
        Self { parts, assembly, taken, length, sharing, received, awaited, stop }
    }

    /// The next range that nobody reads.
    fn claim(&self) -> Option<Range<u64>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let start = taken.end_from(0);
        let gap = taken.gaps(start..self.assembly.size()).into_iter().next()?;
        Some(self.take(&mut taken, gap))
    }

    /// How far the stream of the whole may go on from `at`; `None` where others are ahead of it.
    fn extend(&self, at: u64) -> Option<u64> {
        let size = self.assembly.size();
        if at >= size {
            // To its end, where it may turn out to be too long.
            return Some(u64::MAX);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = taken.gaps(at..size).into_iter().next().filter(|gap| gap.start == at)?;
        Some(self.take(&mut taken, gap).end)
    }

    fn take(&self, taken: &mut Spans, gap: Range<u64>) -> Range<u64> {
        let left = self.assembly.size().saturating_sub(taken.total());
        let length = self.length.load(Ordering::Relaxed);
        let length = share(length, left, self.sharing.load(Ordering::Relaxed));
        let range = gap.start..gap.end.min(gap.start.saturating_add(length));
        taken.insert(range.clone());
        range
    }

    /// Adds ranges, if what was measured says so, and as far as there are connections for them.
    fn grow(
        self: &Arc<Self>,
        pace: &mut Pace,
        bytes: u64,
        time: Duration,
        workers: &mut JoinSet<Result<End, Error>>,
    ) {
        let left = self.assembly.size().saturating_sub(self.assembly.written().total());
        let (before, wanted) = (workers.len(), pace.observe(bytes, time, left));
        while workers.len() < wanted
            && let Some(seat) = self.parts.seat()
        {
            workers.spawn(range(Arc::clone(self), self.await_one(), Some(seat)));
        }
        pace.limit(workers.len());
        self.length.store(pace.range(), Ordering::Relaxed);
        self.sharing.store(workers.len(), Ordering::Relaxed);
        tracing::debug!(bytes, ?time, before, now = workers.len(), "ranges of a blob");
    }

    /// What `work` returns; `None` once the crew was told to stop.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.subscribe();
        let stopped = std::pin::pin!(stop.wait_for(|stop| *stop));
        match select(std::pin::pin!(work), stopped).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    /// A stream that ends once the crew was told to stop.
    fn stoppable(&self, stream: ByteStream) -> ByteStream {
        let mut stop = self.stop.subscribe();
        Box::pin(stream.take_until(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }))
    }

    /// Throughput is not judged before this answer has begun.
    fn await_one(&self) -> Awaited {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        Awaited(Arc::clone(&self.awaited))
    }
}

/// An answer whose head has not come yet; dropped when it has, or when it will not.
struct Awaited(Arc<AtomicUsize>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the blob as one stream, until others are ahead of it. It goes on when others stop: what
/// it brings is right whatever becomes of ranges.
async fn stream(crew: Arc<Crew>, awaited: Awaited) -> Result<End, Error> {
    let Some(stream) = crew.parts.open(Part::From(0)).await? else { return Ok(End::Done) };
    drop(awaited);
    let mut feed = Feed::new(stream, 0).counted(&crew.received);
    let mut met = false;
    let extend = |at| {
        let end = crew.extend(at);
        met = end.is_none();
        end
    };
    feed.pour(&crew.assembly, extend).await?;
    Ok(if met { End::Met(feed) } else { End::Done })
}

/// Reads one range after another, for as long as there are any.
async fn range(
    crew: Arc<Crew>,
    awaited: Awaited,
    seat: Option<OwnedSemaphorePermit>,
) -> Result<End, Error> {
    let mut awaited = Some(awaited);
    while let Some(range) = crew.claim() {
        let opened = crew.unless_stopped(crew.parts.open(Part::Range(range.clone()))).await;
        awaited.take();
        let stream = match opened {
            Some(Ok(Some(stream))) => stream,
            Some(Err(error)) => return failed(error),
            Some(Ok(None)) | None => return Ok(End::NoRanges),
        };
        let mut feed = Feed::new(crew.stoppable(stream), range.start);
        feed = feed.counted(&crew.received);
        let within = |at| (at < range.end).then_some(range.end);
        match feed.pour(&crew.assembly, within).await {
            Ok(()) if feed.position() == range.end => feed.drain().await,
            Ok(()) => return Ok(End::NoRanges),
            Err(error) => return failed(error),
        }
    }
    drop(seat);
    Ok(End::Done)
}

/// One stream may bring what a range does not; a full disk stays full.
fn failed(error: Error) -> Result<End, Error> {
    if error.kind() == ErrorKind::Local {
        return Err(error);
    }
    tracing::debug!(%error, "a range failed");
    Ok(End::NoRanges)
}

/// The throughput of a crew that is complete.
struct Window {
    since: Instant,
    received: u64,
}

impl Window {
    fn new(crew: &Crew) -> Self {
        Self { since: Instant::now(), received: crew.received.load(Ordering::Relaxed) }
    }

    /// Bytes and time since the last look; nothing while somebody has yet to begin.
    fn look(&mut self, crew: &Crew) -> Option<(u64, Duration)> {
        let now = Self::new(crew);
        let waits = crew.awaited.load(Ordering::Relaxed) > 0;
        let seen = (now.received - self.received, now.since - self.since);
        *self = now;
        (!waits).then_some(seen)
    }
}

fn broken(task: JoinError) -> Result<End, Error> {
    match task.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::Cancelled { what: "the download".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_was_cancelled_says_so() {
        let mut workers = JoinSet::new();
        workers.spawn(std::future::pending::<()>());
        workers.abort_all();
        let joined = workers.join_next().await.unwrap().unwrap_err();
        assert_eq!(broken(joined).map(drop).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
