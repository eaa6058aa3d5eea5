//! Archives, written and read again.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    sync::Arc,
};

use local::{
    by_tag, read_all, read_blob, real_image, real_index, small_image, to_the_end, told, transfer,
    tree,
};
use registry_name::{Identifier, Reference};
use registry_remote::{
    ArchiveKind, ArchiveSource, ArchiveWriter, CopyOptions, ErrorKind, Layout, Manifest, Sink,
    Source, copy,
};
use serde_json::{Value, json};

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// The names in a tar file in their order, and the content of what is not a blob.
fn content(path: &Path) -> Vec<(String, Option<String>)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let header = entry.header();
        let fixed = (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap());
        assert_eq!(fixed, (0, 0, 0), "{name}");
        let mut text = String::new();
        let document = !name.starts_with("blobs/");
        if document {
            entry.read_to_string(&mut text).unwrap();
        }
        found.push((name, document.then_some(text)));
    }
    found
}

fn document(path: &Path, wanted: &str) -> Value {
    let found = content(path).into_iter().find(|(name, _)| name == wanted);
    serde_json::from_str(&found.unwrap().1.unwrap()).unwrap()
}

#[tokio::test]
async fn an_index_travels_whole_through_an_oci_archive() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let path = scratch.path().join("file.tar");
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Oci, None));
    transfer(source, &by_tag("multi"), writer, Some("v1")).await.unwrap();
    let archive = Arc::new(ArchiveSource::open(&path).await.unwrap());
    assert_eq!(archive.kind(), ArchiveKind::Oci);
    assert_eq!(archive.only().unwrap(), Identifier::Digest(root.clone()));
    assert_eq!(archive.manifest(&by_tag("v1")).await.unwrap().digest(), &root);
    assert_eq!(read_all(archive.as_ref(), &root).await.unwrap(), 10);

    // And on into a layout.
    let layout = Arc::new(Layout::create(scratch.path().join("new")));
    transfer(archive, &by_tag("v1"), layout.clone(), Some("v2")).await.unwrap();
    assert_eq!(read_all(layout.as_ref(), &root).await.unwrap(), 10);
}

#[tokio::test]
async fn a_docker_archive_is_a_layout_with_what_docker_load_reads_beside_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_image(scratch.path()).await;
    let path = scratch.path().join("file.tar");
    let image = name("ubuntu:22.04");
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, Some(image.clone())));
    transfer(source, &by_tag("v1"), writer, Some("22.04")).await.unwrap();

    let archive = ArchiveSource::open(&path).await.unwrap();
    assert_eq!(archive.kind(), ArchiveKind::Docker);
    assert_eq!(archive.image(&image).unwrap(), Identifier::Digest(root.clone()));
    assert_eq!(read_all(&archive, &root).await.unwrap(), 6);

    let manifest = archive.manifest(&by_tag("22.04")).await.unwrap();
    let path_of = |digest: &registry_name::Digest| format!("blobs/sha256/{}", digest.hex());
    let layers: Vec<_> = manifest.layers().iter().map(|layer| path_of(&layer.digest)).collect();
    let expected = json!([{
        "Config": path_of(&manifest.config().unwrap().digest),
        "RepoTags": ["ubuntu:22.04"],
        "Layers": layers,
    }]);
    assert_eq!(document(&path, "manifest.json"), expected);
    let top = manifest.layers().last().unwrap().digest.hex();
    assert_eq!(document(&path, "repositories"), json!({ "ubuntu": { "22.04": top } }));
    let annotations = &document(&path, "index.json")["manifests"][0]["annotations"];
    let expected = json!({
        "io.containerd.image.name": "docker.io/library/ubuntu:22.04",
        "org.opencontainers.image.ref.name": "22.04",
    });
    assert_eq!(*annotations, expected);
}

#[tokio::test]
async fn f05_the_same_image_gives_the_same_bytes_in_a_fixed_order() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, _) = real_image(scratch.path()).await;
    let source: Arc<dyn Source> = source;
    let mut files = Vec::new();
    for jobs in [1, 4] {
        let path = scratch.path().join(format!("{jobs}.tar"));
        let image = Some(name("localhost:5000/a/b:v1"));
        let writer: Arc<dyn Sink> = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, image));
        let mut options = CopyOptions::default();
        options.jobs = jobs;
        copy(&source, &by_tag("v1"), &writer, None, &options).await.unwrap();
        files.push(fs::read(&path).unwrap());
        let names: Vec<_> = content(&path).into_iter().map(|(name, _)| name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let others: Vec<_> = names.iter().filter(|name| name.len() < 20).collect();
        let expected = [
            "blobs/",
            "blobs/sha256/",
            "index.json",
            "manifest.json",
            "oci-layout",
            "repositories",
        ];
        assert_eq!(others, expected);
    }
    assert!(files[0] == files[1], "the archives differ");
}

