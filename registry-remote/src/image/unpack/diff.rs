//! The diff id of a layer, learnt while the layer passes by.

use registry_name::{Algorithm, Digest};

use super::{Decoder, Unpacker};
use crate::{Mismatch, media_type, verify::Hasher};

/// What is unpacked before it is hashed, bytes of the layer.
const BLOCK: usize = 256 << 10;

/// Hashes what is in a layer. Of one that is not compressed that is the layer itself, of which
/// somebody else makes a sha256 digest: that one is made once.
#[derive(Debug)]
pub(crate) struct DiffHasher {
    unpacker: Unpacker,
    algorithm: Algorithm,
    content: Hasher,
}

impl DiffHasher {
    /// For a diff id of this algorithm.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { unpacker: Unpacker::default(), algorithm, content: Hasher::new(algorithm) }
    }

    /// Takes the next bytes of the layer.
    pub(crate) fn update(&mut self, chunk: &[u8]) -> Result<(), Mismatch> {
        for block in chunk.chunks(BLOCK) {
            if self.is_hashed_elsewhere() {
                break;
            }
            self.unpacker.push(block);
            self.unpack()?;
        }
        Ok(())
    }

    /// The diff id of a layer of this sha256 digest, and the layer's type as its bytes tell it.
    pub(crate) fn finish(mut self, layer: &Digest) -> Result<(Digest, &'static str), Mismatch> {
        self.unpacker.end();
        self.unpack()?;
        self.unpacker.finish()?;
        let media_type = match self.unpacker.decoder() {
            Some(Decoder::Gzip(_)) => media_type::OCI_LAYER_GZIP,
            Some(Decoder::Zstd { .. }) => media_type::OCI_LAYER_ZSTD,
            _ => media_type::OCI_LAYER,
        };
        let is_layer = self.is_hashed_elsewhere();
        let diff_id = if is_layer { layer.clone() } else { self.content.finish() };
        Ok((diff_id, media_type))
    }

    fn is_hashed_elsewhere(&self) -> bool {
        let is_plain = matches!(self.unpacker.decoder(), Some(Decoder::Plain));
        is_plain && self.algorithm == Algorithm::Sha256
    }

    fn unpack(&mut self) -> Result<(), Mismatch> {
        while let Some(piece) = self.unpacker.step()? {
            self.content.update(&piece);
        }
        Ok(())
    }
}
