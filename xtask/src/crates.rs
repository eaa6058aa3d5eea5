//! What a program takes in with registry-transport: how many crates, and that some are not among them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::run::{cargo, output};

/// More crates than this are a decision, which is made by raising the number.
const LIMIT: usize = 110;

/// Image types, command lines, metrics and log collectors are for those who use the transport to choose.
const UNWANTED: [&str; 10] = [
    "anyhow",
    "clap",
    "metrics",
    "oci-spec",
    "opentelemetry",
    "prometheus",
    "prometheus-client",
    "registry-cli",
    "registry-remote",
    "tracing-subscriber",
];

/// Prints the count of the normal dependency tree, and fails above the limit.
pub(crate) fn run() -> Result<()> {
    // For one target, so that the count is the same everywhere.
    let line = "tree -p registry-transport -e normal --prefix none --no-dedupe --locked \
                --target x86_64-unknown-linux-gnu";
    let tree = output(&mut cargo(line.split_whitespace()))?;
    let crates = crates(&tree);
    println!("registry-transport is built of {} crates, itself among them", crates.len());
    judge(&crates)
}

/// Name and version of each crate.
fn crates(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect()
}

fn judge(crates: &BTreeSet<(&str, &str)>) -> Result<()> {
    if crates.is_empty() {
        bail!("cargo tree printed no crate");
    }
    if let Some((name, _)) = crates.iter().find(|(name, _)| UNWANTED.contains(name)) {
        bail!("{name} is in the tree of registry-transport");
    }
    if crates.len() > LIMIT {
        bail!("{} crates are more than {LIMIT}, the recorded limit", crates.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_for_each_version() {
        let tree =
            "registry-transport v0.1.0 (/x)\nsyn v2.0.1\nsyn v3.0.0 (proc-macro)\nsyn v2.0.1\n";
        assert_eq!(crates(tree).len(), 3);
        assert!(judge(&crates(tree)).is_ok());
    }

    #[test]
    fn what_does_not_belong_there_and_too_much_of_it_fail() {
        let named = |name| judge(&crates(&format!("{name} v1.0.0"))).map_err(|e| e.to_string());
        assert_eq!(named("oci-spec"), Err("oci-spec is in the tree of registry-transport".into()));
        assert!(named("").is_err());
        let many = (0..=LIMIT).map(|n| format!("a{n} v1")).collect::<Vec<_>>().join("\n");
        assert!(judge(&crates(&many)).is_err());
    }
}
