//! Layers, compressed and hashed while they pass by.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use flate2::{GzBuilder, write::GzEncoder};
use futures_util::StreamExt as _;
use registry_name::{Algorithm, Digest};

use super::{
    input::{Content, Input},
    unsupported,
};
use crate::{
    Descriptor, Error, Mismatch,
    image::{DiffHasher, is_packed},
    local::blocking,
    media_type,
    verify::Hasher,
};

/// What is kept in memory before a temporary file is made, bytes.
const IN_MEMORY: usize = 1 << 20;
/// What a compressor is given at once, bytes. Where its input is cut shows in what comes out, so it
/// is cut in the same places however it came.
const BLOCK: usize = 256 << 10;
/// The system that a gzip header names: none (RFC 1952, section 2.3.1).
const UNKNOWN_SYSTEM: u8 = 255;

/// What is done to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Nothing: it is a plain tar file, or compressed already, as its first bytes tell.
    AsIs,
    /// It is compressed with gzip, which every runtime reads.
    Gzip,
    /// It is compressed with Zstandard, which is faster to read.
    Zstd,
}

/// A layer, ready to be listed.
pub(super) struct Packed {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: Digest,
    pub(super) content: Content,
}

pub(super) async fn pack(input: Input, compression: Compression) -> Result<Packed, Error> {
    if compression == Compression::AsIs {
        return as_is(input).await;
    }
    let (mut stream, _) = input.open().await?;
    let mut packer = Packer::new(compression)?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        packer = blocking(move || packer.take(&chunk).map(|()| packer)).await?;
    }
    blocking(move || packer.finish()).await
}

/// Recognises a layer by its first bytes, and unpacks it to learn its diff id.
async fn as_is(input: Input) -> Result<Packed, Error> {
    let (mut stream, content) = input.open().await?;
    let mut reading = (Spool::new(content.is_none()), DiffHasher::new(Algorithm::Sha256));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        reading = blocking(move || {
            reading.0.take(&chunk)?;
            reading.1.update(&chunk).map_err(broken)?;
            Ok(reading)
        })
        .await?;
    }
    let (spool, diff) = reading;
    let (digest, size, spooled) = blocking(move || spool.finish()).await?;
    let (diff_id, media_type) = diff.finish(&digest).map_err(broken)?;
    let descriptor = Descriptor::new(media_type, digest, size);
    Ok(Packed { descriptor, diff_id, content: content.unwrap_or(spooled) })
}

fn broken(mismatch: Mismatch) -> Error {
    Error::Integrity { what: "what was to become a layer".to_owned(), mismatch }
}

/// A compressor, with what went in hashed before it and what came out after it.
struct Packer {
    diff: Hasher,
    /// What is less than a block.
    pending: Vec<u8>,
    is_begun: bool,
    encoder: Encoder,
}

enum Encoder {
    Gzip(GzEncoder<Spool>),
    Zstd(zstd::Encoder<'static, Spool>),
}

impl Packer {
    fn new(compression: Compression) -> Result<Self, Error> {
        let spool = Spool::new(true);
        let encoder = if compression == Compression::Zstd {
            let level = zstd::DEFAULT_COMPRESSION_LEVEL;
            Encoder::Zstd(zstd::Encoder::new(spool, level).map_err(failed())?)
        } else {
            let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
            Encoder::Gzip(builder.write(spool, flate2::Compression::default()))
        };
        let diff = Hasher::new(Algorithm::Sha256);
        Ok(Self { diff, pending: Vec::with_capacity(BLOCK), is_begun: false, encoder })
    }

    fn take(&mut self, mut chunk: &[u8]) -> Result<(), Error> {
        self.diff.update(chunk);
        while !chunk.is_empty() {
            let (fits, rest) = chunk.split_at(chunk.len().min(BLOCK - self.pending.len()));
            self.pending.extend_from_slice(fits);
            chunk = rest;
            if self.pending.len() == BLOCK {
                self.compress()?;
            }
        }
        Ok(())
    }

    fn compress(&mut self) -> Result<(), Error> {
        if !self.is_begun && is_packed(&self.pending) {
            return Err(unsupported(
                "a layer that is to be compressed is compressed already; take it as it is",
            ));
        }
        self.is_begun = true;
        match &mut self.encoder {
            Encoder::Gzip(encoder) => encoder.write_all(&self.pending),
            Encoder::Zstd(encoder) => encoder.write_all(&self.pending),
        }
        .map_err(failed())?;
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Packed, Error> {
        self.compress()?;
        let (spool, media_type) = match self.encoder {
            Encoder::Gzip(encoder) => (encoder.finish(), media_type::OCI_LAYER_GZIP),
            Encoder::Zstd(encoder) => (encoder.finish(), media_type::OCI_LAYER_ZSTD),
        };
        let (digest, size, content) = spool.map_err(failed())?.finish()?;
        let descriptor = Descriptor::new(media_type, digest, size);
        Ok(Packed { descriptor, diff_id: self.diff.finish(), content })
    }
}

/// Hashes what is written to it, and keeps it: in memory, and from 1 MiB on in a file without a
/// name.
pub(super) struct Spool {
    hasher: Hasher,
    size: u64,
    memory: Vec<u8>,
    file: Option<File>,
    keeps: bool,
}

impl Spool {
    /// `keeps`: whether what is written is to be read again from here.
    pub(super) fn new(keeps: bool) -> Self {
        let hasher = Hasher::new(Algorithm::Sha256);
        Self { hasher, size: 0, memory: Vec::new(), file: None, keeps }
    }

    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.write_all(chunk).map_err(failed())
    }

    pub(super) fn finish(self) -> Result<(Digest, u64, Content), Error> {
        let content = match self.file {
            None => Content::Bytes(self.memory.into()),
            Some(mut file) => {
                file.flush().map_err(failed())?;
                Content::File { file: Arc::new(file), path: place(), size: self.size }
            }
        };
        Ok((self.hasher.finish(), self.size, content))
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.keeps {
            if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
                let mut file = tempfile::tempfile()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                self.file = Some(file);
            }
            match &mut self.file {
                Some(file) => file.write_all(bytes)?,
                None => self.memory.extend_from_slice(bytes),
            }
        }
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a file without a name is called in an error.
fn place() -> PathBuf {
    std::env::temp_dir()
}

fn failed() -> impl FnOnce(io::Error) -> Error {
    Error::local("keep a layer in", place())
}
