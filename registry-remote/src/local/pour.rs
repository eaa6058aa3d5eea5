//! From a stream into a file: in batches, verified, in a bounded amount of memory.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf as _, Bytes};
use futures_util::{
    StreamExt as _,
    future::{self, BoxFuture},
};

use super::blocking;
use crate::{ByteStream, Descriptor, Error, Source, Verifier};

/// Bytes that are hashed and written at once. Two batches are in memory: one that is written
/// while the next is read.
const BATCH: usize = 512 * 1024;

/// A place in a file where something is written.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    file: Arc<File>,
    base: u64,
    /// What a message calls the file.
    path: PathBuf,
}

impl Slot {
    pub(crate) fn new(file: Arc<File>, base: u64, path: &Path) -> Self {
        Self { file, base, path: path.to_owned() }
    }

    /// Writes `bytes`, `offset` bytes from the start of the slot. Slots of one file can be written
    /// at the same time.
    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        write_all_at(&self.file, bytes, self.base.saturating_add(offset))
            .map_err(Error::local("write", &self.path))
    }
}

/// Reads a blob from `source` into `slot`; when it returns, size and digest were right.
///
/// Bytes that differ from their descriptor are read once more, from the start: they may have been
/// damaged on the way. What fails here, such as a full disk, is not tried again.
pub(crate) async fn pour(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    slot: &Slot,
) -> Result<(), Error> {
    match attempt(source, descriptor, slot).await {
        Err(Error::Integrity { .. }) => attempt(source, descriptor, slot).await,
        done => done,
    }
}

async fn attempt(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    slot: &Slot,
) -> Result<(), Error> {
    let what = format!("blob {} of {}", descriptor.digest, source.location());
    let mut stream = Batches { inner: source.open_blob(descriptor, 0).await?, rest: Bytes::new() };
    let (slot, verifier) = (slot.clone(), Verifier::new(descriptor));
    let mut work: BoxFuture<'static, _> =
        Box::pin(future::ok(Work { slot, verifier, what, batch: Vec::new() }));
    let mut batch = Vec::new();
    loop {
        let more = stream.fill(&mut batch).await;
        // Even where reading failed: the next attempt must not meet this one's last write.
        let mut done: Work = work.await?;
        let more = more?;
        std::mem::swap(&mut batch, &mut done.batch);
        work = Box::pin(blocking(move || done.write()));
        if !more {
            return work.await?.judge();
        }
    }
}

/// A stream cut into batches.
struct Batches {
    inner: ByteStream,
    /// What did not fit into the last batch.
    rest: Bytes,
}

impl Batches {
    /// Fills an empty batch; says whether there may be more.
    async fn fill(&mut self, batch: &mut Vec<u8>) -> Result<bool, Error> {
        while batch.len() < BATCH {
            if self.rest.is_empty() {
                match self.inner.next().await {
                    Some(chunk) => self.rest = chunk?,
                    None => return Ok(false),
                }
            }
            let part = self.rest.len().min(BATCH - batch.len());
            batch.extend_from_slice(&self.rest[..part]);
            self.rest.advance(part);
        }
        Ok(true)
    }
}

/// A batch on its way to the disk, and what is known of those before it.
struct Work {
    slot: Slot,
    verifier: Verifier,
    what: String,
    batch: Vec<u8>,
}

impl Work {
    /// Nothing is written beyond the size that the descriptor promises.
    fn write(mut self) -> Result<Self, Error> {
        let at = self.verifier.seen();
        if let Err(mismatch) = self.verifier.update(&self.batch) {
            return Err(Error::Integrity { what: self.what, mismatch });
        }
        self.slot.write_at(at, &self.batch)?;
        self.batch.clear();
        Ok(self)
    }

    fn judge(self) -> Result<(), Error> {
        let what = self.what;
        self.verifier.finish().map_err(|mismatch| Error::Integrity { what, mismatch })
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
