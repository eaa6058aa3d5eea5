//! The diff id of a layer, learnt while the layer passes by.

use registry_name::{Algorithm, Digest};

use super::{Decoder, Unpacker};
use crate::{Mismatch, media_type, verify::Hasher};

/// What is unpacked before it is hashed, bytes of the layer.
const BLOCK: usize = 256 << 10;

/// Hashes what is in a layer. Of one that is not compressed that is the layer itself, which
/// somebody else hashes.
#[derive(Debug)]
pub(crate) struct DiffHasher {
    unpacker: Unpacker,
    content: Hasher,
}

impl DiffHasher {
    pub(crate) fn new() -> Self {
        Self { unpacker: Unpacker::default(), content: Hasher::new(Algorithm::Sha256) }
    }

    /// Takes the next bytes of the layer.
    pub(crate) fn update(&mut self, chunk: &[u8]) -> Result<(), Mismatch> {
        for block in chunk.chunks(BLOCK) {
            if matches!(self.unpacker.decoder(), Some(Decoder::Plain)) {
                break;
            }
            self.unpacker.push(block);
            self.unpack()?;
        }
        Ok(())
    }

    /// The diff id of a layer of this digest, and the layer's type as its bytes tell it.
    pub(crate) fn finish(mut self, layer: &Digest) -> Result<(Digest, &'static str), Mismatch> {
        self.unpacker.end();
        self.unpack()?;
        self.unpacker.finish()?;
        Ok(match self.unpacker.decoder() {
            Some(Decoder::Gzip(_)) => (self.content.finish(), media_type::OCI_LAYER_GZIP),
            Some(Decoder::Zstd { .. }) => (self.content.finish(), media_type::OCI_LAYER_ZSTD),
            _ => (layer.clone(), media_type::OCI_LAYER),
        })
    }

    fn unpack(&mut self) -> Result<(), Mismatch> {
        while let Some(piece) = self.unpacker.step()? {
            self.content.update(&piece);
        }
        Ok(())
    }
}
