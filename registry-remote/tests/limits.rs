//! Strangers list more than anybody wants to read: it is refused before it is asked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use registry_name::{Algorithm, Digest, Identifier};
use registry_remote::{
    ByteStream, CopyOptions, Descriptor, Error, Manifest, Memory, Plan, Sink, Source,
    copy::{self, Referring, Wanted},
    media_type, select, verify,
};
use stage::{Stage, image, image_with, index, json, noise, tag};

/// A memory that counts how often it is asked for a manifest, or about a blob.
#[derive(Debug, Default)]
struct Counting {
    memory: Memory,
    asked: AtomicUsize,
}

impl Counting {
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl Source for Counting {
    fn location(&self) -> String {
        "a stranger".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.memory.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.memory.open_blob(blob, offset).await
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.memory.describe_blob(digest).await
    }

    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        self.memory.referrers_of(subject, artifact_type).await
    }
}

/// An index of these, tagged `v1`.
fn listing(memory: &Memory, entries: &[Descriptor]) -> Manifest {
    let entries: Vec<_> = entries.iter().map(json).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        entries.join(",")
    );
    let index = Manifest::new(text, None, "a test").unwrap();
    memory.add_manifest(index.clone(), Some(tag("v1")));
    index
}

/// So many indexes, of which none lists anything.
fn empty(memory: &Memory, count: usize) -> Vec<Descriptor> {
    let one = |n| {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"n":"{n}"}}}}"#,
            media_type::OCI_INDEX
        );
        let index = Manifest::new(text, None, "a test").unwrap();
        memory.add_manifest(index.clone(), None);
        index.descriptor().clone()
    };
    (0..count).map(one).collect()
}

/// An index that nobody has seen.
fn claimed(seed: u64, size: u64) -> Descriptor {
    let digest = verify::digest(Algorithm::Sha256, &seed.to_le_bytes());
    Descriptor::new(media_type::OCI_INDEX, digest, size)
}

async fn plan(source: &Arc<Counting>, options: &CopyOptions) -> Result<Plan, Error> {
    plan_all(source, &["v1"], options).await
}

async fn plan_all(
    source: &Arc<Counting>,
    tags: &[&str],
    options: &CopyOptions,
) -> Result<Plan, Error> {
    let source: Arc<dyn Source> = source.clone();
    let sink: Arc<dyn Sink> = Arc::new(Memory::new());
    let wanted: Vec<_> = tags.iter().map(|name| Wanted::tag(&tag(name))).collect();
    copy::plan(&source, &wanted, &sink, options).await
}

