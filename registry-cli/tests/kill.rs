//! A transfer that is killed, at points chosen by what the registry has sent: nothing unverified is at
//! a final path, and the next pull fetches no more than what was missing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod served;

use std::{
    fs,
    ops::Range,
    path::Path,
    process::{Child, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use registry_faults::{
    content::{Blob, Image, LAYER_GZIP, noise, sha256},
    kills::{
        self,
        partial::{self, total},
    },
    origin::{End, Reply, Script, Stage, on},
    registry::Registry,
};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 12 * MIB;
/// What is hashed and written at once, or less; a batch that is not full yet is in memory only.
const BATCH: u64 = 256 << 10;

fn image() -> Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(|| {
        let layer = Blob::new(LAYER_GZIP, noise(1, SIZE.try_into().unwrap()));
        Image::of(Image::small().config, vec![layer])
    });
    IMAGE.clone()
}

fn layer_path() -> String {
    format!("*/blobs/{}", image().last_layer().digest)
}

fn registry() -> Registry {
    Registry::new().with_image("app", "v1", &image())
}

fn pull(stage: &Stage, directory: &Path) -> Child {
    served::alone(env!("CARGO_BIN_EXE_registry"))
        .args(["pull", "--quiet", &format!("{}/app:v1", stage.host())])
        .arg(format!("oci:{}", directory.display()))
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The ranges of the layer that its partial file says to hold.
fn noted(directory: &Path) -> Vec<Range<u64>> {
    partial::noted(directory, image().last_layer())
}

/// Kills a pull once its partial file is as `is_there` wants it.
fn killed(stage: &Stage, directory: &Path, is_there: impl Fn(&[Range<u64>]) -> bool) {
    let mut child = pull(stage, directory);
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_there(&noted(directory)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < patience, "{:?}", noted(directory));
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every file whose name is a digest holds just that.
fn assert_verified(directory: &Path) {
    for entry in fs::read_dir(directory.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with('.') {
            assert_eq!(sha256(&fs::read(path).unwrap()), format!("sha256:{name}"));
        }
    }
    assert!(!directory.join("index.json").exists());
}

/// The next pull completes, and fetches what was missing and little more.
fn assert_goes_on(directory: &Path) {
    let here = total(&noted(directory));
    let stage = Stage::single(Script::registry(registry())).unwrap();
    assert!(pull(&stage, directory).wait().unwrap().success());
    let sent: u64 = stage.log().requests("GET", &layer_path()).map(|seen| seen.sent).sum();
    // A first pull may let go of its stream of the whole, with what the system's buffers held of it.
    assert!(
        here == 0 || sent <= SIZE - here + MIB,
        "{here} of {SIZE} were here, and {sent} came again"
    );
    let hex = image().last_layer().digest.replace("sha256:", "");
    let blob = fs::read(directory.join("blobs/sha256").join(hex)).unwrap();
    assert_eq!(sha256(&blob), image().last_layer().digest);
    assert!(directory.join("index.json").exists());
    assert!(!partial::path(directory, image().last_layer()).exists());
}

#[test]
fn a_pull_that_is_killed_goes_on_where_it_was_whatever_had_come() {
    for at in [0, 1, BATCH, MIB + 77, 5 * MIB, 8 * MIB - 1, SIZE - 1] {
        let directory = tempfile::tempdir().unwrap();
        let cut = on("GET", layer_path()).without_header("range");
        let script = Script::registry(registry())
            .rule(cut.always(Reply::registry().cut(at, End::Hold)))
            .rule(on("GET", layer_path()).always(Reply::new(416)));
        let stage = Stage::single(script).unwrap();
        let least = at.saturating_sub(BATCH - 1);
        killed(&stage, directory.path(), |noted| {
            total(noted) >= least && stage.log().count("GET", &layer_path()) > 0
        });
        assert_verified(directory.path());
        assert_goes_on(directory.path());
    }
}

#[test]
fn ranges_that_are_complete_when_a_pull_is_killed_are_not_fetched_again() {
    let directory = tempfile::tempdir().unwrap();
    let slow = || Reply::registry().drip(64 << 10, Duration::from_millis(4));
    let script = Script::registry(registry())
        .rule(on("GET", layer_path()).with_header("range").always(slow()))
        .rule(on("GET", layer_path()).always(slow().cut(6 * MIB, End::Hold)));
    let stage = Stage::single(script).unwrap();
    killed(&stage, directory.path(), |noted| noted.len() > 1 && total(noted) > 4 * MIB);
    assert_verified(directory.path());
    assert_goes_on(directory.path());
}

#[test]
fn a_pull_that_is_killed_again_and_again_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = 0;
    // What is left in the end is more than all its ranges together may bring in one go.
    while before < SIZE / 2 {
        let rule = on("GET", layer_path()).always(Reply::registry().cut(MIB, End::Hold));
        let stage = Stage::single(Script::registry(registry()).rule(rule)).unwrap();
        killed(&stage, directory.path(), |noted| total(noted) > before + MIB - BATCH);
        assert_verified(directory.path());
        before = total(&noted(directory.path()));
    }
    assert_goes_on(directory.path());
}

/// Pulls into layouts and archives, pushes and copies: some of the points of `cargo xtask conformance client`.
#[test]
fn whatever_is_killed_leaves_nothing_wrong_and_the_next_run_does_the_rest() {
    let binary = Path::new(env!("CARGO_BIN_EXE_registry"));
    let played = kills::play(&kills::reduced(), binary).unwrap();
    assert_eq!(played.faults, [] as [String; 0]);
    assert!(played.over < played.kills / 2, "{} of {} came too late", played.over, played.kills);
}
