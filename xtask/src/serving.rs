//! A running `registry serve`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// A running `registry serve`; dropping it ends the process.
pub(crate) struct Serving {
    child: Child,
    /// What it printed: `http://127.0.0.1:5000`.
    pub(crate) url: String,
}

impl Serving {
    /// Starts a command line that is `registry serve …`, and waits for its address.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("registry serve has no output")?;
        let mut serving = Self { child, url: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        line.trim().clone_into(&mut serving.url);
        Ok(serving)
    }

    /// `127.0.0.1:5000`.
    pub(crate) fn host(&self) -> Result<&str> {
        let (_, host) = self.url.split_once("://").context("registry serve gives no address")?;
        Ok(host)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
