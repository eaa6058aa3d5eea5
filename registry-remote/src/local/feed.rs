//! A stream on its way into an assembly: cut into batches, one being written while the next is read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Buf as _, Bytes};
use futures_util::{
    StreamExt as _,
    future::{self, BoxFuture},
};

use super::{assembly::Assembly, blocking};
use crate::{ByteStream, Error};

/// Bytes that are hashed and written at once. Two batches of each stream are in memory.
const BATCH: usize = 256 * 1024;

/// A stream of a blob's bytes from `position` on.
pub(crate) struct Feed {
    stream: ByteStream,
    /// What did not fit into the last batch.
    rest: Bytes,
    position: u64,
    /// Bytes that came, here and elsewhere.
    received: Arc<AtomicU64>,
}

impl Feed {
    /// A stream whose first byte belongs at `position`.
    pub(crate) fn new(stream: ByteStream, position: u64) -> Self {
        Self { stream, rest: Bytes::new(), position, received: Arc::default() }
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
        let mut work: BoxFuture<'static, _> = Box::pin(future::ok(Vec::new()));
        let mut batch = Vec::new();
        let mut stop = self.position;
        loop {
            let mut more = true;
            let mut read = Ok(());
            while more && batch.len() < BATCH {
                if self.position >= stop {
                    match end(self.position) {
                        Some(next) => stop = next,
                        None => more = false,
                    }
                    continue;
                }
                match self.take(&mut batch, stop).await {
                    Ok(taken) => more = taken,
                    Err(error) => (read, more) = (Err(error), false),
                }
            }
            let done: Result<Vec<u8>, Error> = work.await;
            let at = self.position - batch.len() as u64;
            let mut full = std::mem::replace(&mut batch, done?);
            read?;
            if full.is_empty() && !more {
                return Ok(());
            }
            let assembly = Arc::clone(assembly);
            work = Box::pin(blocking(move || {
                assembly.write(at, &full)?;
                full.clear();
                Ok(full)
            }));
            if !more {
                return work.await.map(drop);
            }
        }
    }

    /// Reads the end of a stream that has brought all it was asked for: its connection can be used
    /// again then.
    pub(crate) async fn drain(mut self) {
        let _ = self.stream.next().await;
    }

    /// Moves bytes that lie before `stop` into a batch that is not full; says whether there may be
    /// more.
    async fn take(&mut self, batch: &mut Vec<u8>, stop: u64) -> Result<bool, Error> {
        if self.rest.is_empty() {
            let Some(chunk) = self.stream.next().await else { return Ok(false) };
            self.rest = chunk?;
            self.received.fetch_add(self.rest.len() as u64, Ordering::Relaxed);
        }
        let room = usize::try_from(stop - self.position).unwrap_or(usize::MAX);
        let part = self.rest.len().min(BATCH - batch.len()).min(room);
        batch.extend_from_slice(&self.rest[..part]);
        self.rest.advance(part);
        self.position += part as u64;
        Ok(true)
    }
}
