//! Drafts that outlive their process: what it had fetched when it was killed, the next one need not.
//!
//! Such a draft is named by its digest. What is in it is noted behind its last byte, after
//! each write. That note is believed only until the end: then everything is hashed, as ever.

use std::{
    fs::{File, Metadata, TryLockError},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use tempfile::TempPath;

use super::{
    draft::{Draft, PREFIX, SUFFIX, parent},
    read,
    spans::Spans,
};
use crate::{Descriptor, Error, tuning::RESUMED_FROM};

/// How often to look whether another process is done with a file.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// A process that has not written to a file for so long is not waited for.
const STALLED: Duration = Duration::from_secs(30);
/// The longest note that is read, bytes.
const NOTE: u64 = 4096;
/// What nobody went on with for so long goes.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The shortest file name that such a draft is kept for: that of a digest.
const NAME: usize = 64;

/// Who writes a blob.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nobody has to: it is here.
    Present,
    /// We do.
    Ours(Draft),
    /// Somebody else is at it.
    Theirs,
}

/// Claims a blob that is to be at `target`. Whether it `is_there` is asked once nobody else is at it.
pub(crate) fn claim(
    target: &Path,
    blob: &Descriptor,
    is_there: impl Fn() -> bool,
) -> Result<Claim, Error> {
    if blob.size >= RESUMED_FROM {
        match Partial::of(target, blob)? {
            Partial::Ours(draft) if is_there() => {
                draft.discard();
                return Ok(Claim::Present);
            }
            Partial::Ours(draft) => return Ok(Claim::Ours(draft)),
            Partial::Busy(idle) if idle < STALLED => return Ok(Claim::Theirs),
            Partial::Busy(_) | Partial::None => {}
        }
    }
    if is_there() { Ok(Claim::Present) } else { Draft::new(target).map(Claim::Ours) }
}

/// What became of the attempt to have the draft of a blob.
#[derive(Debug)]
enum Partial {
    /// It is ours until it is dropped.
    Ours(Draft),
    /// Somebody else is at it, who wrote to it this long ago.
    Busy(Duration),
    /// There is none to be had: no locks here, or something else has its name.
    None,
}

impl Partial {
    /// The draft of a blob that is to be at `target`, with what is in it already.
    fn of(target: &Path, blob: &Descriptor) -> Result<Self, Error> {
        let path = parent(target).join(format!("{PREFIX}{}{SUFFIX}", blob.digest.hex()));
        let size = blob.size;
        loop {
            let file = match open(&path) {
                Ok(file) => file,
                // A symbolic link, a directory, something unreadable: not what we left.
                Err(error) if !is_of_the_disk(&error) => return Ok(Self::None),
                Err(error) => return Err(Error::local("create", target)(error)),
            };
            let metadata = file.metadata().map_err(Error::local("open", target))?;
            if !metadata.is_file() {
                return Ok(Self::None);
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Self::Busy(age(&metadata))),
                Err(TryLockError::Error(_)) => return Ok(Self::None),
            }
            // Whoever held it until now has finished it, or thrown it away.
            if !read::is_still_at(&path, &metadata) {
                continue;
            }
            let length = file.metadata().map_err(Error::local("open", target))?.len();
            let note = size..length.min(size.saturating_add(NOTE));
            let note = read::bytes_at(&file, note).map_err(Error::local("read", target))?;
            let known = Spans::from_line(&note, size).unwrap_or_default();
            let temp = TempPath::try_from_path(&path);
            let mut temp = temp.map_err(Error::local("open", target))?;
            temp.disable_cleanup(true);
            return Ok(Self::Ours(Draft::adopted(file, temp, target, known)));
        }
    }
}

/// Whether a draft of that name is to be left to whoever goes on with it.
pub(super) fn is_kept(name: &str, metadata: &Metadata) -> bool {
    let name = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    name.is_some_and(|name| name.len() >= NAME) && age(metadata) < KEPT
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o644).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

fn is_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [Kind::StorageFull, Kind::QuotaExceeded, Kind::ReadOnlyFilesystem, Kind::NotFound];
    kinds.contains(&error.kind())
}

fn age(metadata: &Metadata) -> Duration {
    let changed = metadata.modified().unwrap_or_else(|_| SystemTime::now());
    changed.elapsed().unwrap_or_default()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{os::unix::fs::MetadataExt as _, thread};

    use super::*;

    /// Whoever gets the lock must not get a file whose name somebody else is about to take away.
    #[test]
    fn a_draft_that_is_ours_has_its_name_whatever_others_do_with_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("file");
        let digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let blob = Descriptor::unknown(digest, 10);
        let claim_often = || {
            let mut turn = 0;
            while turn < 200 {
                let Partial::Ours(draft) = Partial::of(&target, &blob).unwrap() else { continue };
                turn += 1;
                draft.slot(0).write_at(0, b"half").unwrap();
                assert_eq!(draft.metadata().unwrap().nlink(), 1);
                match turn % 2 {
                    0 => draft.discard(),
                    _ => draft.forget().unwrap(),
                }
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(claim_often))));
    }
}
