//! Uploads that are cut at every kind of place, with every kind of word on the session after it.
//! `cargo xtask conformance client` plays the whole matrix.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod stage;

use std::sync::Arc;

use registry_faults::upload_cuts::{self, Offered};
use registry_remote::{Client, Error, Memory, Sink as _, Source, media_type};
use registry_transport::{RetryPolicy, Transport};

async fn push(transport: Transport, offered: Offered) -> Result<(), Error> {
    let memory = Memory::new();
    let blob = memory.add_blob(media_type::OCI_LAYER_GZIP, offered.bytes);
    let source: Arc<dyn Source> = Arc::new(memory);
    // A client of its own: what is learnt at one cut must not help at the next.
    let client = Client::new(transport);
    let remote = stage::remote(&client, &offered.registry, &offered.repository);
    remote.put_blob(&blob, &source).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn u01_u02_u05_an_upload_that_is_cut_anywhere_is_whole_in_the_end() {
    let policy = RetryPolicy::default().divided_by(10_000);
    let transport = Transport::builder().policy(policy).build().unwrap();
    let cuts = upload_cuts::reduced();
    let played = upload_cuts::play(&cuts, move |offered| {
        let pushed = push(transport.clone(), offered);
        async move { pushed.await.map_err(|error| format!("{error:?}")) }
    });
    let played = played.await.unwrap();
    assert_eq!(played.faults, [] as [String; 0]);
    assert_eq!((played.cuts, played.refused), (cuts.len(), 0));
    assert!(played.settled >= 40, "{} commits in doubt", played.settled);
}
