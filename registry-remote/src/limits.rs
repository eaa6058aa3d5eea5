//! How much one operation reads of manifests: what a stranger lists has no end of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Source};

/// Levels of manifests that are followed, at most: for a platform, in a copy, and of referrers.
pub(crate) const DEPTH: usize = 8;

/// How far a copy follows what manifests and lists of referrers name, whoever wrote them.
///
/// What goes beyond is refused with [`Error::Limit`], before it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Levels of manifests below what was asked for: 8 unless set. An image stands one level below
    /// its index, and two below an index of indexes.
    pub depth: usize,
    /// Manifests below what was asked for and along with it: 10 000 unless set. Where several images
    /// are copied at once, it is so many for each, on average.
    pub manifests: usize,
    /// Bytes of all manifests together, which are held in memory: 256 MiB unless set.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: DEPTH, manifests: 10_000, bytes: 256 << 20 }
    }
}

/// What is left of [`Limits`] to one operation.
#[derive(Debug)]
pub(crate) struct Allowance {
    limits: Limits,
    most: u64,
    manifests: AtomicU64,
    bytes: AtomicU64,
    location: String,
}

impl Allowance {
    /// What an operation that was asked for so many images may read of `source`.
    pub(crate) fn new(source: &dyn Source, limits: Limits, asked: usize) -> Self {
        let most = limits.manifests.saturating_mul(asked.max(1)) as u64;
        let (manifests, bytes) = (AtomicU64::new(most), AtomicU64::new(limits.bytes));
        Self { limits, most, manifests, bytes, location: source.location() }
    }

    /// What is usual, for one image.
    pub(crate) fn usual(source: &dyn Source) -> Self {
        Self::new(source, Limits::default(), 1)
    }

    /// So many manifests will be asked for. They count from when they are met: what waits is in
    /// memory too.
    pub(crate) fn count(&self, manifests: usize) -> Result<(), Error> {
        if take(&self.manifests, manifests as u64) {
            return Ok(());
        }
        Err(self.exceeded("the number of manifests", format!("{} manifests", self.most)))
    }

    /// A manifest of so many bytes will be read; or was, where nobody said before how long it is.
    pub(crate) fn read(&self, bytes: u64) -> Result<(), Error> {
        if take(&self.bytes, bytes) {
            return Ok(());
        }
        let limit = format!("{} bytes", self.limits.bytes);
        Err(self.exceeded("the size of the manifests, all together,", limit))
    }

    /// Whether there may be manifests on this level; those on the first are named by what was asked
    /// for.
    pub(crate) fn level(&self, level: usize) -> Result<(), Error> {
        if level <= self.limits.depth {
            return Ok(());
        }
        Err(self.exceeded("the nesting of indexes", format!("{} levels", self.limits.depth)))
    }

    /// The same for what has another limit.
    pub(crate) fn exceeded(&self, what: &str, limit: String) -> Error {
        Error::Limit { what: format!("{what} in {}", self.location), limit }
    }
}

/// Takes from what is left, if that is enough.
fn take(left: &AtomicU64, amount: u64) -> bool {
    let enough = |left: u64| left.checked_sub(amount);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough).is_ok()
}
