//! Downloads and uploads that are cut at every kind of place, with every kind of answer to what is asked then.
//! `cargo xtask conformance client` plays the whole matrices, with the very functions that are used here.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

#[path = "../../xtask/src/conformance/client/blob.rs"]
mod blob;
mod stage;

use futures_util::TryStreamExt as _;
use registry_faults::{
    content::sha256,
    cuts,
    origin::{End, Reply, Script, Stage, on},
    upload_cuts,
};
use registry_remote::{Client, Descriptor, ErrorKind, Source as _, media_type};

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_anywhere_is_whole_in_the_end() {
    let client = Client::new(blob::hasty().unwrap());
    let cuts = cuts::reduced();
    let played = cuts::play(&cuts, move |wanted| blob::fetch(client.clone(), wanted));
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

#[tokio::test(flavor = "multi_thread")]
async fn u01_u02_u05_an_upload_that_is_cut_anywhere_is_whole_in_the_end() {
    let transport = blob::hasty().unwrap();
    let cuts = upload_cuts::reduced();
    let played = upload_cuts::play(&cuts, move |offered| blob::push(transport.clone(), offered));
    let played = played.await.unwrap();
    assert_eq!(played.faults, [] as [String; 0]);
    assert_eq!((played.cuts, played.refused), (cuts.len(), 0));
    assert!(played.settled >= 40, "{} commits in doubt", played.settled);
}
