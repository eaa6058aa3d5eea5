//! Changes to a file system that a crash cannot undo once they have returned.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// `None` instead of the error that the file, or its directory, does not exist.
pub(super) fn missing_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn read_optional(path: &Path) -> io::Result<Option<Vec<u8>>> {
    missing_is_none(fs::read(path))
}

/// Creates a directory and what is missing above it.
pub(super) fn create_dir_all(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_parent(dir)?;
            create_dir_all(dir)
        }
        Err(error) => Err(error),
    }
}

/// Creates the directory that `path` is to be in.
pub(super) fn create_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.is_dir() => create_dir_all(parent),
        _ => Ok(()),
    }
}

/// Puts a whole file at `path`, or leaves what is there.
pub(super) fn write(path: &Path, bytes: &[u8], temporary: &Path) -> io::Result<()> {
    let mut file = temporary_file(temporary)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    create_parent(path)?;
    file.persist(path)?;
    sync_parent(path)
}

/// Gives the file `from` a second name; a copy where the file system cannot. `false`: there is no
/// such file. A file that is already at `to` stays.
pub(super) fn link(from: &Path, to: &Path, temporary: &Path) -> io::Result<bool> {
    create_parent(to)?;
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if missing(&error) => return Ok(false),
        Err(_) => {
            let Some(mut source) = missing_is_none(File::open(from))? else { return Ok(false) };
            let mut file = temporary_file(temporary)?;
            io::copy(&mut source, &mut file)?;
            file.as_file().sync_all()?;
            file.persist(to)?;
        }
    }
    sync_parent(to)?;
    Ok(true)
}

/// Moves a file that is already on disk to its place.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    create_parent(to)?;
    fs::rename(from, to)?;
    sync_parent(to)
}

/// `false`: there was no such file.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    let found = missing_is_none(fs::remove_file(path))?.is_some();
    if found {
        sync_parent(path)?;
    }
    Ok(found)
}

/// How many names a file has; `None` if it does not exist, or where the system does not say.
pub(super) fn links(path: &Path) -> io::Result<Option<u64>> {
    let Some(metadata) = missing_is_none(fs::symlink_metadata(path))? else { return Ok(None) };
    #[cfg(unix)]
    return Ok(Some(std::os::unix::fs::MetadataExt::nlink(&metadata)));
    #[cfg(not(unix))]
    return Ok(Some(metadata).and(None));
}

/// As readable as any other new file, not only for its owner.
fn temporary_file(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A name is on disk once its directory is. Only Unix opens directories as files.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
