//! From a source into a file: in batches, verified, in a bounded amount of memory.

use std::{
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{assembly::Assembly, draft::Draft, feed::Feed, ranges, read, spans::Spans};
use crate::{Descriptor, Error, Source, store::open_blob, tuning::RANGED_FROM};

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

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::local("write", &self.path))
    }

    /// What is at `range` of the slot, less where the file ends.
    pub(crate) fn read_at(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let at = |offset: u64| self.base.saturating_add(offset);
        read::bytes_at(&self.file, at(range.start)..at(range.end))
            .map_err(Error::local("read", &self.path))
    }
}

/// Reads a blob from `source` into `slot`; when it returns, size and digest were right.
///
/// Bytes that differ from their descriptor are read once more, from the start and as one stream:
/// they may have been damaged on the way. After an answer that was refused unread, what is missing
/// is asked for once more. What fails here, such as a full disk, is not tried again.
pub(crate) async fn pour(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    slot: &Slot,
) -> Result<(), Error> {
    twice(source, descriptor, slot, None, || Ok(())).await
}

/// The same for a whole file, where what an earlier process left of it is used.
pub(crate) async fn pour_into(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    draft: &Draft,
) -> Result<(), Error> {
    let known = draft.known().cloned();
    twice(source, descriptor, &draft.slot(0), known, || draft.forget()).await
}

/// `known`: what is there already, where that is kept; `forget` takes it away.
async fn twice(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    slot: &Slot,
    known: Option<Spans>,
    forget: impl FnOnce() -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let what = format!("blob {} of {}", descriptor.digest, source.location());
    let none = known.as_ref().map(|_| Spans::default());
    let is_mixed = known.as_ref().is_some_and(|known| known.total() > 0);
    let mut complaint = source.complaint(&descriptor.digest);
    let first = Assembly::new(slot, descriptor, &what, known);
    let mut poured = attempt(source, descriptor, &first, true).await;
    if let Err(error) = &poured
        && error.is_announced()
    {
        tracing::warn!(blob = %descriptor.digest, %error, "asking once more for what is missing");
        poured = attempt(source, descriptor, &first, true).await;
    }
    let (first, mismatch) = match poured {
        Err(Error::Integrity { what, mismatch }) if !mismatch.is_announced() => (what, mismatch),
        done => return done,
    };
    forget()?;
    // Where some of it was here before, that may be what is wrong: the source is not to blame yet.
    if let Some(complain) = complaint.take_if(|_| !is_mixed) {
        complain(&mismatch);
    }
    tracing::warn!(blob = %descriptor.digest, %mismatch, "reading it again from the start");
    let what = format!("{what}, read twice (at first: {mismatch}),");
    let again = Assembly::new(slot, descriptor, &what, none);
    let poured = attempt(source, descriptor, &again, false).await;
    match (poured, complaint) {
        // It was thrown away because of what was wrong with it.
        (Err(Error::NotFound { .. }), None) => Err(Error::Integrity { what: first, mismatch }),
        (Err(Error::Integrity { what, mismatch }), Some(complain)) if !mismatch.is_announced() => {
            complain(&mismatch);
            Err(Error::Integrity { what, mismatch })
        }
        (done, _) => done,
    }
}

/// Reads what is missing, in ranges where that may help.
async fn attempt(
    source: &Arc<dyn Source>,
    descriptor: &Descriptor,
    assembly: &Arc<Assembly>,
    in_ranges: bool,
) -> Result<(), Error> {
    let parts = source.parts(descriptor).filter(|_| in_ranges && descriptor.size >= RANGED_FROM);
    if let Some(parts) = parts {
        ranges::fetch(parts, assembly).await?;
    } else {
        let from = assembly.missing_from();
        let stream = open_blob(source.as_ref(), descriptor, from).await?;
        let mut feed = Feed::new(stream, from);
        feed.pour(assembly, |_| Some(u64::MAX)).await?;
    }
    assembly.judge().await
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
