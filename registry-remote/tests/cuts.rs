//! Downloads that are cut at every kind of place, with every kind of answer to what is asked then.
//! `cargo xtask conformance client` plays the whole matrix.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod stage;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use registry_faults::{
    content::sha256,
    cuts::{self, Wanted},
    origin::{End, Reply, Script, Stage, on},
};
use registry_remote::{Client, Descriptor, Error, ErrorKind, Source as _, media_type};
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

/// Each answer is cut a little further than the last, and each is the whole again.
#[tokio::test]
async fn what_is_fetched_again_where_there_are_no_ranges_has_an_end() {
    let (size, mib) = (72 << 20, 1 << 20);
    let whole = Reply::new(200).body(vec![0; size]);
    let cuts = (66..72).map(|at| whole.clone().cut(at * mib, End::Fin));
    let blob = cuts.fold(on("GET", "*/blobs/*"), |blob, cut| blob.times(1, cut));
    let stage = Stage::single(Script::new().rule(blob.always(whole.clone()))).unwrap();
    let remote = stage::remote(&stage::client(), stage.host(), "app");
    let digest = sha256(b"nobody looks at it").parse().unwrap();
    let blob = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size as u64);
    let stream = remote.open_blob(&blob, 0).await.unwrap();
    let error = stream.try_for_each(async |_| Ok(())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
    // 66 and 67 MiB were fetched twice; 68 more are beyond the size and 64 MiB.
    assert_eq!(stage.log().count("GET", "*/blobs/*"), 4);
}
