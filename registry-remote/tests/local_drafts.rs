//! Drafts of processes that were killed are swept by the next; those of others at work are not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use local::{Damaged, by_tag, small_image, told, transfer, tree};
use registry_remote::{ArchiveKind, ArchiveWriter, Layout, Sink};

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"half").unwrap();
}

#[tokio::test]
async fn drafts_that_nobody_holds_are_swept_and_other_files_are_not() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    let (source, _) = small_image(&[b"a layer"]);
    let layout: Arc<dyn Sink> = Arc::new(Layout::create(root.join("layout")));
    transfer(source.clone(), &by_tag("v1"), layout, Some("a")).await.unwrap();
    let left = [
        "layout/.registry-a.partial",
        "layout/blobs/sha256/.registry-b.partial",
        "layout/blobs/sha512/.registry-c.partial",
        ".registry-d.partial",
    ];
    let others = ["layout/.registry-a", "layout/blobs/sha256/a.partial", "registry-a.partial"];
    left.iter().chain(&others).for_each(|name| write(&root.join(name)));
    std::os::unix::fs::symlink("registry-a.partial", root.join(".registry-l.partial")).unwrap();

    let layout: Arc<dyn Sink> = Arc::new(Layout::create(root.join("layout")));
    transfer(source.clone(), &by_tag("v1"), layout, Some("b")).await.unwrap();
    let names = tree(root);
    assert!(left[..3].iter().all(|name| !names.contains(&(*name).to_owned())), "{names:?}");
    let writer = ArchiveWriter::new(root.join("file.tar"), ArchiveKind::Oci, None);
    transfer(source, &by_tag("v1"), Arc::new(writer), None).await.unwrap();
    let names = tree(root);
    assert!(!names.contains(&left[3].to_owned()), "{names:?}");
    assert!(others.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    assert!(names.contains(&".registry-l.partial".to_owned()), "a link is no draft: {names:?}");
}

#[tokio::test]
async fn a_draft_that_somebody_writes_is_not_swept() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("layout");
    let (source, manifest) = small_image(&[b"a layer"]);
    let first = Layout::create(&path);
    let held: Arc<dyn registry_remote::Source> = Arc::new(local::Held);
    let mut writing = Box::pin(first.put_blob(&manifest.layers()[0], &held));
    // The draft is there once the writer waits for bytes that never come.
    let is_draft = |name: &String| name.starts_with("blobs/sha256/.registry-");
    let late = Instant::now() + Duration::from_secs(20);
    while !path.exists() || !tree(&path).iter().any(is_draft) {
        assert!(Instant::now() < late, "{:?}", tree(scratch.path()));
        futures_util::future::poll_immediate(&mut writing).await;
        tokio::task::yield_now().await;
    }
    let second: Arc<dyn Sink> = Arc::new(Layout::create(&path));
    transfer(source, &by_tag("v1"), second, Some("a")).await.unwrap();
    let names = tree(&path);
    assert!(names.iter().any(|name| name.contains("partial")), "{names:?}");
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named_and_no_draft_is() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[]);
    let source = Damaged::new(source, 0, |_| Vec::new());
    let writer = ArchiveWriter::new(scratch.path().join("no/file.tar"), ArchiveKind::Oci, None);
    let error = transfer(source, &by_tag("v1"), Arc::new(writer), None).await.unwrap_err();
    assert!(told(&error).contains("No such file or directory"), "{}", told(&error));
    assert!(!told(&error).contains("partial"), "{}", told(&error));
}

#[tokio::test]
async fn a_file_where_a_layout_is_to_be_is_said_to_be_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("file");
    fs::write(&path, b"before").unwrap();
    let (source, _) = small_image(&[]);
    let layout: Arc<dyn Sink> = Arc::new(Layout::create(&path));
    let error = transfer(source, &by_tag("v1"), layout, Some("a")).await.unwrap_err();
    assert!(told(&error).contains("it is a file"), "{}", told(&error));
    assert_eq!(fs::read(&path).unwrap(), b"before");
}
