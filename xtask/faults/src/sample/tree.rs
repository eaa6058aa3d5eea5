//! This machine's files, one after the other: sorted, readable by everybody, none too large.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Larger files are left out, so that a small image has many files.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Where to look. A layer takes its files from one folder, the next layer from the next.
const FOLDERS: [&str; 8] = [
    "/usr/share",
    "/usr/lib",
    "/etc",
    "/usr/bin",
    "/usr/include",
    "/System/Library",
    "/Library",
    "/opt",
];

/// How many entries come from one folder before the next one is asked.
const TURN: usize = 400;

/// One thing to pack.
#[derive(Debug)]
pub(super) struct Entry {
    /// Relative to the root.
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    /// In seconds since 1970.
    pub(super) modified: u64,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Directory,
    Link(PathBuf),
    File(Vec<u8>),
}

/// The files that are left, by folder.
#[derive(Debug)]
pub(super) struct Tree {
    folders: VecDeque<Vec<PathBuf>>,
    turn: usize,
}

impl Tree {
    pub(super) fn of_this_machine() -> Self {
        let known = FOLDERS.iter().map(|folder| vec![PathBuf::from(folder)]);
        let mut folders: VecDeque<_> = known.collect();
        // The bare minimum of a system has few files; wherever this runs, it was built, and what was built lies around it.
        let built = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        folders.extend(built.map(|folder| vec![folder]));
        Self { folders, turn: 0 }
    }

    /// The next entry of the current folder's stack, or `None` when it is used up.
    fn step(stack: &mut Vec<PathBuf>) -> Option<Entry> {
        while let Some(path) = stack.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir()
                && let Ok(children) = fs::read_dir(&path)
            {
                let mut children: Vec<_> =
                    children.filter_map(|child| Some(child.ok()?.path())).collect();
                // The stack is emptied from its end.
                children.sort_unstable_by(|one, other| other.cmp(one));
                stack.extend(children);
            }
            if let Some(entry) = read(&path, &metadata) {
                return Some(entry);
            }
        }
        None
    }
}

impl Iterator for Tree {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.turn == TURN {
            self.turn = 0;
            self.folders.rotate_left(1);
        }
        self.turn += 1;
        while let Some(stack) = self.folders.front_mut() {
            if let Some(entry) = Self::step(stack) {
                return Some(entry);
            }
            self.folders.pop_front();
        }
        None
    }
}

/// Reads what can be packed; everything else is passed over.
fn read(path: &Path, metadata: &fs::Metadata) -> Option<Entry> {
    let mode = mode(metadata);
    let kind = if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_symlink() {
        Kind::Link(fs::read_link(path).ok()?)
    } else if metadata.is_file() && metadata.len() <= LARGEST && mode & 0o004 != 0 {
        Kind::File(fs::read(path).ok()?)
    } else {
        return None;
    };
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let relative = path.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
    Some(Entry { path: relative.collect(), mode, modified, kind })
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0o644
}

/// The names of installed packages, as far as their documentation tells; the names of programs otherwise.
pub(super) fn packages() -> Vec<String> {
    let names = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    };
    Some(names("/usr/share/doc")).filter(|names| !names.is_empty()).unwrap_or(names("/usr/bin"))
}
