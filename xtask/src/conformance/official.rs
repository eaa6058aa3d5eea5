//! The distribution specification's own program, run against the embedded registry: every version, store and access that it can judge.
//!
//! The program exits with 0 when its set-up fails, so what counts is the report it leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use registry_faults::peers;
use registry_serve::{Access, Registry, Running};

use super::report::{Report, Row};

const USER: &str = "conformance";
const PASSWORD: &str = "conformance-password";

/// One run of the program.
struct Case {
    version: &'static str,
    on_disk: bool,
    with_login: bool,
}

/// What the program's report says.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
}

/// Runs every case; says that they are skipped where the program is missing.
pub(super) async fn run(program: Option<&Path>, folder: &Path, report: &mut Report) -> Result<()> {
    let Some(program) = program.map(PathBuf::from).or_else(|| peers::find("conformance")) else {
        println!("skipped: the specification's own program, `conformance`, is neither in target/peers nor on PATH");
        return Ok(());
    };
    report.begin("official", "the specification's own program");
    for version in ["1.1", "dev"] {
        for (on_disk, with_login) in [(false, false), (false, true), (true, false), (true, true)] {
            let case = Case { version, on_disk, with_login };
            report.add(case.row(&program, folder).await?);
        }
    }
    Ok(())
}
