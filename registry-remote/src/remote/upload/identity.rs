//! What bytes that pass by turn out to be.

use registry_name::{Algorithm, Digest};

use crate::{Descriptor, Error, Mismatch, image::DiffHasher, verify::Hasher};

/// Size and digest in the making, and the diff id of a layer.
#[derive(Debug)]
pub(super) struct Identity {
    hasher: Hasher,
    size: u64,
    diff: Option<DiffHasher>,
    /// What is read: "what is pushed to ghcr.io/a/b".
    what: String,
}

impl Identity {
    pub(super) fn new(diff: Option<DiffHasher>, what: String) -> Self {
        Self { hasher: Hasher::new(Algorithm::Sha256), size: 0, diff, what }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.hasher.update(chunk);
        self.size += chunk.len() as u64;
        let updated = self.diff.as_mut().map_or(Ok(()), |diff| diff.update(chunk));
        updated.map_err(|mismatch| self.refuse(mismatch))
    }

    pub(super) fn finish(mut self) -> Result<(Descriptor, Option<Digest>), Error> {
        let diff = self.diff.take();
        let digest = self.hasher.clone().finish();
        let diff_id = match diff.map(|diff| diff.finish(&digest)).transpose() {
            Ok(found) => found.map(|(diff_id, _)| diff_id),
            Err(mismatch) => return Err(self.refuse(mismatch)),
        };
        Ok((Descriptor::unknown(digest, self.size), diff_id))
    }

    fn refuse(&self, mismatch: Mismatch) -> Error {
        Error::Integrity { what: self.what.clone(), mismatch }
    }
}
