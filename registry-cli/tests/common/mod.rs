//! What the tests of the verbs share: a registry, a directory, and runs in this process.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use registry_authn::Environment;
use registry_cli::{Captured, Exit, System, run};
use registry_serve::{Builder, Registry, Running};
use serde_json::Value;
use tempfile::TempDir;

/// A registry on loopback, and a directory that goes away.
pub(crate) struct Bench {
    pub(crate) registry: Running,
    pub(crate) host: String,
    pub(crate) directory: TempDir,
    environment: Environment,
}

/// How a run ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Registry::builder()).await
    }

    pub(crate) async fn with(builder: Builder) -> Self {
        let registry = builder.spawn().await.unwrap();
        let (host, directory) = (registry.host(), tempfile::tempdir().unwrap());
        Self { registry, host, directory, environment: Environment::empty() }
    }

    /// The Docker config file that the following runs read.
    pub(crate) fn docker_config(&mut self, config: &Value) {
        std::fs::write(self.path("config.json"), config.to_string()).unwrap();
        self.environment = Environment::empty().var("DOCKER_CONFIG", self.directory.path());
    }

    /// The following runs have a home directory.
    pub(crate) fn at_home(&mut self) {
        self.environment = Environment::empty().home(self.directory.path().join("home"));
    }

    /// Runs a command line with this as its standard input.
    pub(crate) async fn told<W: AsRef<str>>(&self, input: &str, words: &[W]) -> Outcome {
        let (system, captured) = System::captured(self.environment.clone());
        let input = std::io::Cursor::new(input.as_bytes().to_vec());
        outcome(words, system.stdin(input), &captured).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text, for a word of a command line.
    pub(crate) fn word(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `127.0.0.1:PORT/NAME`
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Runs a command line in this process.
    pub(crate) async fn run<W: AsRef<str>>(&self, words: &[W]) -> Outcome {
        let (system, captured) = System::captured(self.environment.clone());
        outcome(words, system, &captured).await
    }

    /// Runs a command line that is to succeed; its standard output, the last newline left out.
    pub(crate) async fn text<W: AsRef<str>>(&self, words: &[W]) -> String {
        let outcome = self.run(words).await;
        assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
        outcome.text().trim_end_matches('\n').to_owned()
    }

    /// Runs a command line with `--output json`.
    pub(crate) async fn json<W: AsRef<str>>(&self, words: &[W]) -> Value {
        let mut words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        words.extend(["--output", "json"]);
        let text = self.text(&words).await;
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a command line that is to fail; what it says, one item a line.
    pub(crate) async fn refused<W: AsRef<str>>(&self, exit: Exit, words: &[W]) -> Vec<String> {
        let outcome = self.run(words).await;
        assert_eq!(outcome.exit, exit, "{outcome:?}");
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
        let lines: Vec<_> = outcome.stderr.lines().map(str::to_owned).collect();
        let errors = lines.iter().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{outcome:?}");
        lines
    }
}

pub(crate) async fn outcome<W: AsRef<str>>(
    words: &[W],
    system: System,
    captured: &Captured,
) -> Outcome {
    let words = std::iter::once("registry").chain(words.iter().map(AsRef::as_ref));
    let exit = run(words, system).await;
    Outcome { exit, stdout: captured.stdout(), stderr: captured.stderr() }
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// The entries of a layout's index.json as (digest, tag), in its order.
pub(crate) fn entries(directory: &Path) -> Vec<(String, Option<String>)> {
    let bytes = std::fs::read(directory.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&bytes).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter().map(|entry| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
        (entry["digest"].as_str().unwrap().to_owned(), tag.map(str::to_owned))
    });
    entries.collect()
}
