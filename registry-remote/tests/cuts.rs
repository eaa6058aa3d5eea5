//! Downloads that are cut at every kind of place, with every kind of answer to what is asked then.
//! `cargo xtask conformance client` plays the whole matrix.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod stage;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use registry_faults::cuts::{self, Wanted};
use registry_remote::{Client, Descriptor, Error, media_type};
use registry_transport::{RetryPolicy, Transport};

async fn fetch(client: &Client, wanted: &Wanted) -> Result<Bytes, Error> {
    let remote = stage::remote(client, &wanted.registry, &wanted.repository);
    let digest = wanted.digest.parse().unwrap();
    let blob = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, wanted.size);
    let mut bytes = BytesMut::new();
    let mut stream = remote.blob(&blob).await?;
    while let Some(chunk) = stream.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_anywhere_is_whole_in_the_end() {
    let policy = RetryPolicy::default().divided_by(10_000);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let cuts = cuts::reduced();
    let played = cuts::play(&cuts, move |wanted| {
        let client = client.clone();
        async move { fetch(&client, &wanted).await.map_err(|error| format!("{error:?}")) }
    });
    let played = played.await.unwrap();
    assert_eq!(played.faults, [] as [String; 0]);
    assert_eq!(played.cuts, cuts.len());
}
