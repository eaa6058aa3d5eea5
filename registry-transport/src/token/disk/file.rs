//! The file: read as it is, replaced as a whole, changed by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::document::{Document, VERSION};

/// A larger file is none of ours.
const LARGEST: u64 = 4 << 20;
/// Whoever holds the lock for longer has been stopped; there is no waiting for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is in the file; `None` if there is none, or none that can be used.
pub(super) fn read(path: &Path, now: u64) -> Option<Document> {
    let discard = |why: &str| {
        tracing::warn!(path = %path.display(), why, "the token cache is discarded");
        None
    };
    let bytes = match contents(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return discard(&error.to_string()),
    };
    match serde_json::from_slice::<Document>(&bytes) {
        Err(_) => discard("it is broken"),
        Ok(document) if document.version != VERSION => discard("it is of another version"),
        Ok(document) if document.written > now => discard("the clock went back"),
        Ok(document) => Some(document),
    }
}

/// Reads the file, changes what is in it, and replaces it. Returns what is in it now.
pub(super) fn change(
    path: &Path,
    now: u64,
    change: impl FnOnce(&mut Document),
) -> io::Result<Document> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    create_private(directory)?;
    let _lock = lock(directory)?;
    let mut document = if let Some(document) = read(path, now) {
        document
    } else {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        Document::new(&salt)
    };
    change(&mut document);
    document.written = now;
    let bytes = serde_json::to_vec(&document)?;
    replace(path, directory, &bytes)?;
    Ok(document)
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::other("others may read or write it"));
        }
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    Ok(bytes)
}

fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Held while the file is changed. On Unix the directory itself is locked, so that no file is left behind.
fn lock(directory: &Path) -> io::Result<File> {
    #[cfg(unix)]
    let file = File::open(directory)?;
    #[cfg(not(unix))]
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("tokens.lock"))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process holds it"));
            }
        }
    }
}

/// Either the old file or the new one is there. Not synced: what a crash loses is fetched again.
fn replace(path: &Path, directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.new", std::process::id()));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    // One that is left over from a crash; nobody else writes while we hold the lock.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
