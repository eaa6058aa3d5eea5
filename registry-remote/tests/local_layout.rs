//! OCI layouts, written and read again.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{fs, sync::Arc};

use local::{
    by_tag, digest, index_json, listed, read_all, read_blob, real_image, real_index, sha512_blob,
    small_image, tag, told, transfer, tree,
};
use registry_name::Identifier;
use registry_remote::{
    ArchiveSource, CopyOptions, Descriptor, Error, ErrorKind, Layout, Manifest, Memory, Sink as _,
    Source, Stored, copy, media_type,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_copy_into_a_fresh_directory_leaves_exactly_one_entry_and_every_byte() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let directory = scratch.path().join("below/new");
    let layout = Arc::new(Layout::create(&directory));
    let report = transfer(source, &by_tag("multi"), layout, Some("v1")).await.unwrap();
    assert_eq!((report.written, report.manifests), (7, 3));
    assert_eq!(listed(&directory), [(Some("v1".to_owned()), root.to_string())]);
    let layout = Layout::open(&directory).await.unwrap();
    assert_eq!(read_all(&layout, &root).await.unwrap(), 10);
    assert_eq!(layout.only().await.unwrap(), Identifier::Digest(root));
    let marker = fs::read_to_string(directory.join("oci-layout")).unwrap();
    assert_eq!(marker, r#"{"imageLayoutVersion":"1.0.0"}"#);
    let expected = 10 + ["blobs/", "blobs/sha256/", "index.json", "oci-layout"].len();
    assert_eq!(tree(&directory).len(), expected, "nothing else: {:?}", tree(&directory));
}

#[tokio::test]
async fn a_second_tag_adds_an_entry_and_the_same_tag_replaces_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Arc::new(Layout::create(directory.path()));
    let (one, first) = small_image(&[b"one"]);
    let (two, second) = small_image(&[b"two"]);
    transfer(one.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    transfer(one, &by_tag("v1"), layout.clone(), Some("b")).await.unwrap();
    transfer(two, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let expected = [
        (Some("a".to_owned()), second.digest().to_string()),
        (Some("b".to_owned()), first.digest().to_string()),
    ];
    assert_eq!(listed(directory.path()), expected);
    assert_eq!(layout.tags().await.unwrap(), [tag("a"), tag("b")]);
}

#[tokio::test]
async fn a_copy_without_a_tag_is_listed_once_and_without_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let (source, root) = real_index(directory.path()).await;
    let directory = directory.path().join("new");
    let root = Identifier::Digest(root);
    for _ in 0..2 {
        let layout = Arc::new(Layout::create(&directory));
        transfer(source.clone(), &root, layout, None).await.unwrap();
        assert_eq!(listed(&directory), [(None, root.to_string())]);
    }
    // An image that is there as a part of something gets an entry of its own when it is asked for.
    let image = source.manifest(&root).await.unwrap().manifests()[0].digest.clone();
    let layout = Arc::new(Layout::create(&directory));
    transfer(source, &Identifier::Digest(image.clone()), layout, None).await.unwrap();
    assert_eq!(listed(&directory)[1], (None, image.to_string()));
}

#[tokio::test]
async fn what_others_wrote_into_index_json_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (source, _) = small_image(&[b"layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let mut index = index_json(directory.path());
    index["x-unknown"] = json!({"kept": 1});
    index["manifests"][0]["x-entry"] = json!("kept");
    local::write(directory.path(), "index.json", index.to_string().as_bytes());
    transfer(source, &by_tag("v1"), layout, Some("b")).await.unwrap();
    let index = index_json(directory.path());
    assert_eq!(
        (&index["x-unknown"]["kept"], &index["manifests"][0]["x-entry"]),
        (&json!(1), &json!("kept"))
    );
    assert_eq!(listed(directory.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f06_f11_writers_at_the_same_time_lose_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_image(scratch.path()).await;
    let directory = scratch.path().join("shared");
    let tags: Vec<_> = (0..8).map(|n| format!("v{n}")).collect();
    let mut writers = tokio::task::JoinSet::new();
    for tag in tags.clone() {
        let (source, directory) = (source.clone(), directory.clone());
        writers.spawn(async move {
            let layout = Arc::new(Layout::create(directory));
            transfer(source, &by_tag("v1"), layout, Some(&tag)).await.map(|_| ())
        });
    }
    for result in writers.join_all().await {
        result.unwrap();
    }
    let layout = Layout::open(&directory).await.unwrap();
    let found: Vec<_> = layout.tags().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(found, tags);
    assert_eq!(read_all(&layout, &root).await.unwrap(), 6);
    assert!(!tree(&directory).iter().any(|name| name.contains("partial")));
}

#[tokio::test]
async fn f11_a_broken_index_json_is_refused_and_stays_as_it_is() {
    let (source, _) = small_image(&[b"layer"]);
    let huge = vec![b' '; 4 * 1024 * 1024 + 1];
    let long = r#"{"manifests":[{"digest":"sha256:../../../etc/passwd","size":1}]}"#;
    let rows: [(&[u8], &str); 4] = [
        (br#"{"manifests":["#, "index.json"),
        (b"[]", "index.json"),
        (&huge, "4 MiB"),
        (long.as_bytes(), "digest"),
    ];
    for (bytes, expected) in rows {
        let directory = tempfile::tempdir().unwrap();
        local::write(directory.path(), "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        local::write(directory.path(), "index.json", bytes);
        let error = Layout::open(directory.path()).await.unwrap_err();
        assert!(told(&error).contains(expected), "{}", told(&error));
        let layout = Arc::new(Layout::create(directory.path()));
        transfer(source.clone(), &by_tag("v1"), layout, Some("a")).await.unwrap_err();
        assert_eq!(fs::read(directory.path().join("index.json")).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_directory_with_something_else_in_it_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    local::write(directory.path(), "letter.txt", b"dear");
    let (source, _) = small_image(&[b"layer"]);
    let layout = Arc::new(Layout::create(directory.path()));
    let error = transfer(source, &by_tag("v1"), layout, Some("a")).await.unwrap_err();
    assert!(told(&error).contains("no oci-layout"), "{}", told(&error));
    assert_eq!(error.kind(), ErrorKind::Local);
    assert_eq!(tree(directory.path()), ["letter.txt"]);
}

#[tokio::test]
async fn what_is_no_layout_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Layout::open(directory.path().join("none")).await.unwrap_err();
    assert!(matches!(missing, Error::Local { .. }), "{missing:?}");
    let file = local::write(directory.path(), "file", b"");
    let error = Layout::open(file).await.unwrap_err();
    assert!(told(&error).contains("is a file"), "{}", told(&error));
    local::write(directory.path(), "oci-layout", br#"{"imageLayoutVersion":"2.0"}"#);
    let error = Layout::open(directory.path()).await.unwrap_err();
    assert!(told(&error).contains("version 2.0"), "{}", told(&error));
    local::write(directory.path(), "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let error = Layout::open(directory.path()).await.unwrap_err();
    assert!(told(&error).contains("no index.json"), "{}", told(&error));
}

#[tokio::test]
async fn an_entry_is_found_by_its_tag_or_by_a_whole_name_that_ends_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Arc::new(Layout::create(directory.path()));
    let (one, first) = small_image(&[b"one"]);
    let (two, second) = small_image(&[b"two"]);
    transfer(one, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    transfer(two, &by_tag("v1"), layout.clone(), Some("b")).await.unwrap();
    let mut index = index_json(directory.path());
    index["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"] =
        json!("registry.example/team/app:c");
    local::write(directory.path(), "index.json", index.to_string().as_bytes());
    assert_eq!(layout.manifest(&by_tag("a")).await.unwrap().digest(), first.digest());
    assert_eq!(layout.manifest(&by_tag("c")).await.unwrap().digest(), second.digest());
    let error = layout.manifest(&by_tag("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(told(&error).ends_with("it has: a, registry.example/team/app:c"), "{}", told(&error));
    let error = layout.only().await.unwrap_err();
    assert!(told(&error).contains("name one of them: a, registry.example"), "{}", told(&error));
}

#[tokio::test]
async fn names_from_a_layout_cannot_command_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Arc::new(Layout::create(directory.path()));
    let (source, _) = small_image(&[b"one"]);
    transfer(source, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let mut index = index_json(directory.path());
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] =
        json!("\u{1b}[2Jgone");
    local::write(directory.path(), "index.json", index.to_string().as_bytes());
    let error = layout.manifest(&by_tag("v1")).await.unwrap_err();
    assert!(!told(&error).contains('\u{1b}') && told(&error).contains("gone"), "{}", told(&error));
}

#[tokio::test]
async fn what_is_there_is_not_copied_again_and_what_got_lost_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let (source, image) = small_image(&[b"one", b"two"]);
    let layout = Arc::new(Layout::create(directory.path()));
    let first = transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    assert_eq!((first.written, first.present), (3, 0));
    let again = transfer(source.clone(), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    assert_eq!((again.written, again.present, again.manifests), (0, 0, 0));
    let lost = &image.layers()[1];
    let path = directory.path().join("blobs/sha256").join(lost.digest.hex());
    fs::remove_file(&path).unwrap();
    assert_eq!(layout.resolve(&by_tag("a")).await.unwrap(), None);
    let mended = transfer(source, &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    assert_eq!((mended.written, mended.present), (1, 2));
    assert_eq!(read_all(layout.as_ref(), image.digest()).await.unwrap(), 4);
    assert_eq!(listed(directory.path()).len(), 1);
}

#[tokio::test]
async fn a_layer_that_may_not_travel_can_be_missing_from_a_whole_image() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new();
    let config = memory.add_blob("application/vnd.oci.image.config.v1+json", "{}");
    let mut foreign = config.clone();
    foreign.media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip".into();
    foreign.digest = digest(&format!("sha256:{}", "0".repeat(64)));
    let text = json!({ "schemaVersion": 2, "config": config, "layers": [foreign] }).to_string();
    let manifest = Manifest::new(text, None, "an image").unwrap();
    memory.add_manifest(manifest.clone(), Some(tag("v1")));
    let layout = Arc::new(Layout::create(directory.path()));
    transfer(Arc::new(memory), &by_tag("v1"), layout.clone(), Some("a")).await.unwrap();
    let resolved = layout.resolve(&by_tag("a")).await.unwrap();
    assert_eq!(resolved.as_ref(), Some(manifest.digest()));
}

#[tokio::test]
async fn sha512_and_empty_blobs_are_stored_under_their_own_names() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(directory.path());
    for bytes in [&b""[..], b"content"] {
        let (source, blob) = sha512_blob(bytes);
        assert_eq!(layout.put_blob(&blob, &source).await.unwrap(), Stored::Written);
        assert_eq!(layout.put_blob(&blob, &source).await.unwrap(), Stored::Present);
        assert_eq!(read_blob(&layout, &blob).await.unwrap(), bytes);
        assert!(directory.path().join("blobs/sha512").join(blob.digest.hex()).is_file());
    }
}

#[tokio::test]
async fn only_some_platforms_make_an_index_of_their_own() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let directory = scratch.path().join("new");
    let layout: Arc<dyn registry_remote::Sink> = Arc::new(Layout::create(&directory));
    let mut options = CopyOptions::default();
    options.platforms = vec!["linux/arm64".parse().unwrap()];
    let source: Arc<dyn Source> = source;
    let report = copy(&source, &root.into(), &layout, None, &options).await.unwrap();
    assert_eq!((report.manifests, report.written), (1, 4));
    let entry: Value = index_json(&directory)["manifests"][0].clone();
    assert_eq!(entry["mediaType"], "application/vnd.oci.image.manifest.v1+json");
}

#[tokio::test]
async fn g09_what_is_embedded_in_a_descriptor_need_not_be_there() {
    let scratch = tempfile::tempdir().unwrap();
    let embed = |descriptor: &Descriptor, bytes: &[u8]| {
        let mut descriptor = descriptor.clone();
        descriptor.data = Some(registry_faults::content::base64(bytes));
        descriptor
    };
    let memory = Memory::new();
    let config = embed(&memory.add_blob(media_type::OCI_CONFIG, "{}"), b"{}");
    let image = json!({ "schemaVersion": 2, "config": config, "layers": [] }).to_string();
    let image = Manifest::new(image, None, "a test").unwrap();
    memory.add_manifest(image.clone(), None);
    let entry = embed(image.descriptor(), image.bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    memory.add_manifest(Manifest::new(index, None, "a test").unwrap(), Some(tag("v1")));
    let directory = scratch.path().join("layout");
    let layout = Arc::new(Layout::create(&directory));
    transfer(Arc::new(memory), &by_tag("v1"), layout.clone(), Some("v1")).await.unwrap();
    for digest in [image.digest(), &config.digest] {
        fs::remove_file(directory.join("blobs/sha256").join(digest.hex())).unwrap();
    }
    let path = scratch.path().join("file.tar");
    let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
    builder.append_dir_all(".", &directory).unwrap();
    builder.into_inner().unwrap();
    let archive = Arc::new(ArchiveSource::open(path).await.unwrap());
    for source in [layout as Arc<dyn Source>, archive] {
        let other = scratch.path().join(source.location().split(':').next().unwrap());
        let sink = Arc::new(Layout::create(other));
        transfer(source.clone(), &by_tag("v1"), sink.clone(), Some("v1")).await.unwrap();
        assert_eq!(read_all(sink.as_ref(), image.digest()).await.unwrap(), 2);
        let memory = Arc::new(Memory::new());
        transfer(source, &by_tag("v1"), memory.clone(), Some("v1")).await.unwrap();
        assert_eq!(memory.blob(&config.digest).as_deref(), Some(&b"{}"[..]));
    }
}
