//! Looking through the directories of a store. Symbolic links are never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::durable::{self, missing_is_none};
use crate::name::Name;

/// Calls `visit` for every directory that may be a repository's, with its name.
pub(super) fn repositories(
    root: &Path,
    visit: &mut dyn FnMut(Name, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for path in directories(&dir)? {
            let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
            let Some(name) = relative.and_then(|text| Name::parse(text).ok()) else { continue };
            visit(name, &path)?;
            pending.push(path);
        }
    }
    Ok(())
}

/// What is in a directory; nothing, if it does not exist.
pub(super) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(entries) = missing_is_none(fs::read_dir(dir))? else { return Ok(Vec::new()) };
    entries.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Removes those files of a directory that have not changed for `age`, and whose name `may` go.
pub(super) fn remove_older(
    dir: &Path,
    age: Duration,
    may: &dyn Fn(&str) -> bool,
) -> io::Result<()> {
    for path in entries(dir)? {
        if !path.file_name().and_then(|name| name.to_str()).is_some_and(may) {
            continue;
        }
        let Some(metadata) = missing_is_none(fs::symlink_metadata(&path))? else { continue };
        // A clock that went backwards makes a file young.
        let old = metadata.modified()?.elapsed().is_ok_and(|elapsed| elapsed >= age);
        if old && metadata.is_file() {
            durable::remove(&path)?;
        }
    }
    Ok(())
}

fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(entries) = missing_is_none(fs::read_dir(dir))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
