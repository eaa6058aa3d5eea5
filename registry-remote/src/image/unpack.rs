//! Compressed content, uncompressed and verified while it passes by.

mod decoder;
mod diff;
mod unpacker;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use registry_name::Digest;

use self::{decoder::Decoder, unpacker::Unpacker};
pub(crate) use self::{decoder::is_packed, diff::DiffHasher};
use crate::{Error, Mismatch, Verified, verify::Hasher};

/// The content of a compressed stream: see [`Layer::uncompressed`](super::Layer::uncompressed).
///
/// Its end is an error unless what was compressed and what came out are what they should be. Bytes
/// are handed out before the whole is judged.
pub struct Unpacked {
    /// `None` once it ended.
    packed: Option<Verified>,
    unpacker: Unpacker,
    /// `None` where nothing is known of the content.
    expected: Option<(Digest, Hasher)>,
    what: String,
    finished: bool,
}

impl Unpacked {
    pub(crate) fn new(packed: Verified, diff_id: Option<Digest>, what: String) -> Self {
        let expected = diff_id.map(|digest| {
            let hasher = Hasher::new(digest.algorithm());
            (digest, hasher)
        });
        let unpacker = Unpacker::default();
        Self { packed: Some(packed), unpacker, expected, what, finished: false }
    }

    /// After the last byte: whether it was the last one, and the content the right one.
    fn finish(&mut self) -> Result<(), Mismatch> {
        self.unpacker.finish()?;
        match self.expected.take() {
            Some((expected, hasher)) => {
                let actual = hasher.finish();
                if actual == expected { Ok(()) } else { Err(Mismatch::Digest { expected, actual }) }
            }
            None => Ok(()),
        }
    }

    fn refuse(&mut self, mismatch: Mismatch) -> Error {
        self.finished = true;
        Error::Integrity { what: self.what.clone(), mismatch }
    }
}

impl Stream for Unpacked {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.finished {
                return Poll::Ready(None);
            }
            match this.unpacker.step() {
                Ok(Some(chunk)) if chunk.is_empty() => continue,
                Ok(Some(chunk)) => {
                    if let Some((_, hasher)) = &mut this.expected {
                        hasher.update(&chunk);
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Ok(None) => {}
                Err(mismatch) => return Poll::Ready(Some(Err(this.refuse(mismatch)))),
            }
            let Some(packed) = &mut this.packed else {
                let judged = this.finish();
                this.finished = true;
                return Poll::Ready(judged.err().map(|mismatch| Err(this.refuse(mismatch))));
            };
            match ready!(Pin::new(packed).poll_next(context)) {
                Some(Ok(chunk)) => this.unpacker.push(&chunk),
                Some(Err(error)) => {
                    this.finished = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.packed = None;
                    this.unpacker.end();
                }
            }
        }
    }
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacked").field("what", &self.what).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