fn refused<T>(result: Result<T, Error>) -> String {
    let error = result.map(drop).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn more_manifests_than_a_copy_may_read_are_not_asked_for() {
    let source = Arc::new(Counting::default());
    let images: Vec<_> =
        (0..5).map(|n| image(&source.memory, &[noise(n, 10)], None).descriptor().clone()).collect();
    listing(&source.memory, &images);
    let mut options = CopyOptions::default();
    options.limits.manifests = 5;
    assert_eq!(plan(&source, &options).await.unwrap().manifests().len(), 6);
    source.asked();
    options.limits.manifests = 4;
    let said = refused(plan(&source, &options).await);
    let expected = "the number of manifests in a stranger exceeds the limit of 4 manifests";
    assert_eq!(said, expected);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn entries_of_any_type_are_asked_about_where_they_may_be_manifests_and_each_counts() {
    let source = Arc::new(Counting::default());
    let blobs = |kind: &str| {
        let blob = |n| source.memory.add_blob(kind, noise(n, 10));
        (0..5).map(blob).collect::<Vec<_>>()
    };
    let mut options = CopyOptions::default();
    options.limits.manifests = 5;
    for (kind, asked) in [("application/x-disk", 1), ("application/vnd.example.v1+json", 6)] {
        listing(&source.memory, &blobs(kind));
        source.asked();
        assert_eq!(plan(&source, &options).await.unwrap().blobs().len(), 5);
        assert_eq!(source.asked(), asked, "{kind}");
    }
    options.limits.manifests = 4;
    refused(plan(&source, &options).await);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn the_limit_is_for_each_image_that_is_asked_for() {
    let source = Arc::new(Counting::default());
    let memory = &source.memory;
    let images: Vec<_> = (0..4).map(|n| image(memory, &[noise(n, 10)], None)).collect();
    index(memory, &[(&images[0], "linux/amd64"), (&images[1], "linux/arm64")], "one");
    index(memory, &[(&images[2], "linux/amd64"), (&images[3], "linux/arm64")], "two");
    let mut options = CopyOptions::default();
    options.limits.manifests = 2;
    assert_eq!(plan_all(&source, &["one", "two"], &options).await.unwrap().manifests().len(), 6);
    options.limits.manifests = 1;
    refused(plan_all(&source, &["one", "two"], &options).await);
}

#[tokio::test]
async fn more_bytes_than_a_copy_may_read_are_not_asked_for() {
    let source = Arc::new(Counting::default());
    let images: Vec<_> =
        (0..5).map(|n| image(&source.memory, &[noise(n, 10)], None).descriptor().clone()).collect();
    let root = listing(&source.memory, &images);
    let size = |entries: &[Descriptor]| entries.iter().map(|entry| entry.size).sum::<u64>();
    let mut options = CopyOptions::default();
    options.jobs = 1;
    options.limits.bytes = root.descriptor().size + size(&images);
    plan(&source, &options).await.unwrap();
    source.asked();
    options.limits.bytes -= 1;
    let said = refused(plan(&source, &options).await);
    assert!(said.ends_with(&format!("the limit of {} bytes", options.limits.bytes)), "{said}");
    assert_eq!(source.asked(), 5);
    options.limits.bytes = root.descriptor().size - 1;
    refused(plan(&source, &options).await);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn g01_how_deep_is_for_the_caller_to_say() {
    let source = Arc::new(Counting::default());
    let memory = &source.memory;
    let mut below = image(memory, &[noise(1, 10)], None);
    for _ in 0..12 {
        below = listing(memory, &[below.descriptor().clone()]);
    }
    let mut options = CopyOptions::default();
    for (depth, fits) in [(12, true), (11, false), (1, false)] {
        options.limits.depth = depth;
        source.asked();
        let planned = plan(&source, &options).await;
        assert_eq!(planned.is_ok(), fits, "{depth}");
        if !fits {
            refused(planned);
            assert_eq!(source.asked(), depth + 1);
        }
        options.platforms = vec!["linux/s390x".parse().unwrap()];
        let found = plan(&source, &options).await.unwrap_err();
        assert_eq!(matches!(found, Error::NoPlatform { .. }), fits, "{depth} {found}");
        options.platforms.clear();
    }
}

#[tokio::test]
async fn more_referrers_than_a_copy_may_read_are_not_asked_for() {
    let source = Arc::new(Counting::default());
    let memory = &source.memory;
    let subject = image(memory, &[noise(1, 10)], Some("v1"));
    for n in 2..7 {
        let field = format!(r#""subject":{},"#, json(subject.descriptor()));
        memory.add_manifest(image_with(memory, &[noise(n, 10)], &field), None);
    }
    let mut options = CopyOptions::default();
    options.referrers = Some(Referring::default());
    options.limits.manifests = 5;
    assert_eq!(plan(&source, &options).await.unwrap().manifests().len(), 6);
    source.asked();
    options.limits.manifests = 4;
    refused(plan(&source, &options).await);
    assert_eq!(source.asked(), 1);
    options.limits.manifests = 5;
    options.limits.bytes = subject.descriptor().size + 1;
    refused(plan(&source, &options).await);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn indexes_without_end_are_not_searched_for_a_platform() {
    let source = Arc::new(Counting::default());
    let many = listing(&source.memory, &empty(&source.memory, 10_001));
    let heavy = listing(&source.memory, &[claimed(1, 300 << 20)]);
    let linux = "linux/amd64".parse().unwrap();
    for (index, what, read) in [(&many, "the number", 10_000), (&heavy, "the size", 0)] {
        let said = refused(select::image(source.as_ref(), index.clone(), &linux).await);
        assert!(said.starts_with(what), "{said}");
        assert_eq!(source.asked(), 0, "{what}");
        source.memory.add_manifest(index.clone(), Some(tag("v1")));
        for (platform, read) in [("linux/amd64", 0), ("linux/*", read)] {
            let mut options = CopyOptions::default();
            options.platforms = vec![platform.parse().unwrap()];
            let said = refused(plan(&source, &options).await);
            assert!(said.starts_with(what), "{said}");
            assert_eq!(source.asked(), 1 + read, "{what} {platform}");
        }
    }
}

#[tokio::test]
async fn one_entry_that_matches_is_found_beside_indexes_without_end() {
    let source = Arc::new(Counting::default());
    let found = image(&source.memory, &[noise(1, 10)], None);
    let mut entry = found.descriptor().clone();
    entry.platform = Some("linux/amd64".parse().unwrap());
    let mut entries: Vec<_> = (0..100).map(|n| claimed(n, 4 << 20)).collect();
    entries.push(entry);
    let index = listing(&source.memory, &entries);
    let linux = "linux/amd64".parse().unwrap();
    let taken = select::image(source.as_ref(), index, &linux).await.unwrap();
    assert_eq!((taken.digest(), source.asked()), (found.digest(), 1));
}

#[tokio::test]
async fn a_summary_does_not_follow_indexes_without_end() {
    let stage = Stage::start().await;
    let remote = stage.remote("app");
    let memory = Memory::new();
    let heavy = listing(&memory, &[claimed(1, 300 << 20)]);
    remote.put_manifest(&heavy, &[tag("v1")]).await.unwrap();
    let (summed, requests) = stage.requests(remote.summary(&tag("v1").into())).await;
    refused(summed);
    assert_eq!(requests.len(), 1, "{requests:?}");
}
