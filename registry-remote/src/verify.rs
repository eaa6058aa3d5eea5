//! Size and digest, checked while bytes pass by.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use registry_name::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use crate::{ByteStream, Complaint, Descriptor, Error, Mismatch};

/// A hash in the making.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// An empty hash of `algorithm`.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
            _ => State::Sha256(Sha256::new()),
        })
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all that came.
    pub fn finish(self) -> Digest {
        let digest = match self.0 {
            State::Sha256(hash) => Digest::from_bytes(Algorithm::Sha256, &hash.finalize()),
            State::Sha512(hash) => Digest::from_bytes(Algorithm::Sha512, &hash.finalize()),
        };
        let digest =
            digest.unwrap_or_else(|| unreachable!("a hash is as long as its algorithm says"));
        #[cfg(test)]
        tally::count(&digest);
        digest
    }
}

/// How often the tests of this crate hashed a content to its end.
#[cfg(test)]
pub(crate) mod tally {
    use std::{
        collections::HashMap,
        sync::{Mutex, PoisonError},
    };

    use registry_name::Digest;

    static HASHED: Mutex<Option<HashMap<Digest, usize>>> = Mutex::new(None);

    pub(super) fn count(digest: &Digest) {
        let mut hashed = HASHED.lock().unwrap_or_else(PoisonError::into_inner);
        *hashed.get_or_insert_default().entry(digest.clone()).or_default() += 1;
    }

    pub(crate) fn of(digest: &Digest) -> usize {
        let hashed = HASHED.lock().unwrap_or_else(PoisonError::into_inner);
        hashed.as_ref().and_then(|hashed| hashed.get(digest)).copied().unwrap_or_default()
    }
}

/// The digest of bytes in memory.
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// Compares what passes by with a descriptor: never more than its size, and at the end exactly
/// its size and its digest.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Digest,
    size: u64,
    seen: u64,
    hasher: Hasher,
}

impl Verifier {
    /// A verifier that has seen nothing yet.
    pub fn new(descriptor: &Descriptor) -> Self {
        Self {
            expected: descriptor.digest.clone(),
            size: descriptor.size,
            seen: 0,
            hasher: Hasher::new(descriptor.digest.algorithm()),
        }
    }

    /// Bytes seen so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes the next bytes in; refuses the first byte too many.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > self.size {
            return Err(Mismatch::Size { expected: self.size, actual: self.seen });
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Judges the whole.
    pub fn finish(self) -> Result<(), Mismatch> {
        if self.seen != self.size {
            return Err(Mismatch::Size { expected: self.size, actual: self.seen });
        }
        let actual = self.hasher.finish();
        if actual != self.expected {
            return Err(Mismatch::Digest { expected: self.expected, actual });
        }
        Ok(())
    }
}

/// A stream whose end is an error unless size and digest were right.
///
/// Bytes are handed out before the whole is judged; what consumes them must not publish anything
/// until the stream has ended without an error.
pub struct Verified {
    inner: ByteStream,
    verifier: Option<Verifier>,
    what: String,
    complaint: Option<Complaint>,
}

impl Verified {
    /// Verifies `inner` as the content of `descriptor`; `what` names it in an error.
    pub fn new(inner: ByteStream, descriptor: &Descriptor, what: impl Into<String>) -> Self {
        let (verifier, what) = (Some(Verifier::new(descriptor)), what.into());
        Self { inner, verifier, what, complaint: None }
    }

    /// Whom to tell of wrong bytes.
    pub(crate) fn with_complaint(self, complaint: Option<Complaint>) -> Self {
        Self { complaint, ..self }
    }

    fn refuse(&mut self, mismatch: Mismatch) -> Error {
        self.verifier = None;
        if let Some(complain) = self.complaint.take() {
            complain(&mismatch);
        }
        Error::Integrity { what: self.what.clone(), mismatch }
    }
}

impl Stream for Verified {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(verifier) = &mut this.verifier else {
            return Poll::Ready(None);
        };
        let item = ready!(this.inner.as_mut().poll_next(context));
        Poll::Ready(match item {
            Some(Ok(chunk)) => match verifier.update(&chunk) {
                Ok(()) => Some(Ok(chunk)),
                Err(mismatch) => Some(Err(this.refuse(mismatch))),
            },
            Some(Err(error)) => {
                this.verifier = None;
                Some(Err(error))
            }
            None => match this.verifier.take().map(Verifier::finish) {
                Some(Err(mismatch)) => Some(Err(this.refuse(mismatch))),
                _ => None,
            },
        })
    }
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("what", &self.what).finish_non_exhaustive()
    }
}
