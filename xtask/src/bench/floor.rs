//! What the machine and the way allow: `curl` moves the same bytes, eight transfers at a time, and does nothing else with them.

use std::path::{Path, PathBuf};
use std::process::Command;

const CONNECTIONS: u64 = 8;

/// One command line with many transfers.
pub(crate) struct Curl<'a> {
    command: Command,
    authority: Option<&'a Path>,
    transfers: u32,
}

/// A layer, by its digest, and the file that holds it.
pub(crate) type Layer = (String, PathBuf);

impl<'a> Curl<'a> {
    pub(crate) fn new(authority: Option<&'a Path>) -> Self {
        let mut command = Command::new("curl");
        command.args(["--parallel", "--parallel-immediate", "--parallel-max"]);
        command.arg(CONNECTIONS.to_string());
        Self { command, authority, transfers: 0 }
    }

    /// Pulls layers of `bytes` bytes from below `url` into `folder`, in ranges where they are large.
    pub(crate) fn pull(
        mut self,
        url: &str,
        layers: &[Layer],
        bytes: u64,
        folder: &Path,
    ) -> Command {
        let ranges = if bytes < 1 << 20 { 1 } else { CONNECTIONS.div_ceil(layers.len() as u64) };
        for (digest, _) in layers {
            for range in 0..ranges {
                let (from, to) = (bytes * range / ranges, bytes * (range + 1) / ranges - 1);
                let file = folder.join(format!("floor-{}", self.transfers));
                let transfer = self.transfer(&format!("{url}{digest}"));
                transfer.args(["--range", &format!("{from}-{to}"), "-o"]).arg(file);
            }
        }
        self.command
    }

    /// Sends each file with `PUT` to its URL.
    pub(crate) fn push(mut self, files: &[(PathBuf, String)]) -> Command {
        for (file, url) in files {
            self.transfer(url).args(["-H", "Expect:", "-T"]).arg(file);
        }
        self.command
    }

    fn transfer(&mut self, url: &str) -> &mut Command {
        if self.transfers > 0 {
            self.command.arg("--next");
        }
        self.transfers += 1;
        self.command.args(["-sS", "--fail"]);
        if let Some(authority) = self.authority {
            self.command.arg("--cacert").arg(authority);
        }
        self.command.arg(url)
    }
}
