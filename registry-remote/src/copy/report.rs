//! What a copy did.

use super::plan::Root;
use crate::{Descriptor, Stored};

/// What a copy did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What arrived, by the digest under which it is known there; of several images, the first that
    /// was asked for.
    pub root: Descriptor,
    /// Everything that was asked for, then what went along with it.
    pub roots: Vec<Root>,
    /// Manifests that were to go along, of types that the sink turned out not to take; the
    /// [`roots`](Self::roots) are without them.
    pub refused: Vec<Descriptor>,
    /// Manifests written; none where everything was there.
    pub manifests: usize,
    /// Blobs whose bytes moved.
    pub written: usize,
    /// Blobs that were there already.
    pub present: usize,
    /// Blobs that the registry took from another of its repositories.
    pub mounted: usize,
    /// Size of the blobs whose bytes moved.
    pub bytes: u64,
}

impl Report {
    pub(super) fn new(root: Descriptor, roots: Vec<Root>) -> Self {
        let refused = Vec::new();
        Self { root, roots, refused, manifests: 0, written: 0, present: 0, mounted: 0, bytes: 0 }
    }

    pub(super) fn refuse(&mut self, manifest: Descriptor) {
        self.roots.retain(|root| root.descriptor.digest != manifest.digest);
        self.refused.push(manifest);
    }

    pub(super) fn count(&mut self, stored: Stored, bytes: u64) {
        match stored {
            Stored::Written => {
                self.written += 1;
                self.bytes = self.bytes.saturating_add(bytes);
            }
            Stored::Present => self.present += 1,
            Stored::Mounted => self.mounted += 1,
        }
    }
}
