//! What happens during a copy, for progress and logs.

use std::{fmt, sync::Arc};

use registry_name::{Digest, Tag};

use crate::{Descriptor, Stored};

/// Is called with each event, on whatever task meets it: it must not block.
pub type CopyListener = Arc<dyn Fn(&CopyEvent) + Send + Sync>;

/// What happens during a copy. A blob is queued, started, read or mounted, and done; bytes that are
/// read are bytes that are written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CopyEvent {
    /// Everything to do is known.
    Planned {
        /// Blobs that will be asked for.
        blobs: usize,
        /// Their size together, in bytes.
        bytes: u64,
        /// Manifests that will be written.
        manifests: usize,
    },
    /// A tag stays, since it names something else already and may not be moved.
    Skipped {
        /// The tag.
        tag: Tag,
        /// What would have been written.
        digest: Digest,
    },
    /// A layer does not travel: its registry declares it as not for redistribution.
    LeftOut {
        /// Which.
        blob: Descriptor,
    },
    /// A blob waits for its turn.
    Queued {
        /// Which.
        blob: Descriptor,
    },
    /// A blob's turn has come.
    Started {
        /// Which.
        blob: Descriptor,
    },
    /// A blob is read from `offset` on: from 0 at first, from elsewhere after an interruption.
    Reading {
        /// Which blob.
        blob: Digest,
        /// From which byte on.
        offset: u64,
    },
    /// Some bytes of a blob were read.
    Moved {
        /// Which blob.
        blob: Digest,
        /// How many bytes since the last such event.
        bytes: u64,
    },
    /// An interrupted transfer goes on where it stopped.
    Resumed {
        /// Which blob.
        blob: Digest,
        /// From which byte on.
        offset: u64,
    },
    /// A transfer starts again from the first byte.
    Retried {
        /// Which blob.
        blob: Digest,
    },
    /// A blob is in the sink: done.
    Blob {
        /// Which.
        blob: Descriptor,
        /// How it came there: written, mounted, or there all along.
        stored: Stored,
    },
    /// A manifest is in the sink: done.
    Manifest {
        /// Which.
        manifest: Descriptor,
        /// The tags that point at it now.
        tags: Vec<Tag>,
    },
}

/// A listener, or nobody; part of what is `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Listener(pub(crate) Option<CopyListener>);

impl Listener {
    pub(crate) fn tell(&self, event: impl FnOnce() -> CopyEvent) {
        if let Some(listener) = &self.0 {
            listener(&event());
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener(1)" } else { "Listener(0)" })
    }
}
