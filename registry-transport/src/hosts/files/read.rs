//! Reads configuration: small regular files, and the names in a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::broken::BrokenFile;

/// No configuration file of a person is larger.
const LARGEST: u64 = 1 << 20;

/// No directory of a few certificates or drop-in files has more names.
const MOST_NAMES: usize = 1024;

/// The bytes of a file; `None` if there is no such name. It does not wait for the other end of a pipe.
pub(super) fn file(path: &Path) -> Result<Option<Vec<u8>>, BrokenFile> {
    let broken = |what: String| BrokenFile::new(path, None, what);
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(broken(format!("cannot be read: {error}"))),
    };
    let unread = |error: io::Error| broken(format!("cannot be read: {error}"));
    if !file.metadata().map_err(unread)?.is_file() {
        return Err(broken("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > LARGEST {
        return Err(broken("is larger than 1 MiB".to_owned()));
    }
    Ok(Some(bytes))
}

/// The paths in a directory, sorted by name; `None` if there is no such directory.
pub(super) fn directory(path: &Path) -> Result<Option<Vec<PathBuf>>, BrokenFile> {
    let unread = |error: io::Error| BrokenFile::new(path, None, format!("cannot be read: {error}"));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        if paths.len() == MOST_NAMES {
            let what = format!("holds more than {MOST_NAMES} names");
            return Err(BrokenFile::new(path, None, what));
        }
        paths.push(entry.map_err(unread)?.path());
    }
    paths.sort();
    Ok(Some(paths))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}
