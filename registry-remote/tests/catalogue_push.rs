//! Every hostile scenario of the catalogue that is a push, played against this library.
//! `cargo xtask conformance client` plays them all, against programs as well.

#![allow(clippy::panic, reason = "a scenario that cannot be set up has failed")]

#[path = "../../xtask/src/conformance/client/library.rs"]
mod library;

use futures_util::stream::{self, StreamExt as _};
use registry_faults::catalogue;
use registry_faults::scenario::Action;

/// Scenarios at a time.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_registries_are_pushed_to_as_the_catalogue_says() {
    let pushes: Vec<_> =
        catalogue::all().into_iter().filter(|scenario| scenario.action == Action::Push).collect();
    let played = stream::iter(pushes.iter().map(|scenario| async move {
        let verdict = scenario.play(&library::Library).await;
        (scenario, verdict.unwrap_or_else(|error| panic!("{}: {error}", scenario.name)))
    }));
    let verdicts: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|(_, verdict)| !verdict.passed())
        .map(|(scenario, verdict)| {
            let (faults, seen) = (&verdict.faults, verdict.transcript.join("\n  "));
            format!("{} {:?}: {faults:#?}\n  {seen}\n", scenario.name, scenario.ids)
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    println!("{} scenarios of pushes passed", verdicts.len());
}
