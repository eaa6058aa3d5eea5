//! Counterparts: programs that others wrote, to be tested against.
//!
//! `cargo xtask peers` installs them into `target/peers/` of the workspace; [`find`] looks there first, then on `PATH`. Tests that need
//! one that is missing say so with [`skip!`](crate::skip) and pass.

mod server;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub use server::{Kind, Server};

/// Where `cargo xtask peers` installs.
pub fn folder() -> PathBuf {
    // This crate is the workspace's xtask/faults.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    workspace.unwrap_or(Path::new(".")).join("target/peers")
}

/// The program of this name, such as `crane`.
pub fn find(program: &str) -> Option<PathBuf> {
    find_in(&folder(), std::env::var_os("PATH").as_deref(), program)
}

fn find_in(folder: &Path, path: Option<&OsStr>, program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let folders = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    std::iter::once(folder.to_owned())
        .chain(folders.unwrap_or_default())
        .map(|folder| folder.join(&file))
        .find(|candidate| candidate.is_file())
}

/// Says on standard error that a test is skipped, and why.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {
        $crate::peers::say_skipped(&format!($($reason)*))
    };
}

/// What [`skip!`](crate::skip) calls.
pub fn say_skipped(reason: &str) {
    use std::io::Write as _;
    // Written straight to the stream: the test harness shows it even when the test passes. A closed stream has no reader to miss it.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_s_own_peers_come_before_the_path() {
        let own = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let file = format!("crane{}", std::env::consts::EXE_SUFFIX);
        std::fs::write(other.path().join(&file), "").unwrap();
        let path = Some(other.path().as_os_str());
        assert_eq!(find_in(own.path(), path, "crane"), Some(other.path().join(&file)));
        std::fs::write(own.path().join(&file), "").unwrap();
        assert_eq!(find_in(own.path(), path, "crane"), Some(own.path().join(&file)));
        assert_eq!(find_in(own.path(), path, "regctl"), None);
    }

    #[test]
    fn the_folder_is_in_the_workspace() {
        assert!(folder().parent().unwrap().parent().unwrap().join("Cargo.lock").is_file());
    }
}
