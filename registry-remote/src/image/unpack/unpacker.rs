//! Compressed content, uncompressed piece by piece as it is given.

use bytes::{Buf as _, Bytes, BytesMut};

use super::decoder::{Decoder, MAGIC};
use crate::Mismatch;

/// What is unpacked at once, bytes.
pub(super) const CHUNK: usize = 64 << 10;

/// Takes what is compressed, and gives what is in it.
#[derive(Debug, Default)]
pub(crate) struct Unpacker {
    /// What came and is not unpacked yet.
    input: BytesMut,
    /// `None` before enough has come to tell.
    decoder: Option<Decoder>,
    ended: bool,
}

impl Unpacker {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.input.extend_from_slice(chunk);
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// How the content turned out to be packed, once some of it has come.
    pub(crate) fn decoder(&self) -> Option<&Decoder> {
        self.decoder.as_ref()
    }

    /// Unpacks some of what came, perhaps nothing yet: `None` where more has to come first.
    pub(crate) fn step(&mut self) -> Result<Option<Bytes>, Mismatch> {
        if self.decoder.is_none() && (self.input.len() >= MAGIC || self.ended) {
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
        if made == 0 && self.ended && !self.input.is_empty() && taken == 0 {
            return Err(Mismatch::Encoding("it cannot be read to its end".to_owned()));
        }
        Ok((made > 0 || taken > 0).then(|| output.into()))
    }

    /// Whether the content may end where it does.
    pub(crate) fn finish(&self) -> Result<(), Mismatch> {
        if self.decoder.as_ref().is_none_or(Decoder::is_finished) {
            return Ok(());
        }
        Err(Mismatch::Encoding("it ends early".to_owned()))
    }

    #[cfg(test)]
    pub(super) fn is_waiting(&self) -> bool {
        !self.input.is_empty()
    }
}
