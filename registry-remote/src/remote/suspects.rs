//! Which mirrors sent the bytes of which blobs: whether those are right shows when all are here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use registry_name::Digest;
use registry_transport::{MirrorOrigin, Response};

/// Answers that are remembered.
const MAX: usize = 1024;

/// The latest answers of mirrors. All clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(Arc<Mutex<VecDeque<(Digest, MirrorOrigin)>>>);

impl Suspects {
    /// Remembers where bytes of `blob` come from.
    pub(super) fn note(&self, blob: &Digest, response: &Response) {
        let Some(mirror) = response.mirror() else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX {
            all.pop_front();
        }
        all.push_back((blob.clone(), mirror.clone()));
    }

    /// The bytes of `blob` were wrong: no mirror that sent any of them is asked again.
    pub(super) fn distrust(&self, blob: &Digest) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, mirror) in all.iter().filter(|(of, _)| of == blob) {
            mirror.distrust();
        }
        all.retain(|(of, _)| of != blob);
    }
}
