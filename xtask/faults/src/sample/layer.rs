//! Writes one layer straight to disk: tar, its digest, the compression, and the digest of that, in one pass.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tree::{Entry, Kind, Tree};
use crate::content::{LAYER_GZIP, LAYER_ZSTD, Noise, digest_of};
use crate::layout::Layout;

/// How a layer is compressed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    Gzip,
    Zstd,
}

/// A layer that was written.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) descriptor: Value,
    pub(super) diff_id: String,
    pub(super) content: u64,
    pub(super) stored: u64,
    /// What the image's history says about it.
    pub(super) story: String,
}

impl Layer {
    /// Packs the tree's next files, until they are `size` bytes or there are no more.
    pub(super) fn pack(
        layout: &Layout,
        tree: &mut Tree,
        codec: Codec,
        size: u64,
    ) -> io::Result<Self> {
        let stored = Hashing::new(layout.scratch()?);
        let (media_type, packed) = match codec {
            Codec::Gzip => {
                let level = flate2::Compression::fast();
                let encoder = flate2::write::GzEncoder::new(stored, level);
                let (tar, files) = pack(encoder, tree, size)?;
                (LAYER_GZIP, (tar.done(), tar.inner.finish()?, files))
            }
            Codec::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(stored, 1)?;
                let (tar, files) = pack(encoder, tree, size)?;
                (LAYER_ZSTD, (tar.done(), tar.inner.finish()?, files))
            }
        };
        let ((diff_id, content), stored, files) = packed;
        let story = format!("COPY {files} files of this machine");
        Self::finish(layout, media_type, stored, (diff_id, content), story)
    }

    /// A layer of exactly `bytes` bytes: a tar of one file that no compressor shrinks.
    pub(super) fn noise(layout: &Layout, seed: u64, bytes: u64) -> io::Result<Self> {
        const HEADER: u64 = 512;
        const TRAILER: u64 = 1024;
        let left = bytes.checked_sub(HEADER + TRAILER).filter(|left| left % 512 == 0);
        let Some(mut left) = left else {
            let text = format!("{bytes} is not a tar's size: a multiple of 512, at least 2048");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let mut stored = Hashing::new(layout.scratch()?);
        let mut header = tar::Header::new_ustar();
        header.set_path(format!("noise-{seed}.bin"))?;
        header.set_size(left);
        header.set_mode(0o644);
        header.set_cksum();
        stored.write_all(header.as_bytes())?;
        let mut noise = Noise(seed);
        let mut buffer = vec![0; 1 << 20];
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..length).unwrap_or_default();
            noise.fill(piece);
            stored.write_all(piece)?;
            left -= length as u64;
        }
        stored.write_all(&[0; 1024])?;
        let tar = (digest_of(stored.hash.clone()), stored.length);
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        Self::finish(layout, media_type, stored, tar, format!("noise of seed {seed}"))
    }

    fn finish(
        layout: &Layout,
        media_type: &str,
        stored: Hashing<tempfile::NamedTempFile>,
        (diff_id, content): (String, u64),
        story: String,
    ) -> io::Result<Self> {
        let (digest, length) = stored.done();
        layout.adopt(stored.inner, &digest)?;
        let descriptor = json!({ "mediaType": media_type, "digest": digest, "size": length });
        Ok(Self { descriptor, diff_id, content, stored: length, story })
    }
}

/// Writes the tar; returns its writer and the number of files in it.
fn pack<W: Write>(encoder: W, tree: &mut Tree, size: u64) -> io::Result<(Hashing<W>, usize)> {
    let mut builder = tar::Builder::new(Hashing::new(encoder));
    let mut files = 0;
    while builder.get_ref().length < size {
        let Some(entry) = tree.next() else { break };
        append(&mut builder, &entry)?;
        files += 1;
    }
    Ok((builder.into_inner()?, files))
}

fn append<W: Write>(builder: &mut tar::Builder<W>, entry: &Entry) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_mtime(entry.modified);
    let path = &entry.path;
    match &entry.kind {
        Kind::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            builder.append_data(&mut header, path, io::empty())
        }
        Kind::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, path, target)
        }
        Kind::File(content) => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content.as_slice())
        }
    }
}

/// Counts and hashes what passes.
#[derive(Debug)]
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    /// The digest and the length.
    fn done(&self) -> (String, u64) {
        (digest_of(self.hash.clone()), self.length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
