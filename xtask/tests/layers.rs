//! Dependencies between our crates go one way: a lower one has never heard of a higher one.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// From the lowest to the highest.
const ORDER: [&str; 5] =
    ["registry-name", "registry-authn", "registry-transport", "registry-remote", "registry-cli"];

/// The other side of the wire knows names and nothing else of ours.
const SERVE: &str = "registry-serve";

/// Every normal or build dependency between crates of ours, from cargo's own view.
fn dependencies() -> Result<Vec<(String, String)>> {
    let output = Command::new(std::env::var_os("CARGO").context("cargo runs this test")?)
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().context("a package without a name")?;
        for dependency in package["dependencies"].as_array().context("no dependencies")? {
            let on = dependency["name"].as_str().context("a dependency without a name")?;
            if dependency["kind"].as_str() != Some("dev") && on.starts_with("registry-") {
                found.push((name.to_owned(), on.to_owned()));
            }
        }
    }
    Ok(found)
}

fn is_allowed(from: &str, to: &str) -> bool {
    let place = |name: &str| ORDER.iter().position(|other| *other == name);
    match (from, to) {
        // Chores use everything, and are never published.
        ("xtask", _) | (SERVE, "registry-name") | ("registry-cli", SERVE) => true,
        _ => place(from).zip(place(to)).is_some_and(|(from, to)| to < from),
    }
}

#[test]
fn dependencies_between_our_crates_point_downwards() {
    let found = dependencies().unwrap();
    assert!(found.iter().any(|(from, _)| from == "registry-cli"), "{found:?}");
    let upward: Vec<_> = found.iter().filter(|(from, to)| !is_allowed(from, to)).collect();
    assert!(upward.is_empty(), "these point upwards: {upward:?}");
}

#[test]
fn the_rule_knows_up_from_down() {
    assert!(is_allowed("registry-cli", "registry-name"));
    assert!(is_allowed("registry-serve", "registry-name"));
    assert!(!is_allowed("registry-name", "registry-authn"));
    assert!(!is_allowed("registry-authn", "registry-authn"));
    assert!(!is_allowed("registry-serve", "registry-transport"));
    assert!(!is_allowed("registry-remote", "registry-serve"));
    assert!(!is_allowed("registry-faults", "registry-name"));
}
