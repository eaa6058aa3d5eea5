//! Every hostile scenario of the catalogue about lists of tags and about graphs of content, played
//! against this library. `cargo xtask conformance client` plays them all, against programs as well.

#![allow(clippy::panic, reason = "a scenario that cannot be set up has failed")]

#[path = "../../xtask/src/conformance/client/library.rs"]
mod library;

use futures_util::stream::{self, StreamExt as _};
use registry_faults::catalogue;

/// Scenarios at a time.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_graphs_are_read_as_the_catalogue_says() {
    let about = |id: &&str| id.starts_with(['L', 'G']);
    let chosen: Vec<_> =
        catalogue::all().into_iter().filter(|one| one.ids.iter().any(about)).collect();
    assert!(chosen.len() >= 18, "{}", chosen.len());
    let played = stream::iter(&chosen).map(async |scenario| {
        let verdict = scenario.play(&library::Library).await;
        (scenario, verdict.unwrap_or_else(|error| panic!("{}: {error}", scenario.name)))
    });
    let verdicts: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
    let failed = verdicts.iter().filter(|(_, verdict)| !verdict.passed());
    let failed: Vec<_> = failed
        .map(|(scenario, verdict)| {
            let seen = verdict.transcript.join("\n  ");
            format!("{} {:?}: {:#?}\n  {seen}", scenario.name, scenario.ids, verdict.faults)
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
