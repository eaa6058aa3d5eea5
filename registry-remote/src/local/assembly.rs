//! A blob put together in a file, in whatever order its bytes come, with the hash following.
//!
//! Every byte is written once and hashed once: what comes in order is hashed from memory, what came
//! ahead of its turn is read back from the file, which the system still has in memory then.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{blocking, pour::Slot, spans::Spans};
use crate::{Descriptor, Error, Mismatch, Verifier};

/// Bytes that are read back at once.
const BACK: u64 = 256 * 1024;
/// Bytes after which the disk is to begin with them: at the end, when all has to be on it, little
/// is left to wait for.
const BEHIND: u64 = 16 << 20;

/// A blob in the making. Shared by all who write to it.
#[derive(Debug)]
pub(crate) struct Assembly {
    slot: Slot,
    size: u64,
    what: String,
    /// Whether what is here is noted behind the blob, for another process.
    noted: bool,
    state: Mutex<State>,
    /// Somebody is done with hashing, or with waiting for the disk.
    done: Notify,
}

#[derive(Debug)]
struct State {
    written: Spans,
    /// Not there while somebody hashes. When it is, nothing that could be hashed waits.
    hash: Option<Verifier>,
    /// Bytes that the disk was not told to begin with.
    behind: u64,
    /// Somebody waits for the disk.
    syncs: bool,
    failed: Option<Error>,
}

impl Assembly {
    /// `known`: what of the blob is in `slot` already, where it is to be noted what else is.
    pub(crate) fn new(
        slot: &Slot,
        descriptor: &Descriptor,
        what: &str,
        known: Option<Spans>,
    ) -> Arc<Self> {
        let hash = Some(Verifier::new(descriptor));
        let (noted, written) = (known.is_some(), known.unwrap_or_default());
        let (slot, size, what) = (slot.clone(), descriptor.size, what.to_owned());
        let state = Mutex::new(State { written, hash, behind: 0, syncs: false, failed: None });
        let assembly = Arc::new(Self { slot, size, what, noted, state, done: Notify::new() });
        assembly.follow();
        assembly
    }

    /// The blob's size, bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What is here.
    pub(crate) fn written(&self) -> Spans {
        self.state().written.clone()
    }

    /// The first byte that is missing.
    pub(crate) fn missing_from(&self) -> u64 {
        self.state().written.end_from(0)
    }

    /// Writes bytes where they belong, but none that is here already. Waits for the disk.
    ///
    /// Two must not write the same bytes at the same time.
    pub(crate) fn write(self: &Arc<Self>, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = at.saturating_add(bytes.len() as u64);
        if end > self.size {
            let mismatch = Mismatch::Size { expected: self.size, actual: end };
            return Err(Error::Integrity { what: self.what.clone(), mismatch });
        }
        let missing = self.state().written.gaps(at..end);
        for gap in &missing {
            self.slot.write_at(gap.start, part(bytes, at, gap))?;
        }
        if let Some(mut hash) = self.note(at..end, missing.first() == Some(&(at..end)))? {
            let hashed = hash.update(bytes);
            self.state().hash = Some(hash);
            self.done.notify_waiters();
            self.checked(hashed)?;
        }
        self.follow();
        self.sync_behind(bytes.len() as u64);
        Ok(())
    }

    /// Notes what was written, and hands out the hash where exactly these bytes are next.
    fn note(&self, range: Range<u64>, whole: bool) -> Result<Option<Verifier>, Error> {
        let mut state = self.state();
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        state.written.insert(range.clone());
        if self.noted {
            // Under the lock, so that a later note never gives way to an earlier one.
            self.slot.write_at(self.size, state.written.to_line(self.size).as_bytes())?;
        }
        Ok(state.hash.take_if(|hash| whole && hash.seen() == range.start))
    }

    /// Waits until everything is hashed and nobody is at the file any more, and judges it.
    pub(crate) async fn judge(&self) -> Result<(), Error> {
        loop {
            let done = self.done.notified();
            let hash = {
                let mut state = self.state();
                if let Some(failed) = state.failed.take() {
                    return Err(failed);
                }
                if state.syncs { None } else { state.hash.take() }
            };
            match hash {
                Some(hash) => return self.checked(hash.finish()),
                None => done.await,
            }
        }
    }

    /// Has the disk begin with what was written, if that is much by now and it does not yet.
    ///
    /// A file says only once that the disk failed: to whoever waits for it first. So it is noted.
    fn sync_behind(self: &Arc<Self>, bytes: u64) {
        let mut state = self.state();
        state.behind = state.behind.saturating_add(bytes);
        if state.syncs || state.behind < BEHIND {
            return;
        }
        (state.syncs, state.behind) = (true, 0);
        drop(state);
        let this = Arc::clone(self);
        drop(blocking(move || {
            let synced = this.slot.sync();
            let mut state = this.state();
            state.syncs = false;
            if let Err(error) = synced {
                state.failed.get_or_insert(error);
            }
            drop(state);
            this.done.notify_waiters();
            Ok(())
        }));
    }

    /// Hashes what came ahead of its turn, if its turn has come and nobody does.
    fn follow(self: &Arc<Self>) {
        let waits =
            |state: &State, hash: &Verifier| state.written.end_from(hash.seen()) > hash.seen();
        let mut state = self.state();
        let Some(hash) = state.hash.take() else { return };
        if state.failed.is_some() || !waits(&state, &hash) {
            state.hash = Some(hash);
            return;
        }
        drop(state);
        let this = Arc::clone(self);
        drop(blocking(move || {
            let mut hash = hash;
            loop {
                let end = this.state().written.end_from(hash.seen());
                let read = this.read_back(&mut hash, end);
                let mut state = this.state();
                if let Err(error) = read {
                    state.failed = Some(error);
                } else if waits(&state, &hash) {
                    continue;
                }
                state.hash = Some(hash);
                drop(state);
                this.done.notify_waiters();
                return Ok(());
            }
        }));
    }

    fn read_back(self: &Arc<Self>, hash: &mut Verifier, end: u64) -> Result<(), Error> {
        while hash.seen() < end {
            // Whoever was to judge it has gone; the draft is locked for as long as this goes on.
            if Arc::strong_count(self) == 1 {
                return Err(Error::Cancelled { what: self.what.clone() });
            }
            let from = hash.seen();
            let bytes = self.slot.read_at(from..end.min(from.saturating_add(BACK)))?;
            if bytes.is_empty() {
                let mismatch = Mismatch::Size { expected: self.size, actual: from };
                return Err(Error::Integrity { what: self.what.clone(), mismatch });
            }
            self.checked(hash.update(&bytes))?;
        }
        Ok(())
    }

    fn checked(&self, judged: Result<(), Mismatch>) -> Result<(), Error> {
        judged.map_err(|mismatch| Error::Integrity { what: self.what.clone(), mismatch })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of `range`, where `bytes` start at `at`.
fn part<'a>(bytes: &'a [u8], at: u64, range: &Range<u64>) -> &'a [u8] {
    let index = |position: u64| usize::try_from(position - at).unwrap_or(usize::MAX);
    bytes.get(index(range.start)..index(range.end)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
