//! One large blob over several connections (D23): only exactly what was asked for is used, and
//! whatever goes wrong with a range, one stream brings the rest.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use registry_faults::{
    content::{Blob, CONFIG, Image, LAYER_GZIP, noise, sha256},
    origin::{End, Reply, Rule, Script, Seen, Stage, on},
    registry::Registry,
};
use registry_name::{Identifier, Repository};
use registry_remote::{
    ArchiveKind, ArchiveWriter, Client, CopyOptions, Descriptor, Error, ErrorKind, Layout, Sink,
    Source, copy,
};
use registry_transport::{RetryPolicy, Transport};

const SIZE: usize = 12 << 20;
/// So many bytes at a time make a connection slow enough for others to help.
const PACE: (usize, Duration) = (64 << 10, Duration::from_millis(4));
/// The stream of the whole takes so long that somebody looks at it in time, however busy the machine.
const WHOLE: (usize, Duration) = (64 << 10, Duration::from_millis(12));

/// An image with one large layer.
fn image() -> Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(|| {
        let layer = Blob::new(LAYER_GZIP, noise(1, SIZE));
        // Noise is not compressed, whatever its type.
        let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#, layer.digest);
        Image::of(Blob::new(CONFIG, config), vec![layer])
    });
    IMAGE.clone()
}

fn layer() -> Blob {
    image().last_layer().clone()
}

fn slow(reply: Reply) -> Reply {
    reply.drip(PACE.0, PACE.1)
}

fn blob() -> Rule {
    on("GET", format!("*/blobs/{}", layer().digest))
}

/// A registry that is slow, and answers ranges by `ranges`.
fn stage(ranges: impl FnOnce(Rule) -> Rule) -> Stage {
    let registry = Registry::new().with_image("app", "v1", &image());
    let script = Script::registry(registry)
        .rule(ranges(blob().with_header("range")))
        .rule(blob().always(Reply::registry().drip(WHOLE.0, WHOLE.1)));
    Stage::single(script).unwrap()
}

async fn pull(stage: &Stage, sink: Arc<dyn Sink>) -> Result<(), Error> {
    let policy = RetryPolicy::default().divided_by(1000);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let source: Arc<dyn Source> = Arc::new(client.remote(&repository));
    let from: Identifier = "v1".parse().unwrap();
    copy(&source, &from, &sink, from.tag(), &CopyOptions::default()).await.map(drop)
}

async fn pull_to_layout(stage: &Stage, directory: &Path) -> Result<(), Error> {
    pull(stage, Arc::new(Layout::create(directory))).await
}

fn fetched(directory: &Path) -> String {
    let name = layer().digest.replace(':', "/");
    sha256(&std::fs::read(directory.join("blobs").join(name)).unwrap())
}

