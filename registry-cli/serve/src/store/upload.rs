//! Blobs on their way in.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::str::FromStr;

use bytes::Bytes;

use crate::hash::{self, Hasher};

/// The name of an upload session: a UUID (RFC 9562, version 4) in its usual spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UploadId(String);

impl UploadId {
    pub(crate) fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let groups = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Ok(Self(groups.join("-")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not an identifier that [`UploadId::random`] could have made.
#[derive(Debug)]
pub(crate) struct NotAnUpload;

impl FromStr for UploadId {
    type Err = NotAnUpload;

    fn from_str(text: &str) -> Result<Self, NotAnUpload> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        if shaped { Ok(Self(text.to_owned())) } else { Err(NotAnUpload) }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes received so far.
#[derive(Debug)]
pub(crate) enum Upload {
    Memory(Vec<u8>),
    /// Positioned at its end.
    File(File),
}

impl Upload {
    pub(crate) fn append(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        pieces.iter().try_for_each(|piece| match self {
            Self::Memory(bytes) => {
                bytes.try_reserve(piece.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Self::File(file) => file.write_all(piece),
        })
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => Ok(file.metadata()?.len()),
        }
    }

    /// Forgets everything after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX)),
            Self::File(file) => {
                file.set_len(length)?;
                file.seek(SeekFrom::End(0))?;
            }
        }
        Ok(())
    }

    /// Hashes all that was received, from its start.
    pub(crate) fn hash(&mut self, mut hasher: Hasher) -> io::Result<Hasher> {
        match self {
            Self::Memory(bytes) => {
                hasher.update(bytes);
                Ok(hasher)
            }
            Self::File(file) => {
                file.seek(SeekFrom::Start(0))?;
                let hasher = hash::read_all(&*file, hasher)?;
                file.seek(SeekFrom::End(0))?;
                Ok(hasher)
            }
        }
    }
}
