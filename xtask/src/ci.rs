//! What continuous integration runs, in its order, until something fails.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::run::{cargo, succeed};

/// A step: what it is called, and the command.
type Step = (&'static str, Command);

pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let mut times = Vec::new();
    for (name, mut command) in steps() {
        println!("\n=== {name}");
        let begun = Instant::now();
        let result = succeed(&mut command);
        let time = begun.elapsed();
        println!(
            "=== {name}: {} after {}",
            if result.is_ok() { "done" } else { "FAILED" },
            seconds(time)
        );
        result.with_context(|| format!("{name} failed"))?;
        times.push((name, time));
    }
    println!("\n=== all done after {}", seconds(started.elapsed()));
    for (name, time) in times {
        println!("{:>9}  {name}", seconds(time));
    }
    Ok(())
}

fn steps() -> Vec<Step> {
    let split = |line: &'static str| cargo(line.split(' '));
    let mut doc = split("doc --workspace --no-deps");
    doc.env("RUSTDOCFLAGS", "-D warnings");
    vec![
        ("formatting", split("fmt --all --check")),
        ("lints", split("clippy --workspace --all-targets -- -D warnings")),
        ("documentation", doc),
        ("the name alone, with serde", split("check -p registry-name --features serde")),
        ("the transport without TLS", split("check -p registry-transport --no-default-features")),
        ("what the transport is built of", split("xtask crates")),
        ("the library without TLS", split("check -p registry-remote --no-default-features")),
        ("the command without features", split("check -p registry-cli --no-default-features")),
        // As the README says.
        ("tests", split("test --workspace")),
        ("demo", split("xtask demo")),
        ("conformance", split("xtask conformance")),
        (
            "conformance by the specification's own program",
            split("xtask conformance registry --official"),
        ),
    ]
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
