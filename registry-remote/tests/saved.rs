//! One blob that is wanted as a file: there once it is whole and right, and gone on with by the next
//! who asks for it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod stage;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
    sync::LazyLock,
    time::Duration,
};

use futures_util::future;
use registry_faults::{
    content::{Blob, Image, LAYER_GZIP, noise},
    origin::{End, Reply, Script, Stage, on},
    registry::Registry,
};
use registry_remote::{Client, Descriptor, Error, ErrorKind, Stored};
use registry_transport::{RetryPolicy, Transport};
use stage::remote;

const SIZE: u64 = 4 << 20;
/// Where the first transfer ends, within a batch.
const CUT: u64 = (3 << 20) + (128 << 10);

fn model() -> Blob {
    static MODEL: LazyLock<Blob> =
        LazyLock::new(|| Blob::new(LAYER_GZIP, noise(1, SIZE.try_into().unwrap())));
    MODEL.clone()
}

fn path() -> String {
    format!("*/blobs/{}", model().digest)
}

/// A registry whose blob's requests get these replies, and then the right ones.
fn stage(replies: &[Reply]) -> Stage {
    let image = Image::of(Image::small().config, vec![model()]);
    let registry = Registry::new().with_image("app", "v1", &image);
    let rule = replies.iter().fold(on("GET", path()), |rule, reply| rule.times(1, reply.clone()));
    Stage::single(Script::registry(registry).rule(rule)).unwrap()
}

async fn save(stage: &Stage, file: &Path) -> Result<Stored, Error> {
    let policy = RetryPolicy::default().divided_by(1000);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let blob = Descriptor::new(LAYER_GZIP, model().digest.parse().unwrap(), SIZE);
    remote(&client, stage.host(), "app").save_blob(&blob, file).await
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

fn sent(stage: &Stage) -> u64 {
    stage.log().requests("GET", &path()).map(|seen| seen.sent).sum()
}

#[tokio::test]
async fn what_was_fetched_before_an_end_of_any_kind_is_not_fetched_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.bin");
    let first = stage(&[Reply::registry().cut(CUT, End::Fin), Reply::new(404)]);
    let error = save(&first, &file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!file.exists());

    // Let go of in its midst, as by a program that ends.
    let partial = directory.path().join(&names(directory.path())[0]);
    let written = || fs::metadata(&partial).unwrap().mtime_nsec();
    let (second, before) = (stage(&[Reply::registry().cut(600 << 10, End::Hold)]), written());
    let mut saving = Box::pin(save(&second, &file));
    while written() == before {
        assert!(future::poll_immediate(&mut saving).await.is_none());
        tokio::task::yield_now().await;
    }
    drop(saving);

    let third = stage(&[]);
    assert_eq!(save(&third, &file).await.unwrap(), Stored::Written);
    assert_eq!(fs::read(&file).unwrap(), model().bytes);
    assert_eq!(names(directory.path()), ["model.bin"]);
    assert!(sent(&third) < SIZE - CUT, "{} bytes", sent(&third));
}

#[tokio::test]
async fn what_stays_wrong_leaves_what_was_there_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.bin");
    fs::write(&file, "before").unwrap();
    let page = Reply::new(200).header("Content-Type", "text/html").text("<p>Log in first</p>");
    for lie in [Reply::registry().flip_bit(100), page] {
        let error = save(&stage(&[lie.clone(), lie]), &file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert_eq!(names(directory.path()), ["model.bin"]);
        assert_eq!(fs::read(&file).unwrap(), b"before");
    }
}

#[tokio::test]
async fn what_is_there_already_costs_no_request_and_what_only_looks_like_it_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (file, elsewhere) = (directory.path().join("model.bin"), directory.path().join("other"));
    let mut rotten = model().bytes.to_vec();
    rotten[7] ^= 1;
    fs::write(&file, &rotten).unwrap();
    let registry = stage(&[]);
    assert_eq!(save(&registry, &file).await.unwrap(), Stored::Written);
    assert_eq!(save(&registry, &file).await.unwrap(), Stored::Present);
    assert_eq!(registry.log().count("GET", &path()), 1);

    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(save(&registry, &file).await.unwrap(), Stored::Written);
    assert!(file.symlink_metadata().unwrap().is_file());

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for place in [&*file, &directory.path().join("no/model.bin")] {
        let error = save(&registry, place).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local, "{error}");
        assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
    }
    assert_eq!(registry.log().count("GET", &path()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_of_several_that_want_the_same_file_at_once_one_fetches_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.bin");
    let registry = stage(&[Reply::registry().drip(256 << 10, Duration::from_millis(20))]);
    let saved = future::join_all((0..4).map(|_| save(&registry, &file))).await;
    let written = saved.into_iter().filter(|saved| *saved.as_ref().unwrap() == Stored::Written);
    assert_eq!((written.count(), registry.log().count("GET", &path())), (1, 1));
    assert_eq!(fs::read(&file).unwrap(), model().bytes);
    assert_eq!(names(directory.path()), ["model.bin"]);
}
