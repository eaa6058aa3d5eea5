//! Damage, links, full disks: what must not leave anything behind.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{fs, sync::Arc};

use bytes::Bytes;
use local::{Damaged, by_tag, read_blob, small_image, to_the_end, told, transfer, tree};
use registry_remote::{
    ArchiveKind, ArchiveWriter, Error, ErrorKind, Layout, Mismatch, Sink, Source as _,
};

fn another(bytes: &Bytes) -> Vec<Result<Bytes, Error>> {
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    vec![Ok(bytes.into())]
}

fn shorter(bytes: &Bytes) -> Vec<Result<Bytes, Error>> {
    vec![Ok(bytes.slice(1..))]
}

fn longer(bytes: &Bytes) -> Vec<Result<Bytes, Error>> {
    vec![Ok(bytes.clone()), Ok(Bytes::from_static(b"more"))]
}

fn refused(_: &Bytes) -> Vec<Result<Bytes, Error>> {
    let mismatch = Mismatch::Size { expected: 1, actual: 2 };
    vec![Err(Error::Integrity { what: "a stream that judges itself".into(), mismatch })]
}

fn sinks(directory: &std::path::Path) -> [Arc<dyn Sink>; 2] {
    [
        Arc::new(Layout::create(directory.join("layout"))),
        Arc::new(ArchiveWriter::new(directory.join("file.tar"), ArchiveKind::Oci, None)),
    ]
}

#[tokio::test]
async fn f08_bytes_that_were_damaged_once_are_read_again_from_the_start() {
    for lie in [another, shorter, longer, refused] {
        let directory = tempfile::tempdir().unwrap();
        for sink in sinks(directory.path()) {
            let (source, _) = small_image(&[]);
            let source = Damaged::new(source, 1, lie);
            transfer(source.clone(), &by_tag("v1"), sink, Some("a")).await.unwrap();
            assert_eq!(source.opened(), 2);
        }
    }
}

#[test]
fn bytes_that_stay_wrong_are_an_error_and_leave_nothing_behind() {
    for lie in [another, shorter, longer, refused] {
        let directory = tempfile::tempdir().unwrap();
        for sink in sinks(directory.path()) {
            let (source, _) = small_image(&[]);
            let source = Damaged::new(source, usize::MAX, lie);
            let copied = to_the_end(transfer(source.clone(), &by_tag("v1"), sink, Some("a")));
            let error = copied.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
            assert_eq!(source.opened(), 2, "one restart, no more");
        }
        assert_eq!(tree(directory.path()), Vec::<String>::new());
    }
}

