//! The hostile scenarios of manifests, identity, lists and the content graph, played against this
//! crate with the very client that `cargo xtask conformance client` has for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../../xtask/src/conformance/client/library.rs"]
mod library;

use futures_util::{StreamExt as _, stream};
use registry_faults::catalogue;

#[tokio::test]
async fn m_i_l_g_scenarios_end_as_they_must() {
    let mine = |id: &&str| id.starts_with(['M', 'I', 'L', 'G']);
    let scenarios = catalogue::all().into_iter().filter(|it| it.ids.iter().any(mine));
    let played = stream::iter(scenarios).map(|scenario| async move {
        let verdict = scenario.play(&library::Library).await.unwrap();
        (scenario.name, verdict.faults, verdict.transcript)
    });
    let all: Vec<_> = played.buffer_unordered(4).collect().await;
    assert!(all.len() > 40, "{}", all.len());
    let failed: Vec<_> = all.iter().filter(|(_, faults, _)| !faults.is_empty()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
