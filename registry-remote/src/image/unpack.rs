//! Compressed content, uncompressed and verified while it passes by.

mod decoder;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_core::Stream;
use registry_name::Digest;

pub(crate) use self::decoder::Decoder;
use self::decoder::MAGIC;
use crate::{Error, Mismatch, Verified, verify::Hasher};

/// What is unpacked at once, bytes.
const CHUNK: usize = 64 << 10;

/// The content of a compressed stream: see [`Layer::uncompressed`](super::Layer::uncompressed).
///
/// Its end is an error unless what was compressed and what came out are what they should be. Bytes
/// are handed out before the whole is judged.
pub struct Unpacked {
    /// `None` once it ended.
    packed: Option<Verified>,
    /// What came and is not unpacked yet.
    input: BytesMut,
    /// `None` before enough has come to tell.
    decoder: Option<Decoder>,
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
        let input = BytesMut::new();
        Self { packed: Some(packed), input, decoder: None, expected, what, finished: false }
    }

    /// How the content turned out to be packed, once some of it has come.
    pub(crate) fn decoder(&self) -> Option<&Decoder> {
        self.decoder.as_ref()
    }

    /// Unpacks some of what came: `None` where more has to come first.
    fn step(&mut self) -> Result<Option<Bytes>, Mismatch> {
        let ended = self.packed.is_none();
        if self.decoder.is_none() && (self.input.len() >= MAGIC || ended) {
            self.decoder = Some(Decoder::for_content(&self.input)?);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        if let Decoder::Plain = decoder {
            let rest = self.input.split().freeze();
            return Ok((!rest.is_empty()).then_some(rest));
        }
        let mut output = vec![0; CHUNK];
        let (taken, made) = decoder.decode(&self.input, &mut output)?;
        self.input.advance(taken);
        output.truncate(made);
        if made == 0 && ended && !self.input.is_empty() && taken == 0 {
            return Err(Mismatch::Encoding("it cannot be read to its end".to_owned()));
        }
        Ok((made > 0 || taken > 0).then(|| output.into()))
    }

    /// After the last byte: whether it was the last one, and the content the right one.
    fn finish(&mut self) -> Result<(), Mismatch> {
        if !self.decoder.as_ref().is_none_or(Decoder::is_finished) {
            return Err(Mismatch::Encoding("it ends early".to_owned()));
        }
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
            match this.step() {
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
                Some(Ok(chunk)) => this.input.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    this.finished = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.packed = None,
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
