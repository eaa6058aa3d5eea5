//! Conformance, of both sides of the wire: the distribution specification's requirements played against a registry, and hostile
//! registries played against a client. A verdict a scenario, a summary, and two files under `target/conformance/`.

mod client;
mod official;
mod registry;
mod report;

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::run::{cargo, succeed, workspace};
use report::{Report, Row};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which side to judge; both unless told otherwise
    side: Option<Side>,

    /// The registry to judge; the embedded one unless told otherwise
    #[arg(long, value_name = "http(s)://HOST")]
    url: Option<String>,

    /// Where that registry may be written to
    #[arg(long, value_name = "NAME", default_value = "conformance")]
    repository: String,

    /// Log in there: USER:PASSWORD in this environment variable
    #[arg(long, value_name = "VARIABLE")]
    login: Option<String>,

    /// The client to judge: crane, oras, regctl or skopeo; library and registry, which are ours, unless told otherwise
    #[arg(long, value_name = "NAME")]
    program: Vec<String>,

    /// Only scenarios whose name or identifier holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Run the specification's own program against the embedded registry instead; --program FILE says where it is, if neither in
    /// target/peers nor on PATH
    #[arg(long, conflicts_with_all = ["url", "only"])]
    official: bool,

    /// What decides where programs are killed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Show every request of failed client scenarios
    #[arg(long)]
    transcript: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    Registry,
    Client,
}

impl Arguments {
    fn wants(&self, side: Side) -> bool {
        let implied = match side {
            Side::Registry => self.program.is_empty() || self.url.is_some(),
            Side::Client => self.url.is_none() || !self.program.is_empty(),
        };
        self.side.map_or(implied, |only| only == side)
    }

    /// Whether the matrices of cuts are part of it.
    fn wants_matrices(&self) -> bool {
        let library = self.program.is_empty() || self.program.iter().any(|name| name == "library");
        !self.official && library && self.wants(Side::Client) && client::has_matrix(self)
    }

    fn is_selected(&self, name: &str, ids: &[&str]) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text) || ids.contains(&text.as_str()))
    }
}

/// Runs what is asked for; an error if anything failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if cfg!(debug_assertions) && arguments.wants_matrices() {
        // Of a quarter of a million transfers each takes many times as long where nothing is optimised.
        let again = ["run", "--profile", "matrix", "--quiet", "--package", "xtask", "--"];
        let arguments = std::env::args_os().skip(1);
        let mut again = cargo(again.map(OsString::from).into_iter().chain(arguments));
        return succeed(&mut again);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::default();
    let mut folder = workspace().join("target/conformance");
    if arguments.official {
        folder.push("official");
    }
    runtime.block_on(async {
        if arguments.official {
            let program = arguments.program.first().map(Path::new);
            return official::run(program, &folder, &mut report).await;
        }
        if arguments.wants(Side::Registry) {
            registry::run(arguments, &mut report).await?;
        }
        if arguments.wants(Side::Client) {
            client::run(arguments, &mut report).await?;
        }
        anyhow::Ok(())
    })?;
    report.write(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    println!("\n{}\nresults: {}", report.summary(), folder.display());
    if report.rows.is_empty() && !arguments.official {
        bail!("no scenario was selected");
    }
    match report.failed() {
        0 => Ok(()),
        failed => bail!("{failed} of {} scenarios failed", report.rows.len()),
    }
}
