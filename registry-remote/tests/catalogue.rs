//! The catalogue's scenarios about content and connections, played against this library with the very client that
//! `cargo xtask conformance client` has for it. That command plays the others too, and has other
//! programs play them.

#![allow(clippy::panic, reason = "a scenario that cannot be set up has failed")]

#[path = "../../xtask/src/conformance/client/library.rs"]
mod library;

use futures_util::stream::{self, StreamExt as _};
use registry_faults::catalogue;
use registry_faults::scenario::Scenario;

/// Scenarios at a time. Most of them wait.
const AT_ONCE: usize = 16;

/// Plays the scenarios of these chapters. `least` is how many there are at the least.
async fn play(chapters: &[char], least: usize) {
    let mine = |scenario: &Scenario| scenario.ids.iter().any(|id| id.starts_with(chapters));
    let scenarios: Vec<_> = catalogue::all().into_iter().filter(mine).collect();
    assert!(scenarios.len() >= least, "{} of {chapters:?}", scenarios.len());
    let played = stream::iter(&scenarios).map(async |scenario| {
        let verdict = scenario.play(&library::Library).await;
        (scenario, verdict.unwrap_or_else(|error| panic!("{}: {error}", scenario.name)))
    });
    let verdicts: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
    let failed = verdicts.iter().filter(|(_, verdict)| !verdict.passed());
    let failed: Vec<_> = failed
        .map(|(scenario, verdict)| {
            let (faults, seen) = (&verdict.faults, verdict.transcript.join("\n  "));
            format!("{} {:?}: {faults:#?}\n  {seen}\n", scenario.name, scenario.ids)
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_and_files_end_as_the_catalogue_says() {
    play(&['D', 'F'], 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_and_their_names_end_as_the_catalogue_says() {
    play(&['M', 'I'], 35).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_their_tags_end_as_the_catalogue_says() {
    play(&['U', 'P'], 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_graphs_end_as_the_catalogue_says() {
    play(&['L', 'G'], 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_as_the_catalogue_says() {
    play(&['H', 'T'], 34).await;
}
