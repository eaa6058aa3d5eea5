//! The directory of a layout: what is written to it and when, what is taken away again, and what is
//! put aside.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use local::{
    Damaged, by_tag, digest, index_json, listed, read_blob, real_index, small_image, tag,
    to_the_end, told, transfer, tree,
};
use registry_name::Identifier;
use registry_remote::{
    CopyOptions, Descriptor, Error, ErrorKind, Layout, Manifest, Mismatch, Plan, Sink, Source,
    Stored, copy, copy::Wanted, media_type,
};
use serde_json::json;

async fn plan(source: &Arc<dyn Source>, sink: &Arc<dyn Sink>) -> Plan {
    copy::plan(source, &[Wanted::tag(&tag("v1"))], sink, &CopyOptions::default()).await.unwrap()
}

fn blob_path(root: &Path, blob: &Descriptor) -> std::path::PathBuf {
    root.join("blobs/sha256").join(blob.digest.hex())
}

#[tokio::test]
async fn a_directory_that_was_refused_once_is_refused_again_and_stays_untouched() {
    let directory = tempfile::tempdir().unwrap();
    local::write(directory.path(), "letter.txt", b"dear");
    let (source, _) = small_image(&[b"layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    for _ in 0..2 {
        let copied = transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await;
        let error = copied.unwrap_err();
        assert!(told(&error).contains("no oci-layout"), "{}", told(&error));
        assert_eq!(tree(directory.path()), ["letter.txt"]);
    }
}

#[tokio::test]
async fn index_json_is_written_once_when_all_of_a_copy_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (one, first) = small_image(&[]);
    let (two, second) = small_image(&[b"two"]);
    let layout = Layout::create(directory.path());
    for (source, manifest) in [(one, &first), (two, &second)] {
        let source: Arc<dyn Source> = source;
        for blob in manifest.children() {
            layout.put_blob(blob, &source).await.unwrap();
        }
        layout.put_manifest(manifest, &[tag("moved")]).await.unwrap();
    }
    layout.put_manifest(&first, &[tag("a"), tag("b")]).await.unwrap();
    layout.put_manifest(&first, &[]).await.unwrap();
    assert!(!directory.path().join("index.json").exists());
    layout.finish().await.unwrap();
    let row =
        |tag: &str, manifest: &Manifest| (Some(tag.to_owned()), manifest.digest().to_string());
    let expected = [row("moved", &second), row("a", &first), row("b", &first)];
    assert_eq!(listed(directory.path()), expected);
}