/// The requests for the layer, with the range that each asked for.
fn asked(stage: &Stage) -> Vec<(Option<String>, Seen)> {
    let log = stage.log();
    let seen = log
        .requests("GET", "*/blobs/*")
        .filter(|seen| seen.request.target.contains(&layer().digest));
    seen.map(|seen| (seen.request.header("range").map(str::to_owned), seen.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_that_comes_slowly_is_read_in_ranges_that_do_not_overlap() {
    let stage = stage(|ranges| ranges.always(slow(Reply::registry())));
    let directory = tempfile::tempdir().unwrap();
    pull_to_layout(&stage, directory.path()).await.unwrap();
    assert_eq!(fetched(directory.path()), layer().digest);
    let asked = asked(&stage);
    assert_eq!(asked[0].0, None, "the first request is for all of it");
    let mut ranges: Vec<(u64, u64)> = asked[1..]
        .iter()
        .map(|(range, seen)| {
            assert_eq!(seen.status, 206);
            let range = range.as_ref().unwrap().strip_prefix("bytes=").unwrap();
            let (first, last) = range.split_once('-').unwrap();
            (first.parse().unwrap(), last.parse().unwrap())
        })
        .collect();
    ranges.sort_unstable();
    assert!(ranges.len() >= 2, "{ranges:?}");
    assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ranges:?}");
    assert_eq!(ranges.last().unwrap().1 + 1, SIZE as u64, "{ranges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_written_in_ranges_too() {
    let stage = stage(|ranges| ranges.always(slow(Reply::registry())));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.tar");
    pull(&stage, Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, None))).await.unwrap();
    assert!(asked(&stage).len() > 2);
    let archive = registry_remote::ArchiveSource::open(&path).await.unwrap();
    let manifest = archive.manifest(&archive.only().unwrap()).await.unwrap();
    let layer = &manifest.layers()[0];
    let bytes = registry_remote::read_blob(&archive, layer, layer.size).await.unwrap();
    assert_eq!(sha256(&bytes), image().last_layer().digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_in_ranges_too() {
    let stage = stage(|ranges| ranges.always(slow(Reply::registry())));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.bin");
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let remote = Client::anonymous().unwrap().remote(&repository);
    let blob = Descriptor::new(LAYER_GZIP, layer().digest.parse().unwrap(), SIZE as u64);
    remote.save_blob(&blob, &path).await.unwrap();
    assert!(asked(&stage).len() > 2);
    assert_eq!(sha256(&std::fs::read(path).unwrap()), layer().digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn d23_whatever_is_wrong_with_a_range_one_stream_brings_the_rest() {
    let whole = format!("bytes 0-{}/{SIZE}", SIZE - 1);
    let lies = [
        (
            "ignored",
            Reply::registry().status(200).without_header("content-range").body(layer().bytes),
        ),
        ("from the start", Reply::new(206).header("Content-Range", &*whole).body(layer().bytes)),
        ("without saying which", Reply::registry().without_header("content-range")),
        (
            "short",
            Reply::new(206).header("Content-Range", format!("bytes 0-9/{SIZE}")).body("0123456789"),
        ),
        ("refused", Reply::new(416)),
        ("forbidden", Reply::new(403)),
        ("failing", Reply::new(501)),
    ];
    let cases = lies.iter().flat_map(|(name, lie)| {
        [(0, "always"), (1, "after a right one")].map(|(right, when)| {
            let lie = slow(lie.clone());
            let stage = stage(|ranges| ranges.times(right, slow(Reply::registry())).always(lie));
            falls_back(stage, format!("{name}, {when}"))
        })
    });
    futures_util::future::join_all(cases).await;
}

async fn falls_back(stage: Stage, name: String) {
    let directory = tempfile::tempdir().unwrap();
    let pulled = pull_to_layout(&stage, directory.path()).await;
    assert!(pulled.is_ok(), "{name}: {pulled:?}");
    assert_eq!(fetched(directory.path()), layer().digest, "{name}");
    let asked = asked(&stage).len();
    assert!(asked > 1, "{name}: nobody asked for a range");
    assert!(asked < 16, "{name}: {asked} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_breaks_off_goes_on_where_it_stopped() {
    let cut = |at| slow(Reply::registry().cut(at, End::Fin));
    let stage = stage(|ranges| {
        ranges.times(2, cut(100_000)).times(1, cut(0)).always(slow(Reply::registry()))
    });
    let directory = tempfile::tempdir().unwrap();
    pull_to_layout(&stage, directory.path()).await.unwrap();
    assert_eq!(fetched(directory.path()), layer().digest);
    let ends: Vec<_> = asked(&stage)
        .iter()
        .filter_map(|(range, _)| Some(range.as_ref()?.rsplit('-').next()?.to_owned()))
        .collect();
    let resumed = ends.iter().filter(|end| ends.iter().filter(|other| other == end).count() > 1);
    assert!(resumed.count() >= 2, "no range was asked for again by its end: {ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d13_wrong_bytes_in_a_range_cost_one_clean_restart_as_one_stream() {
    let stage = stage(|ranges| ranges.always(slow(Reply::registry().flip_bit(5))));
    let directory = tempfile::tempdir().unwrap();
    pull_to_layout(&stage, directory.path()).await.unwrap();
    assert_eq!(fetched(directory.path()), layer().digest);
    let whole = asked(&stage).iter().filter(|(range, _)| range.is_none()).count();
    assert_eq!(whole, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_everywhere_are_an_error_that_tells_of_both_attempts_and_leave_nothing() {
    let registry = Registry::new().with_image("app", "v1", &image());
    let flipped = slow(Reply::registry().flip_bit(5));
    let stage = Stage::single(Script::registry(registry).rule(blob().always(flipped))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let error = pull_to_layout(&stage, directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    let text = error.to_string();
    assert!(text.contains("read twice (at first: expected sha256:"), "{text}");
    let blobs = directory.path().join("blobs/sha256");
    let left: Vec<_> =
        std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.len() == 64), "{left:?}");
}
