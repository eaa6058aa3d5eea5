//! A stream on its way into an assembly: cut into batches, one being written while the next is read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt as _,
    future::{self, BoxFuture},
};

use super::{assembly::Assembly, blocking};
use crate::{ByteStream, Error};

/// Bytes that are hashed and written at once, or about as many. Two batches of each stream are in
/// memory.
const BATCH: usize = 256 * 1024;

/// A stream of a blob's bytes from `position` on.
pub(crate) struct Feed {
    stream: ByteStream,
    ended: bool,
    /// How the stream ended, until what came before that is written.
    failed: Option<Error>,
    /// What did not fit into the last batch.
    rest: Bytes,
    position: u64,
    /// Bytes that came, here and elsewhere.
    received: Arc<AtomicU64>,
}

impl Feed {
    /// A stream whose first byte belongs at `position`.
    pub(crate) fn new(stream: ByteStream, position: u64) -> Self {
        Self {
            stream,
            ended: false,
            failed: None,
            rest: Bytes::new(),
            position,
            received: Arc::default(),
        }
    }

    /// Counts what comes in `received` too.
    pub(crate) fn counted(mut self, received: &Arc<AtomicU64>) -> Self {
        self.received = Arc::clone(received);
        self
    }

    /// The next byte's place.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Pours until the stream ends, or as far as it may: at each end that `end` gave, it is asked
    /// for the next, and may say that there is none.
    ///
    /// When this returns, even with an error, nothing is being written any more.
    pub(crate) async fn pour(
        &mut self,
        assembly: &Arc<Assembly>,
        mut end: impl FnMut(u64) -> Option<u64> + Send,
    ) -> Result<(), Error> {
        let mut work: BoxFuture<'static, _> = Box::pin(future::ok(()));
        let mut stop = self.position;
        loop {
            let at = self.position;
            let batch = self.batch(&mut stop, &mut end).await;
            work.await?;
            let (batch, is_copied) = batch?;
            if batch.is_empty() {
                return Ok(());
            }
            let assembly = Arc::clone(assembly);
            work = Box::pin(blocking(move || assembly.write(at, &batch)));
            if !is_copied {
                // The connection reads on by itself, as much again: two such pieces are enough.
                work.await?;
                work = Box::pin(future::ok(()));
            }
        }
    }

    /// Reads the end of a stream that has brought all it was asked for: its connection can be used
    /// again then.
    pub(crate) async fn drain(mut self) {
        let _ = self.stream.next().await;
    }

    /// The next bytes; none where the stream ends, or may not go on. What came in large pieces is
    /// not copied; says whether it was.
    async fn batch(
        &mut self,
        stop: &mut u64,
        end: &mut (impl FnMut(u64) -> Option<u64> + Send),
    ) -> Result<(Bytes, bool), Error> {
        let mut batch = BytesMut::new();
        while batch.len() < BATCH {
            if self.position >= *stop {
                match end(self.position) {
                    Some(next) => *stop = next,
                    None => break,
                }
                continue;
            }
            if self.rest.is_empty() && !self.read().await {
                break;
            }
            let room = usize::try_from(*stop - self.position).unwrap_or(usize::MAX);
            let is_large = batch.is_empty() && self.rest.len().min(room) >= BATCH / 2;
            let room = if is_large { room } else { room.min(BATCH - batch.len()) };
            let part = self.rest.split_to(self.rest.len().min(room));
            self.position += part.len() as u64;
            if is_large {
                return Ok((part, false));
            }
            batch.reserve(BATCH - batch.len());
            batch.extend_from_slice(&part);
        }
        match self.failed.take_if(|_| batch.is_empty()) {
            Some(error) => Err(error),
            None => Ok((batch.freeze(), true)),
        }
    }

    /// Reads on; says whether there was more.
    async fn read(&mut self) -> bool {
        if self.ended {
            return false;
        }
        match self.stream.next().await {
            Some(Ok(chunk)) => {
                self.rest = chunk;
                self.received.fetch_add(self.rest.len() as u64, Ordering::Relaxed);
            }
            Some(Err(error)) => (self.ended, self.failed) = (true, Some(error)),
            None => self.ended = true,
        }
        !self.ended
    }
}
