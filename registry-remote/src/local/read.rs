//! Reading what others wrote: whole small documents, streams of large ones, and never through a
//! symbolic link.

use std::{
    fs::{File, Metadata},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::stream;

use super::{blocking, check_size};
use crate::{ByteStream, Error};

/// Bytes that are read at once.
const CHUNK: u64 = 256 * 1024;

/// A file's bytes in `range`, as a stream; where the file ends earlier, so does the stream.
pub(crate) fn stream(file: Arc<File>, path: PathBuf, range: Range<u64>) -> ByteStream {
    let path: Arc<Path> = path.into();
    Box::pin(stream::try_unfold(range, move |mut range| {
        let (file, path) = (Arc::clone(&file), Arc::clone(&path));
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            blocking(move || {
                let chunk = next_chunk(&file, &mut range).map_err(Error::local("read", &*path))?;
                Ok(chunk.map(|chunk| (chunk, range)))
            })
            .await
        }
    }))
}

/// The first bytes of `range`, which is then what is left of it; `None` at its end, or where the
/// file ends earlier.
pub(crate) fn next_chunk(file: &File, range: &mut Range<u64>) -> io::Result<Option<Bytes>> {
    let end = range.end.min(range.start.saturating_add(CHUNK));
    let chunk = bytes_at(file, range.start..end)?;
    range.start += chunk.len() as u64;
    Ok((!chunk.is_empty()).then_some(chunk))
}

/// All bytes of a small document at `range` of a file.
pub(crate) fn document(
    file: &File,
    range: Range<u64>,
    limit: u64,
    what: impl FnOnce() -> String,
    path: &Path,
) -> Result<Bytes, Error> {
    check_size(range.end.saturating_sub(range.start), limit, what)?;
    bytes_at(file, range).map_err(Error::local("read", path))
}

/// The bytes of `range`, fewer where the file ends.
pub(crate) fn bytes_at(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let size = range.end.saturating_sub(range.start);
    let mut buffer = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], range.start + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer.into())
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// What stands at a path below a directory.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file.
    File(File),
    /// Nothing.
    Nothing,
    /// Something that is not followed or not read: a symbolic link on the way, a device, a pipe.
    Strange,
}

/// Opens the file at `parts` below `root`, where no part may be a symbolic link.
#[cfg(unix)]
pub(crate) fn open_below(root: &Path, parts: &[&str]) -> io::Result<Found> {
    use rustix::{
        fs::{Mode, OFlags, open, openat},
        io::Errno,
    };
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // A pipe would wait for its other end.
    let file = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some((last, above)) = parts.split_last() else {
        return Ok(Found::Strange);
    };
    let descend = || {
        let mut at = open(root, directory, Mode::empty())?;
        for part in above {
            at = openat(&at, *part, directory | OFlags::NOFOLLOW, Mode::empty())?;
        }
        openat(&at, *last, file, Mode::empty())
    };
    match descend() {
        Ok(file) => regular(File::from(file)),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Ok(Found::Strange),
        Err(error) => Err(error.into()),
    }
}

/// Opens the file at `parts` below `root`, where no part may be a symbolic link.
#[cfg(not(unix))]
pub(crate) fn open_below(root: &Path, parts: &[&str]) -> io::Result<Found> {
    let mut path = root.to_owned();
    for part in parts {
        path.push(part);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => return Ok(Found::Strange),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        }
    }
    if path.is_dir() { Ok(Found::Strange) } else { regular(File::open(path)?) }
}

/// What tells a file from every other one that is open or has a name.
#[cfg(unix)]
pub(crate) type Identity = (u64, u64);
#[cfg(not(unix))]
pub(crate) type Identity = ();

#[cfg(unix)]
pub(crate) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
pub(crate) fn identity(_: &Metadata) -> Identity {}

/// Whether `path` still names the file of `metadata`.
pub(crate) fn is_still_at(path: &Path, metadata: &Metadata) -> bool {
    // Elsewhere than on Unix an open file keeps its name.
    path.symlink_metadata().is_ok_and(|now| identity(&now) == identity(metadata))
}

fn regular(file: File) -> io::Result<Found> {
    let is_file = file.metadata()?.is_file();
    Ok(if is_file { Found::File(file) } else { Found::Strange })
}
