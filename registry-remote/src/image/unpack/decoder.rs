//! Gzip and Zstandard, a buffer at a time.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{self, InBuffer, Operation as _, OutBuffer};

use crate::Mismatch;

/// How many bytes tell what the rest is.
pub(super) const MAGIC: usize = 4;
/// The largest window of gzip, as the power of two that it is.
const GZIP_WINDOW: u8 = 15;

/// Takes compressed bytes, and gives as much of the content as there is room for.
pub(crate) enum Decoder {
    /// Not compressed, or in a way that is not known.
    Plain,
    /// RFC 1952: members, one after the other. `None` between two of them.
    Gzip(Option<Box<Decompress>>),
    /// RFC 8878: frames, one after the other.
    Zstd {
        /// Keeps a window of up to 128 MiB, as the content asks for it.
        frames: raw::Decoder<'static>,
        /// Whether a frame is begun and not ended.
        within: bool,
    },
}

/// Whether what begins like this is compressed in a way that is known.
pub(crate) fn is_packed(start: &[u8]) -> bool {
    !matches!(Decoder::for_content(start), Ok(Decoder::Plain))
}

impl Decoder {
    /// The decoder for what begins like this.
    pub(crate) fn for_content(start: &[u8]) -> Result<Self, Mismatch> {
        Ok(match start {
            [0x1f, 0x8b, ..] => Self::Gzip(None),
            // A frame, or one that is to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let frames = raw::Decoder::new().map_err(encoding)?;
                Self::Zstd { frames, within: false }
            }
            _ => Self::Plain,
        })
    }

    /// Unpacks into `output`; says how many bytes were taken from `input` and made in `output`.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), Mismatch> {
        match self {
            Self::Plain => {
                let length = input.len().min(output.len());
                output[..length].copy_from_slice(&input[..length]);
                Ok((length, length))
            }
            Self::Gzip(None) if input.is_empty() => Ok((0, 0)),
            Self::Gzip(member) => {
                let stream =
                    member.get_or_insert_with(|| Box::new(Decompress::new_gzip(GZIP_WINDOW)));
                let before = (stream.total_in(), stream.total_out());
                let status = stream.decompress(input, output, FlushDecompress::None);
                let status = status.map_err(encoding)?;
                let moved = (stream.total_in() - before.0, stream.total_out() - before.1);
                if status == Status::StreamEnd {
                    *member = None;
                }
                Ok((length(moved.0), length(moved.1)))
            }
            Self::Zstd { frames, within } => {
                let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
                let left = frames.run(&mut from, &mut to).map_err(encoding)?;
                let moved = (from.pos(), to.pos());
                if moved != (0, 0) {
                    *within = left != 0;
                }
                Ok(moved)
            }
        }
    }

    /// Whether the content may end here.
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::Gzip(member) => member.is_none(),
            Self::Zstd { within, .. } => !within,
        }
    }
}

/// What was moved between two buffers fits a length.
fn length(moved: u64) -> usize {
    usize::try_from(moved).unwrap_or(usize::MAX)
}

fn encoding(error: impl fmt::Display) -> Mismatch {
    Mismatch::Encoding(error.to_string())
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Zstd { .. } => "Zstd",
        })
    }
}
