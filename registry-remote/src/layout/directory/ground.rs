//! The ground that a layout stands on: making what is missing of it before the first write, and
//! taking it away again where nothing came of that.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{MutexGuard, PoisonError},
};

use super::{Directory, IS_FILE};
use crate::{
    Error,
    local::{
        draft::{self, Draft},
        names::{BLOBS, INDEX, MARKER, MARKER_CONTENT},
        read,
    },
};

/// How often to begin again, where others take away what they had made.
const ATTEMPTS: usize = 10;

/// What was made for the first write.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// Whether this is a layout, as far as is known.
    ready: bool,
    /// Directories that were not there before, the outermost first.
    directories: Vec<PathBuf>,
    /// Whether the file that makes it a layout was not there before.
    marker: bool,
}

/// Until it is dropped, nobody else changes `index.json` or takes the layout away.
///
/// The lock is on `oci-layout`, the one file that is never replaced, so that no file is left in the
/// layout that does not belong there.
#[derive(Debug)]
pub(super) struct Hold {
    _marker: File,
}

impl Directory {
    /// Makes what is missing of a layout; refuses a directory that is something else.
    pub(in super::super) fn prepare(&self) -> Result<(), Error> {
        let mut ground = self.ground();
        if ground.ready {
            return Ok(());
        }
        let mut left = ATTEMPTS;
        while let Err(error) = self.make(&mut ground) {
            left -= 1;
            if left == 0 || !self.was_taken_away(&error) {
                return Err(error);
            }
        }
        ground.ready = true;
        self.sweep();
        Ok(())
    }

    /// Waits until nobody else holds the layout; makes it again where that one took it away.
    pub(super) fn hold(&self) -> Result<Hold, Error> {
        for _ in 0..ATTEMPTS {
            self.prepare()?;
            match self.lock()? {
                Some(hold) => return Ok(hold),
                None => self.ground().ready = false,
            }
        }
        Err(self.broken("somebody takes it away again and again"))
    }

    fn make(&self, ground: &mut Ground) -> Result<(), Error> {
        let missing = self.root.ancestors().take_while(|above| is_missing(above));
        for directory in missing.collect::<Vec<_>>().into_iter().rev() {
            make(directory)?;
            ground.directories.push(directory.to_owned());
        }
        if self.root.is_file() {
            return Err(self.broken(IS_FILE));
        }
        if !self.is_foreign()? {
            let draft = Draft::new(&self.root.join(MARKER))?;
            draft.slot(0).write_at(0, MARKER_CONTENT)?;
            ground.marker |= draft.publish_first()?;
        }
        self.check_layout()
    }

    /// Whether it failed because another writer, with which nothing was to be done, took its own
    /// away meanwhile.
    fn was_taken_away(&self, error: &Error) -> bool {
        match error {
            Error::Local { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => is_missing(&self.root) || matches!(self.is_foreign(), Ok(false)),
        }
    }

    /// Whether there is something in the directory. Another writer may be a moment ahead.
    fn is_foreign(&self) -> Result<bool, Error> {
        let unreadable = || Error::local("list", &self.root);
        for entry in fs::read_dir(&self.root).map_err(unreadable())? {
            let name = entry.map_err(unreadable())?.file_name();
            if !name.as_encoded_bytes().starts_with(draft::PREFIX.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes what killed processes left half-written. A linked directory is not the layout's.
    fn sweep(&self) {
        let blobs = self.root.join(BLOBS);
        let algorithms = ["sha256", "sha512"].map(|algorithm| blobs.join(algorithm));
        let is_ours = |path: &Path| fs::symlink_metadata(path).is_ok_and(|path| path.is_dir());
        draft::sweep(&self.root);
        if is_ours(&blobs) {
            algorithms.iter().filter(|path| is_ours(path)).for_each(|path| draft::sweep(path));
        }
    }

    /// `None` where there is no layout any more.
    fn lock(&self) -> Result<Option<Hold>, Error> {
        let path = self.root.join(MARKER);
        let file = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Error::local("open", &path))?,
        };
        match file.lock() {
            // Such file systems are rare, and have one user mostly.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            locked => locked.map_err(Error::local("lock", &path))?,
        }
        let metadata = file.metadata().map_err(Error::local("open", &path))?;
        Ok(read::is_still_at(&path, &metadata).then_some(Hold { _marker: file }))
    }

    /// Removes what was made, as far as it is empty.
    fn take_away(&self, ground: &Ground) {
        let blobs = self.root.join(BLOBS);
        if ground.marker
            && let Ok(Some(_hold)) = self.lock()
        {
            for algorithm in ["sha256", "sha512"] {
                // Only an empty directory can be removed.
                let _ = fs::remove_dir(blobs.join(algorithm));
            }
            let _ = fs::remove_dir(&blobs);
            if is_missing(&blobs) && is_missing(&self.root.join(INDEX)) {
                let _ = fs::remove_file(self.root.join(MARKER));
            }
        }
        for directory in ground.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Directory {
    /// Takes away what was made, as long as it is empty: that of a copy that failed early.
    fn drop(&mut self) {
        let ground = std::mem::take(self.ground.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.take_away(&ground);
    }
}

/// Makes a directory, unless it is there.
pub(super) fn make(directory: &Path) -> Result<(), Error> {
    match draft::make_directory(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::local("create", directory)(error))
        }
        _ => Ok(()),
    }
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