#[tokio::test]
async fn hundreds_of_tags_in_one_copy_and_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"layer"]);
    let source: Arc<dyn Source> = source;
    let sink: Arc<dyn Sink> = Arc::new(Layout::create(directory.path()));
    for tags in [0..300, 200..500] {
        let tags = tags.map(|n| tag(&format!("t{n}"))).collect();
        let wanted = [Wanted { from: by_tag("v1"), tags }];
        let options = CopyOptions::default();
        let plan = copy::plan(&source, &wanted, &sink, &options).await.unwrap();
        plan.run(&source, &sink, &options).await.unwrap();
    }
    let rows = listed(directory.path());
    let expected = |n| (Some(format!("t{n}")), manifest.digest().to_string());
    assert_eq!(rows, (0..500).map(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn f11_an_index_json_never_grows_beyond_what_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[b"layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let mut index = index_json(directory.path());
    index["x-padding"] = json!("");
    let padding = 4 * 1024 * 1024 - index.to_string().len() - 100;
    index["x-padding"] = json!("x".repeat(padding));
    local::write(directory.path(), "index.json", index.to_string().as_bytes());
    let error = transfer(source, &by_tag("v1"), layout, Some("b")).await.unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    assert!(told(&error).contains("index.json"), "{}", told(&error));
    assert_eq!(Layout::open(directory.path()).await.unwrap().tags().await.unwrap(), [tag("a")]);
}

#[tokio::test]
async fn a_layout_that_another_writer_took_away_is_made_again() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("below/new");
    let (source, manifest) = small_image(&[b"layer"]);
    let source: Arc<dyn Source> = source;
    let [one, other]: [Arc<dyn Sink>; 2] =
        [Arc::new(Layout::create(&root)), Arc::new(Layout::create(&root))];
    let options = CopyOptions::default();
    let ours = plan(&source, &other).await;
    one.begin(&plan(&source, &one).await).await.unwrap();
    other.begin(&ours).await.unwrap();
    drop(one);
    assert!(!scratch.path().join("below").exists());
    assert_eq!(other.put_blob(&manifest.layers()[0], &source).await.unwrap(), Stored::Written);
    ours.run(&source, &other, &options).await.unwrap();
    drop(other);
    Layout::open(&root).await.unwrap().manifest(&by_tag("v1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_fail_and_take_away_what_they_made_harm_nobody() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[b"layer"]);
    for round in 0..30 {
        let root = scratch.path().join(format!("{round}/below"));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let (source, layout) = (source.clone(), Arc::new(Layout::create(&root)));
            writers.spawn(async move {
                let fails = writer % 4 > 0;
                let lies = if fails { usize::MAX } else { 0 };
                let source = Damaged::new(source, lies, |_| Vec::new());
                let copied = transfer(source, &by_tag("v1"), layout, Some("a")).await;
                // One that was to fail may have found everything there.
                assert!(fails || copied.is_ok(), "{copied:?}");
            });
        }
        writers.join_all().await;
        Layout::open(&root).await.unwrap().manifest(&by_tag("a")).await.unwrap();
    }
}

#[test]
fn a_copy_that_ends_before_the_first_byte_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("new");
    let hex = "0".repeat(64);
    let blob = Descriptor::new(media_type::OCI_LAYER, digest(&format!("sha256:{hex}")), 2 << 20);
    let partial = root.join(format!("blobs/sha256/.registry-{hex}.partial"));
    let layout = Layout::create(&root);
    to_the_end(async {
        let task = tokio::spawn(async move {
            let source: Arc<dyn Source> = Arc::new(local::Held);
            layout.put_blob(&blob, &source).await.map(drop)
        });
        let late = Instant::now() + Duration::from_secs(20);
        while !partial.exists() {
            assert!(Instant::now() < late, "{:?}", tree(scratch.path()));
            tokio::task::yield_now().await;
        }
        task.abort();
    });
    assert_eq!(tree(scratch.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_blob_behind_a_linked_directory_is_not_here() {
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"layer"]);
    let root = directory.path().join("layout");
    let layout = Arc::new(Layout::create(&root));
    transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let source: Arc<dyn Source> = source;
    for name in ["blobs/sha256", "blobs"] {
        let outside = directory.path().join("outside");
        fs::rename(root.join(name), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join(name)).unwrap();
        let layer = &manifest.layers()[0];
        assert!(!layout.has_blob(layer).await.unwrap(), "{name}");
        assert_eq!(layout.resolve(&by_tag("a")).await.unwrap(), None, "{name}");
        let error = layout.put_blob(layer, &source).await.unwrap_err();
        assert!(told(&error).contains("no directory"), "{name}: {}", told(&error));
        fs::remove_file(root.join(name)).unwrap();
        fs::rename(&outside, root.join(name)).unwrap();
    }
}

#[tokio::test]
async fn what_came_as_a_part_is_listed_when_it_is_asked_for_by_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let directory = scratch.path().join("new");
    let layout = Arc::new(Layout::create(&directory));
    let part = source.manifest(&root.clone().into()).await.unwrap().manifests()[0].digest.clone();
    for digest in [&root, &part] {
        let digest = Identifier::Digest(digest.clone());
        transfer(source.clone(), &digest, layout.clone(), None).await.unwrap();
    }
    assert_eq!(listed(&directory), [(None, root.to_string()), (None, part.to_string())]);
}

#[tokio::test]
async fn f10_a_blob_that_rotted_is_put_aside_when_it_is_read_and_the_next_copy_brings_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"a layer"]);
    let source: Arc<dyn Source> = source;
    let layout = Arc::new(Layout::create(directory.path()));
    let layer = &manifest.layers()[0];
    let path = blob_path(directory.path(), layer);
    let aside = path.with_file_name(format!(".registry-{}.damaged", layer.digest.hex()));
    let pull = async || transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await;
    pull().await.unwrap();

    fs::write(&path, b"A layer").unwrap();
    assert_eq!(pull().await.unwrap().written, 0, "what is here is judged by its size");
    let error = read_blob(layout.as_ref(), layer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
    assert_eq!(fs::read(&aside).unwrap(), b"A layer");
    assert_eq!(pull().await.unwrap().written, 1);
    assert_eq!(fs::read(&path).unwrap(), b"a layer");
    assert!(!aside.exists());

    // Whoever copies from here is told what is wrong, not what is missing because of that.
    fs::write(&path, b"A layer").unwrap();
    let elsewhere = Arc::new(Layout::create(directory.path().join("elsewhere")));
    let copied = transfer(layout.clone(), &by_tag("a"), elsewhere, Some("a")).await;
    let error = copied.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
    assert_eq!(fs::read(&aside).unwrap(), b"A layer");
    assert_eq!(pull().await.unwrap().written, 1);
}

#[tokio::test]
async fn f10_a_blob_that_was_replaced_while_it_was_read_is_not_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[b"a layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    let layer = &manifest.layers()[0];
    let path = blob_path(directory.path(), layer);
    transfer(source, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    fs::write(&path, b"A layer").unwrap();
    let complain = layout.complaint(&layer.digest).unwrap();
    fs::write(directory.path().join("mended"), b"a layer").unwrap();
    fs::rename(directory.path().join("mended"), &path).unwrap();
    let right = layer.digest.clone();
    complain(&Mismatch::Digest { expected: right.clone(), actual: right });
    assert_eq!(read_blob(layout.as_ref(), layer).await.unwrap(), b"a layer");
}