#[test]
fn an_empty_directory_that_was_there_stays_and_stays_empty() {
    let directory = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[]);
    let source = Damaged::new(source, usize::MAX, another);
    let layout = Arc::new(Layout::create(directory.path()));
    to_the_end(transfer(source, &by_tag("v1"), layout, Some("a"))).unwrap_err();
    assert!(directory.path().is_dir());
    assert_eq!(tree(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn verified_blobs_of_a_failed_copy_stay_and_are_used_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let (source, manifest) = small_image(&[b"a layer"]);
    {
        let layout = Layout::create(&path);
        let source: Arc<dyn registry_remote::Source> = source.clone();
        layout.put_blob(&manifest.layers()[0], &source).await.unwrap();
    }
    assert!(!path.join("index.json").exists());
    let error = Layout::open(&path).await.unwrap_err();
    assert!(told(&error).contains("interrupted"), "{}", told(&error));
    let layout = Arc::new(Layout::create(&path));
    let report = transfer(source, &by_tag("v1"), layout, Some("a")).await.unwrap();
    assert_eq!((report.written, report.present), (1, 1));
}

#[tokio::test]
async fn f10_a_blob_that_rotted_is_noticed_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"a layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    transfer(source, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let blobs = directory.path().join("blobs/sha256");
    let layer = &manifest.layers()[0];
    fs::write(blobs.join(layer.digest.hex()), b"A layer").unwrap();
    let error = read_blob(layout.as_ref(), layer).await.unwrap_err();
    assert!(matches!(error, Error::Integrity { mismatch: Mismatch::Digest { .. }, .. }));
    fs::write(blobs.join(layer.digest.hex()), b"longer than a layer").unwrap();
    let error = read_blob(layout.as_ref(), layer).await.unwrap_err();
    assert!(matches!(error, Error::Integrity { mismatch: Mismatch::Size { .. }, .. }));
    let digest = manifest.digest().clone().into();
    let index = fs::read_to_string(directory.path().join("index.json")).unwrap();
    let size = format!("\"size\":{}", manifest.bytes().len());
    assert!(index.contains(&size), "{index}");
    local::write(directory.path(), "index.json", index.replace(&size, "\"size\":1").as_bytes());
    let error = layout.manifest(&digest).await.unwrap_err();
    assert!(told(&error).contains("expected 1 bytes, got"), "{}", told(&error));
    let mut bytes = manifest.bytes().to_vec();
    bytes[0] = b' ';
    fs::write(blobs.join(manifest.digest().hex()), bytes).unwrap();
    let error = layout.manifest(&by_tag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_in_a_layout_are_not_followed() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"a layer"]);
    let root = directory.path().join("layout");
    let layout = Arc::new(Layout::create(&root));
    transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let layer = &manifest.layers()[0];

    // The very bytes, elsewhere: nothing but the link is wrong.
    let blob = root.join("blobs/sha256").join(layer.digest.hex());
    fs::rename(&blob, directory.path().join("elsewhere")).unwrap();
    symlink(directory.path().join("elsewhere"), &blob).unwrap();
    let error = read_blob(layout.as_ref(), layer).await.unwrap_err();
    assert!(told(&error).contains("symbolic link"), "{}", told(&error));
    assert_eq!(error.kind(), ErrorKind::Local);

    // Another copy replaces the link, not what it names.
    let report = transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    assert_eq!(report.written, 1);
    assert!(blob.symlink_metadata().unwrap().is_file());

    for name in ["blobs/sha256", "blobs"] {
        let outside = directory.path().join("outside");
        fs::rename(root.join(name), &outside).unwrap();
        symlink(&outside, root.join(name)).unwrap();
        let error = read_blob(layout.as_ref(), layer).await.unwrap_err();
        assert!(told(&error).contains("symbolic link"), "{name}: {}", told(&error));
        let (other, _) = small_image(&[b"another layer"]);
        let error = transfer(other, &by_tag("v1"), layout.clone(), Some("b")).await.unwrap_err();
        assert!(told(&error).contains("no directory"), "{name}: {}", told(&error));
        fs::remove_file(root.join(name)).unwrap();
        fs::rename(&outside, root.join(name)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn f12_files_are_readable_by_all_and_writable_by_their_owner() {
    run_again("umask 000", "writes_without_a_mode_mask");
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "run by the test above, where the process takes no permission away"]
async fn writes_without_a_mode_mask() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    for sink in sinks(directory.path()) {
        let (source, _) = small_image(&[b"a layer"]);
        transfer(source, &by_tag("v1"), sink, Some("a")).await.unwrap();
    }
    for name in tree(directory.path()) {
        let mode = directory.path().join(&name).metadata().unwrap().permissions().mode() & 0o777;
        let expected = if name.ends_with('/') { 0o755 } else { 0o644 };
        assert_eq!(mode, expected, "{name} {mode:o}");
    }
}

/// Runs one ignored test of this program again, after the shell did `first`.
#[cfg(unix)]
fn run_again(first: &str, test: &str) {
    let program = std::env::current_exe().unwrap();
    let script = format!(r#"{first} && exec "$0" --ignored --exact {test}"#);
    let output = std::process::Command::new("sh").args(["-c", &script]).arg(program).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}{output:?}");
}

/// With a limit on the size of files, a write fails in the middle, as it does on a full disk. The
/// signal that comes with it is ignored.
#[cfg(unix)]
#[test]
fn f09_a_write_that_fails_is_local_not_repeated_and_leaves_nothing_behind() {
    run_again("trap '' XFSZ && ulimit -f 16", "writes_beyond_a_limit");
}

#[cfg(unix)]
#[test]
#[ignore = "run by the test above, with a limit on the size of files"]
fn writes_beyond_a_limit() {
    static LAYER: [u8; 1024 * 1024] = [7; 1024 * 1024];
    let directory = tempfile::tempdir().unwrap();
    for sink in sinks(directory.path()) {
        let (source, _) = small_image(&[&LAYER]);
        let source = Damaged::new(source, 0, another);
        let error = to_the_end(transfer(source.clone(), &by_tag("v1"), sink, Some("a")));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
        assert!(told(&error).contains("File too large"), "{}", told(&error));
        assert!(source.opened() <= 2, "each blob once");
    }
    let left = tree(directory.path());
    let is_half = |name: &String| name.contains("partial") || name.contains("index.json");
    assert!(!left.iter().any(is_half), "{left:?}");
    assert!(!left.contains(&"file.tar".to_owned()), "{left:?}");
}

/// What was fetched whole fills the disk, and nobody can go on from there.
#[cfg(unix)]
#[test]
fn f09_a_rename_that_fails_leaves_nothing_behind() {
    static LAYER: [u8; 1024 * 1024] = [7; 1024 * 1024];
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[&LAYER]);
    let name = format!("blobs/sha256/{}", manifest.layers()[0].digest.hex());
    local::write(directory.path(), "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    fs::create_dir_all(directory.path().join(&name)).unwrap();
    let layout = Arc::new(Layout::create(directory.path()));
    let error = to_the_end(transfer(source, &by_tag("v1"), layout, Some("a"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error:?}");
    assert!(told(&error).contains(&name), "{}", told(&error));
    let left = tree(directory.path());
    assert!(!left.iter().any(|name| name.contains("partial")), "{left:?}");
}

/// A rename does not cross file systems, so nothing may begin where temporary files are; nor may a
/// name that is added to a path be longer than one that is there anyway.
#[cfg(unix)]
#[test]
fn f13_what_is_in_the_making_is_beside_what_it_will_be() {
    run_again("export TMPDIR=/nowhere", "writes_without_a_place_for_temporary_files");
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "run by the test above, where there is no place for temporary files"]
async fn writes_without_a_place_for_temporary_files() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let long = (0..4).fold(directory.path().to_owned(), |path, _| path.join("d".repeat(250)));
    fs::create_dir_all(&long).unwrap();
    for sink in sinks(&long) {
        let (source, _) = small_image(&[b"a layer"]);
        transfer(source, &by_tag("v1"), sink, Some("a")).await.unwrap();
    }
}