#[tokio::test]
async fn a_docker_archive_without_a_name_has_no_repositories() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, image) = small_image(&[b"a layer"]);
    let path = scratch.path().join("file.tar");
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, None));
    transfer(source, &image.digest().clone().into(), writer, None).await.unwrap();
    assert_eq!(document(&path, "manifest.json")[0]["RepoTags"], json!([]));
    assert!(!content(&path).iter().any(|(name, _)| name == "repositories"));
    let archive = ArchiveSource::open(&path).await.unwrap();
    assert_eq!(archive.only().unwrap().digest(), Some(image.digest()));
}

#[tokio::test]
async fn an_index_in_a_docker_archive_needs_a_platform() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, _) = real_index(scratch.path()).await;
    let source: Arc<dyn Source> = source;
    let path = scratch.path().join("file.tar");
    let writer: Arc<dyn Sink> = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, None));
    let mut options = CopyOptions::default();
    let error = copy(&source, &by_tag("multi"), &writer, None, &options).await.unwrap_err();
    let text = told(&error);
    assert!(text.ends_with("choose one of its platforms: linux/amd64, linux/arm64"), "{text}");
    assert!(!path.exists());
    options.platforms = vec!["linux/arm64".parse().unwrap()];
    copy(&source, &by_tag("multi"), &writer, None, &options).await.unwrap();
    let archive = ArchiveSource::open(&path).await.unwrap();
    let manifest = archive.manifest(&archive.only().unwrap()).await.unwrap();
    let config = read_blob(&archive, manifest.config().unwrap()).await.unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["architecture"], "arm64");
}

#[tokio::test]
async fn an_index_without_platforms_does_not_fit_into_a_docker_archive_at_all() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, manifest) = small_image(&[]);
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [manifest.descriptor()] });
    let index = Manifest::new(index.to_string(), None, "test").unwrap();
    source.add_manifest(index, Some("multi".parse().unwrap()));
    let path = scratch.path().join("file.tar");
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, None));
    let error = transfer(source, &by_tag("multi"), writer, None).await.unwrap_err();
    let text = told(&error);
    assert!(
        text.ends_with("is an index that names no platform; choose one of its images by digest"),
        "{text}"
    );
}

#[test]
fn a_file_is_replaced_only_by_a_whole_archive() {
    let scratch = tempfile::tempdir().unwrap();
    let path = local::write(scratch.path(), "file.tar", b"before");
    let (source, _) = small_image(&[b"a layer"]);
    let broken = local::Damaged::new(source.clone(), 9, |_| Vec::new());
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Oci, None));
    to_the_end(transfer(broken, &by_tag("v1"), writer.clone(), None)).unwrap_err();
    to_the_end(writer.finish()).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(tree(scratch.path()), ["file.tar"]);
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Oci, None));
    to_the_end(transfer(source, &by_tag("v1"), writer, None)).unwrap();
    assert!(to_the_end(ArchiveSource::open(&path)).is_ok());
}

#[tokio::test]
async fn a_directory_or_a_device_is_not_replaced_by_an_archive() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[]);
    for path in [scratch.path(), Path::new("/dev/null")] {
        let writer = Arc::new(ArchiveWriter::new(path, ArchiveKind::Oci, None));
        let error = transfer(source.clone(), &by_tag("v1"), writer, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(told(&error).contains("regular file"), "{}", told(&error));
        let error = ArchiveSource::open(path).await.unwrap_err();
        assert!(told(&error).contains("regular file"), "{}", told(&error));
    }
    let missing = scratch.path().join("none/file.tar");
    let writer = Arc::new(ArchiveWriter::new(missing, ArchiveKind::Oci, None));
    let error = transfer(source, &by_tag("v1"), writer, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_an_archive_stays_a_link() {
    let scratch = tempfile::tempdir().unwrap();
    let path = local::write(scratch.path(), "file.tar", b"before");
    let link = scratch.path().join("link.tar");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (source, _) = small_image(&[]);
    let writer = Arc::new(ArchiveWriter::new(&link, ArchiveKind::Oci, None));
    transfer(source, &by_tag("v1"), writer, None).await.unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read(&path).unwrap().len() > 1000);
}

#[tokio::test]
async fn a_blob_that_is_not_planned_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, image) = small_image(&[b"a layer"]);
    let source: Arc<dyn Source> = source;
    let writer = ArchiveWriter::new(scratch.path().join("file.tar"), ArchiveKind::Oci, None);
    let error = writer.put_blob(&image.layers()[0], &source).await.unwrap_err();
    assert!(told(&error).contains("not planned"), "{}", told(&error));
    assert!(writer.put_manifest(&image, &[]).await.is_err());
    assert!(writer.finish().await.is_err());
}
