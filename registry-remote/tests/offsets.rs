//! Offsets beyond 4 GiB (D25), without moving that many bytes.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use futures_util::TryStreamExt as _;
use registry_faults::{
    content::sha256,
    origin::{End, Reply, Script, Stage, on},
};
use registry_name::Repository;
use registry_remote::{Client, Descriptor, Source as _};
use registry_transport::{RetryPolicy, Transport};

#[tokio::test]
async fn d25_a_transfer_that_is_cut_beyond_4_gib_goes_on_exactly_there() {
    let digest = sha256(b"a sparse blob");
    let (from, size) = ((4_u64 << 30) + 1, (4_u64 << 30) + 11);
    let part = |at: u64, body: &'static str| {
        let range = format!("bytes {at}-{}/{size}", size - 1);
        Reply::new(206).header("Content-Range", range).body(body)
    };
    let rest = on("GET", format!("*/blobs/{digest}"));
    let rest = rest.times(1, part(from, "0123456789").cut(4, End::Fin));
    let stage = Stage::single(Script::new().rule(rest.always(part(from + 4, "456789")))).unwrap();
    let policy = RetryPolicy::default().divided_by(1000);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let remote = client.remote(&repository);
    let blob = Descriptor::new("application/octet-stream", digest.parse().unwrap(), size);
    let stream = remote.open_blob(&blob, from).await.unwrap();
    let chunks: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"0123456789");
    let log = stage.log();
    let asked: Vec<_> = log.seen.iter().map(|seen| seen.request.header("range").unwrap()).collect();
    assert_eq!(asked, ["bytes=4294967297-", "bytes=4294967301-"]);
}
