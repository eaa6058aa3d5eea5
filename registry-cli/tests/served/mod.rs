//! The compiled program, run as a command and as a server.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::LazyLock,
};

/// The home of the programs that this test binary starts. What an earlier run left is gone.
static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    let _ = fs::remove_dir_all(&home);
    home
});

/// `registry serve` on a free port, until it is dropped.
pub(crate) struct Served {
    pub(crate) host: String,
    child: Child,
}

impl Served {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut child = registry(&["serve", "--address", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, host) = line.trim_end().split_once("://").unwrap();
        Self { host: host.to_owned(), child }
    }

    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, with nobody's credentials.
pub(crate) fn registry(words: &[&str]) -> Command {
    let mut command = alone(env!("CARGO_BIN_EXE_registry"));
    command.args(words);
    command
}

/// A program that sees neither this user's configuration nor a proxy.
pub(crate) fn alone(program: impl AsRef<Path>) -> Command {
    registry_faults::alone(program.as_ref(), &HOME)
}

/// Runs `registry` successfully; its standard output without the last newline.
pub(crate) fn text(words: &[&str]) -> String {
    succeed(registry(words))
}

/// Runs a command successfully; its standard output without the last newline.
pub(crate) fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}
