//! What was fetched of a blob before a process ended, the next one does not fetch again; and two
//! that want the same blob at the same time fetch it once (F06, F08).
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use registry_faults::{
    content::{Blob, Image, LAYER_GZIP, noise},
    origin::{End, Reply, Script, Stage, on},
    registry::Registry,
};
use registry_name::{Identifier, Repository};
use registry_remote::{Client, CopyOptions, Error, ErrorKind, Layout, Sink, Source, copy};
use registry_transport::{RetryPolicy, Transport};

const SIZE: u64 = 4 << 20;
/// Where the first transfer ends, within a batch.
const CUT: u64 = (3 << 20) + (128 << 10);

fn image() -> Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(|| {
        let layer = Blob::new(LAYER_GZIP, noise(1, SIZE.try_into().unwrap()));
        Image::of(Image::small().config, vec![layer])
    });
    IMAGE.clone()
}

fn layer() -> Blob {
    image().last_layer().clone()
}

fn path() -> String {
    format!("*/blobs/{}", layer().digest)
}

/// A registry whose layer's requests get these replies, and then the right ones.
fn stage(replies: &[Reply]) -> Stage {
    let registry = Registry::new().with_image("app", "v1", &image());
    let rule = replies.iter().fold(on("GET", path()), |rule, reply| rule.times(1, reply.clone()));
    Stage::single(Script::registry(registry).rule(rule)).unwrap()
}

async fn pull(stage: &Stage, directory: &Path) -> Result<(), Error> {
    let policy = RetryPolicy::default().divided_by(1000);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let source: Arc<dyn Source> = Arc::new(client.remote(&repository));
    let sink: Arc<dyn Sink> = Arc::new(Layout::create(directory));
    let from: Identifier = "v1".parse().unwrap();
    copy(&source, &from, &sink, from.tag(), &CopyOptions::default()).await.map(drop)
}

fn blobs(directory: &Path) -> PathBuf {
    directory.join("blobs/sha256")
}

/// What is left of the layer; a draft of something small may still be on its way out.
fn partials(directory: &Path) -> Vec<PathBuf> {
    let hex = layer().digest.replace("sha256:", "");
    let names = fs::read_dir(blobs(directory)).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.to_string_lossy().ends_with(&format!("{hex}.partial"))).collect()
}

fn is_fetched(directory: &Path) -> bool {
    let name = layer().digest.replace("sha256:", "");
    fs::read(blobs(directory).join(name)).unwrap() == layer().bytes
}

fn sent(stage: &Stage) -> u64 {
    stage.log().requests("GET", &path()).map(|seen| seen.sent).sum()
}

/// A directory in which a pull was given up after some bytes of the layer.
async fn interrupted() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let first = stage(&[Reply::registry().cut(CUT, End::Fin), Reply::new(404)]);
    let error = pull(&first, directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(partials(directory.path()).len(), 1);
    directory
}

#[tokio::test]
async fn d21_what_is_gone_on_resume_is_an_error_and_what_came_is_kept_for_another_time() {
    let directory = interrupted().await;
    let again = stage(&[]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    assert_eq!(partials(directory.path()), [] as [PathBuf; 0]);
    let asked: Vec<_> = again.log().requests("GET", &path()).cloned().collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].request.header("range"), Some(&*format!("bytes={CUT}-")));
    assert_eq!(sent(&again), SIZE - CUT);
}

/// What something on the way says in the registry's place.
fn page() -> Reply {
    Reply::new(200).header("Content-Type", "text/html").text("<p>Log in first</p>")
}

