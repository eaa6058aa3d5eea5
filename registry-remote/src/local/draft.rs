//! A file in the making, beside its final path, until it is whole.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::{Builder, NamedTempFile, TempPath};

use super::{
    partial,
    pour::Slot,
    read::{self, Found},
    spans::Spans,
};
use crate::{Error, ErrorKind};

/// How the names of drafts begin, so that what a killed process left is recognised.
pub(crate) const PREFIX: &str = ".registry-";
pub(super) const SUFFIX: &str = ".partial";

/// A file that is at its final path only once it is whole and on disk. Dropped before that, it
/// is gone. It is locked for as long as it is open, so that [`sweep`] knows that somebody is at it.
#[derive(Debug)]
pub(crate) struct Draft {
    file: Arc<File>,
    /// Its name, until it has its final one.
    temp: Option<TempPath>,
    target: PathBuf,
    /// What an earlier process left in it, for one that outlives its process.
    known: Option<Spans>,
}

impl Draft {
    /// An empty draft of `target`, in the same directory: a rename must not cross file systems.
    pub(crate) fn new(target: &Path) -> Result<Self, Error> {
        let draft = create(parent(target)).map_err(Error::local("create", target))?;
        let (file, temp) = draft.into_parts();
        Ok(Self { file: Arc::new(file), temp: Some(temp), target: target.to_owned(), known: None })
    }

    /// A draft that goes on where another process was interrupted.
    pub(super) fn adopted(file: File, temp: TempPath, target: &Path, known: Spans) -> Self {
        let (file, temp, target) = (Arc::new(file), Some(temp), target.to_owned());
        Self { file, temp, target, known: Some(known) }
    }

    /// What is in it already, where it outlives its process.
    pub(crate) fn known(&self) -> Option<&Spans> {
        self.known.as_ref()
    }

    #[cfg(test)]
    pub(super) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    /// Takes away what is in it.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        self.set_len(0)
    }

    /// Removes it, also where it would outlive its process.
    pub(crate) fn discard(mut self) {
        self.remove_when_dropped();
    }

    /// Leaves it for another process where that may go on from here: not after `error` if its
    /// bytes were wrong, or this machine has no room for them.
    pub(crate) fn leave(self, error: &Error) {
        let is_useless = matches!(error.kind(), ErrorKind::Integrity | ErrorKind::Local);
        if is_useless && !error.is_announced() {
            self.discard();
        }
    }

    /// The place of something that starts at byte `base` of the file.
    pub(crate) fn slot(&self, base: u64) -> Slot {
        Slot::new(Arc::clone(&self.file), base, &self.target)
    }

    /// Makes the file `size` bytes long, zeros where nothing is written.
    pub(crate) fn set_len(&self, size: u64) -> Result<(), Error> {
        self.file.set_len(size).map_err(Error::local("make room for", &self.target))
    }

    /// Puts the file, which is `size` bytes long, at its final path, in place of what is there.
    pub(crate) fn publish_sized(mut self, size: u64) -> Result<(), Error> {
        // Nobody can go on with what is whole: it would only fill a disk that has no room.
        self.remove_when_dropped();
        if self.known.is_some() {
            self.set_len(size)?;
        }
        self.publish()
    }

    /// Puts the file at its final path, in place of what is there.
    pub(crate) fn publish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::local("write", &self.target))?;
        if let Some(temp) = self.temp.take() {
            let renamed = temp.persist(&self.target);
            renamed.map_err(|failed| {
                Error::local("rename a new file to", &self.target)(failed.error)
            })?;
        }
        sync_directory(parent(&self.target))
    }

    /// Puts the file at its final path, unless something is there; says whether it did.
    pub(crate) fn publish_first(mut self) -> Result<bool, Error> {
        self.file.sync_all().map_err(Error::local("write", &self.target))?;
        match self.temp.take().map(|temp| temp.persist_noclobber(&self.target)) {
            Some(Err(failed)) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Some(Err(failed)) => Err(Error::local("create", &self.target)(failed.error)),
            Some(Ok(())) | None => sync_directory(parent(&self.target)).map(|()| true),
        }
    }

    fn remove_when_dropped(&mut self) {
        if let Some(temp) = &mut self.temp {
            temp.disable_cleanup(false);
        }
    }
}

impl Drop for Draft {
    /// Its name goes while the lock is still held: whoever has the lock next must not find a file
    /// that is about to go. One that is empty is of use to nobody.
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            self.remove_when_dropped();
        }
        self.temp = None;
    }
}

/// A small file, at its final path only once it is whole.
pub(crate) fn replace(target: &Path, bytes: &[u8]) -> Result<(), Error> {
    let draft = Draft::new(target)?;
    draft.slot(0).write_at(0, bytes)?;
    draft.publish()
}

/// Removes the drafts in a directory that no living process holds.
pub(crate) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for name in entries.flatten().map(|entry| entry.file_name()) {
        if let Some(name) = name.to_str()
            && name.starts_with(PREFIX)
            && name.ends_with(SUFFIX)
            && let Ok(Found::File(draft)) = read::open_below(directory, &[name])
            && !draft.metadata().is_ok_and(|metadata| partial::is_kept(name, &metadata))
            && draft.try_lock().is_ok()
            // Whoever was at it may have published it meanwhile, and somebody else begun another.
            && draft.metadata().is_ok_and(|draft| read::is_still_at(&directory.join(name), &draft))
        {
            // What cannot be removed is somebody else's, and harms nobody.
            let _ = fs::remove_file(directory.join(name));
        }
    }
}

/// A directory that everybody may read, whatever the process's file mode mask lets through.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path)
}

/// An empty file that is locked and was not swept before it was.
fn create(directory: &Path) -> io::Result<NamedTempFile> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    loop {
        let mut builder = Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        let draft = builder.make_in(directory, |path| options.open(path))?;
        // Where there are no locks, nothing is swept either.
        let _ = draft.as_file().lock();
        if fs::symlink_metadata(draft.path()).is_ok() {
            return Ok(draft);
        }
    }
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A rename is only on disk once its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::local("write", path))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "directories cannot be opened here")]
fn sync_directory(_: &Path) -> Result<(), Error> {
    Ok(())
}
