//! The distribution specification's own program, run against the embedded registry: each version that it knows, in memory and on disk,
//! open and with a login.
//!
//! The program exits with 0 when its own set-up fails, so what counts is the report that it leaves behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use registry_faults::peers;
use registry_serve::{Access, Registry};

use super::report::{Report, Row, Verdict};

const USER: &str = "conformance";
const PASSWORD: &str = "conformance-password";

/// One run of the program.
struct Case {
    version: &'static str,
    on_disk: bool,
    with_login: bool,
}

/// What the program counted.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    tests: u64,
    failed: u64,
}

/// Runs every case and keeps what the program reports below `folder`; where it is missing, says so.
pub(super) async fn run(program: Option<&Path>, folder: &Path, report: &mut Report) -> Result<()> {
    let Some(program) = program.map(PathBuf::from).or_else(|| peers::find("conformance")) else {
        println!(
            "skipped: the specification's own program, `conformance`, is neither in target/peers nor on PATH"
        );
        return Ok(());
    };
    Report::begin("registry", "registry-serve, judged by the specification's own program");
    for version in ["1.1", "dev"] {
        for (on_disk, with_login) in [(false, false), (false, true), (true, false), (true, true)] {
            let case = Case { version, on_disk, with_login };
            let started = Instant::now();
            let played = case.play(&program, &folder.join(case.name())).await;
            let (title, verdict) = match played {
                Ok(Counts { tests, failed: 0 }) => {
                    (format!("{tests} tests, none failed"), Verdict::Passed)
                }
                Ok(Counts { tests, failed }) => {
                    let where_to_look = folder.join(case.name()).join("report.html");
                    let reason = format!("see {}", where_to_look.display());
                    (format!("{failed} of {tests} tests failed"), Verdict::Failed(vec![reason]))
                }
                Err(error) => ("no report".to_owned(), Verdict::Failed(vec![format!("{error:#}")])),
            };
            let subject = "registry-serve, official";
            let row = Row::new("registry", subject, &case.name(), &[version], &title, verdict);
            report.add(Row { time: started.elapsed(), ..row }, false);
        }
    }
    Ok(())
}

impl Case {
    fn name(&self) -> String {
        let store = if self.on_disk { "disk" } else { "memory" };
        let access = if self.with_login { "basic" } else { "anonymous" };
        format!("official-{}-{store}-{access}", self.version)
    }

    async fn play(&self, program: &Path, folder: &Path) -> Result<Counts> {
        // What an earlier run left must not be taken for this one's.
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let store = tempfile::tempdir()?;
        let mut registry = Registry::builder();
        if self.on_disk {
            registry = registry.disk(store.path());
        }
        let mut command = tokio::process::Command::new(program);
        if self.with_login {
            registry = registry.auth(Access::basic([(USER, PASSWORD)]));
            command.env("OCI_USERNAME", USER).env("OCI_PASSWORD", PASSWORD);
        }
        let running = registry.spawn().await?;
        let output = command
            .env("OCI_REGISTRY", running.host())
            .env("OCI_TLS", "disabled")
            .env("OCI_VERSION", self.version)
            .env("OCI_RESULTS_DIR", folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", program.display()))?;
        running.shutdown().await;
        if !folder.join("results.yaml").exists() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("it left no results.yaml; it said: {}", said.trim());
        }
        let junit = fs::read_to_string(folder.join("junit.xml"))?;
        let counts = counts(&junit).context("its junit.xml has no counts")?;
        if counts.failed == 0 && !output.status.success() {
            bail!("it counts no failure, and ends with {}", output.status);
        }
        Ok(counts)
    }
}

/// The counts of the first suite; none where it says nothing of failures, which is not the same as none failed.
fn counts(junit: &str) -> Option<Counts> {
    let suite = junit.split("<testsuite ").nth(1)?.split('>').next()?;
    let number = |name: &str| {
        let text = suite.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
        text.parse::<u64>().ok()
    };
    Some(Counts { tests: number("tests")?, failed: number("failures")? + number("errors")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_those_of_the_suite() {
        let junit = r#"<testsuites time="1.9" tests="862" disabled="2">
  <testsuite name="OCI Conformance Test" tests="862" failures="3" errors="1" disabled="2" time="1.9">"#;
        assert_eq!(counts(junit), Some(Counts { tests: 862, failed: 4 }));
    }

    #[test]
    fn a_report_that_says_nothing_of_failures_is_none() {
        assert_eq!(counts("<testsuites tests=\"862\">"), None);
        assert_eq!(counts(r#"<testsuites><testsuite tests="862">"#), None);
        assert_eq!(counts(""), None);
    }
}