#[tokio::test]
async fn d15_an_answer_of_another_length_on_resume_puts_nothing_in_doubt_that_is_here() {
    let directory = interrupted().await;
    let again = stage(&[page()]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    let statuses: Vec<_> =
        again.log().requests("GET", &path()).map(|seen| (seen.status, seen.sent)).collect();
    assert_eq!(statuses[1..], [(206, SIZE - CUT)]);

    let directory = tempfile::tempdir().unwrap();
    let cut = stage(&[Reply::registry().cut(CUT, End::Fin), page()]);
    pull(&cut, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    let sent: Vec<_> = cut.log().requests("GET", &path()).map(|seen| seen.sent).collect();
    assert_eq!((sent[0], &sent[2..]), (CUT, &[SIZE - CUT][..]));
}

#[tokio::test]
async fn d15_where_every_answer_is_of_another_length_what_came_is_kept_for_another_time() {
    let directory = interrupted().await;
    let walled = stage(&[page(), page(), page()]);
    let error = pull(&walled, directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(error.to_string().contains("announced"), "{error}");
    assert_eq!(walled.log().count("GET", &path()), 2);
    let again = stage(&[]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    assert_eq!(sent(&again), SIZE - CUT);
}

#[tokio::test]
async fn f08_an_altered_partial_file_is_begun_anew_whatever_else_was_answered() {
    let directory = interrupted().await;
    let partial = partials(directory.path()).remove(0);
    let mut bytes = fs::read(&partial).unwrap();
    bytes[1000] ^= 1;
    fs::write(&partial, bytes).unwrap();
    let again = stage(&[page()]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    assert_eq!(partials(directory.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn f08_a_partial_file_that_was_altered_costs_one_clean_restart_and_is_gone() {
    let directory = interrupted().await;
    let partial = partials(directory.path()).remove(0);
    let mut bytes = fs::read(&partial).unwrap();
    bytes[1000] ^= 1;
    fs::write(&partial, bytes).unwrap();
    let again = stage(&[]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    assert_eq!(partials(directory.path()), [] as [PathBuf; 0]);
    assert_eq!(sent(&again), SIZE - CUT + SIZE);
}

#[tokio::test]
async fn a_partial_file_whose_note_is_damaged_is_begun_anew() {
    for note in [&b""[..], b"\0\0\0\0", b"registry-partial-1 99 0-10 .\n"] {
        let directory = interrupted().await;
        let partial = partials(directory.path()).remove(0);
        let mut bytes = fs::read(&partial).unwrap();
        bytes.truncate(usize::try_from(SIZE).unwrap());
        bytes.extend_from_slice(note);
        fs::write(&partial, bytes).unwrap();
        let again = stage(&[]);
        pull(&again, directory.path()).await.unwrap();
        assert!(is_fetched(directory.path()));
        assert_eq!(sent(&again), SIZE);
    }
}

#[tokio::test]
async fn a_partial_file_that_stays_wrong_is_deleted() {
    let directory = interrupted().await;
    let flipped = Reply::registry().flip_bit(100);
    let again = stage(&[flipped.clone(), flipped]);
    let error = pull(&again, directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(error.to_string().contains("read twice"), "{error}");
    assert_eq!(partials(directory.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_link_that_has_the_name_of_a_partial_file_is_neither_followed_nor_replaced() {
    let directory = interrupted().await;
    let partial = partials(directory.path()).remove(0);
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&partial, &elsewhere).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &partial).unwrap();
    let again = stage(&[]);
    pull(&again, directory.path()).await.unwrap();
    assert!(is_fetched(directory.path()));
    assert_eq!(sent(&again), SIZE);
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
}

#[tokio::test]
async fn what_nobody_went_on_with_for_a_week_is_swept_and_what_is_newer_is_not() {
    let directory = interrupted().await;
    let partial = partials(directory.path()).remove(0);
    let sweep = async || {
        pull(&stage(&[Reply::new(404)]), directory.path()).await.unwrap_err();
    };
    sweep().await;
    assert!(partial.exists());
    let file = fs::File::options().write(true).open(&partial).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60);
    // Whoever was at it has let go of it.
    file.lock().unwrap();
    file.set_modified(long_ago).unwrap();
    drop(file);
    // Swept, and begun anew, which is of no use and so does not stay.
    sweep().await;
    assert!(!partial.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_of_several_that_want_the_same_blob_at_once_one_fetches_it() {
    let directory = tempfile::tempdir().unwrap();
    let slow = Reply::registry().drip(256 << 10, Duration::from_millis(20));
    let stage = stage(&[slow]);
    let pulls = (0..8).map(|_| pull(&stage, directory.path()));
    for pulled in futures_util::future::join_all(pulls).await {
        pulled.unwrap();
    }
    assert!(is_fetched(directory.path()));
    assert_eq!(stage.log().count("GET", &path()), 1);
    assert_eq!(partials(directory.path()), [] as [PathBuf; 0]);
}
