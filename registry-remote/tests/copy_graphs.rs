//! Copies of random graphs: indexes in indexes, shared children, shared blobs, and what is there
//! already. What has to come of each is worked out here in the plainest way.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestCaseResult};
use registry_name::{Algorithm, Digest, Identifier, Tag};
use registry_remote::{
    ByteStream, CopyOptions, Descriptor, Error, ErrorKind, Manifest, Memory, Plan, Sink, Source,
    Stored, copy, copy::Wanted, media_type, verify,
};
use stage::{image, index, noise, tag};

/// Images by their layers, then indexes by their entries, each of which is something before it.
#[derive(Clone, Debug)]
struct Shape {
    images: Vec<Vec<u8>>,
    indexes: Vec<Vec<Index>>,
    /// What the sink has before.
    there: Option<Index>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let images = vec(vec(0_u8..6, 0..4), 1..6);
    let indexes = vec(vec(any::<Index>(), 0..5), 0..7);
    (images, indexes, any::<Option<Index>>()).prop_map(|(images, indexes, there)| Shape {
        images,
        indexes,
        there,
    })
}

/// Puts a shape into memory; its manifests, the root last, tagged `v1`.
fn build(shape: &Shape, memory: &Memory) -> Vec<Manifest> {
    let mut all = Vec::new();
    for layers in &shape.images {
        let layers: Vec<_> =
            layers.iter().map(|n| noise((*n).into(), 10 + usize::from(*n))).collect();
        all.push(image(memory, &layers, None));
    }
    for (n, entries) in shape.indexes.iter().enumerate() {
        let entries: Vec<_> = entries.iter().map(|at| (at.get(&all), "linux/amd64")).collect();
        all.push(index(memory, &entries, &format!("index{n}")));
    }
    memory.add_manifest(all.last().unwrap().clone(), Some(tag("v1")));
    all
}

/// Everything below a manifest: manifests, and blobs with their sizes.
#[derive(Debug, Default, PartialEq)]
struct Reached {
    manifests: BTreeSet<Digest>,
    blobs: BTreeMap<Digest, u64>,
}

fn reach(all: &[Manifest], digest: &Digest, reached: &mut Reached) {
    let manifest = all.iter().find(|one| one.digest() == digest).unwrap();
    reached.manifests.insert(digest.clone());
    for child in manifest.children() {
        if child.is_manifest() {
            reach(all, &child.digest, reached);
        } else {
            reached.blobs.insert(child.digest.clone(), child.size);
        }
    }
}

/// A source that counts.
#[derive(Debug)]
struct Counting {
    memory: Arc<Memory>,
    manifests: AtomicUsize,
    blobs: Mutex<Vec<Digest>>,
}

#[async_trait]
impl Source for Counting {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.manifests.fetch_add(1, Ordering::Relaxed);
        self.memory.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.blobs.lock().unwrap().push(blob.digest.clone());
        self.memory.open_blob(blob, offset).await
    }
}

/// A sink that refuses a manifest before everything below it is there, and one that comes twice.
#[derive(Debug, Default)]
struct Strict {
    memory: Memory,
    asked: AtomicUsize,
    put: Mutex<BTreeSet<Digest>>,
}

#[async_trait]
impl Sink for Strict {
    fn location(&self) -> String {
        "a strict memory".to_owned()
    }

    async fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.memory.resolve(identifier).await
    }

    async fn begin(&self, _: &Plan) -> Result<(), Error> {
        Ok(())
    }

    async fn put_blob(&self, blob: &Descriptor, source: &Arc<dyn Source>) -> Result<Stored, Error> {
        assert!(self.put.lock().unwrap().insert(blob.digest.clone()), "a blob comes twice");
        self.memory.put_blob(blob, source).await
    }

    async fn put_manifest(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        assert!(self.put.lock().unwrap().insert(manifest.digest().clone()), "it comes twice");
        for child in manifest.children() {
            let digest = child.digest.clone();
            let there = if child.is_manifest() {
                self.memory.resolve(&digest.into()).await?.is_some()
            } else {
                self.memory.blob(&digest).is_some()
            };
            assert!(there, "{} comes before its child {}", manifest.digest(), child.digest);
        }
        self.memory.put_manifest(manifest, tags).await
    }
}

async fn check(shape: &Shape) -> TestCaseResult {
    let memory = Arc::new(Memory::new());
    let all = build(shape, &memory);
    let root = all.last().unwrap();
    let counting = Arc::new(Counting {
        memory: Arc::clone(&memory),
        manifests: AtomicUsize::new(0),
        blobs: Mutex::default(),
    });
    let strict = Arc::new(Strict::default());
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) = (counting.clone(), strict.clone());
    let mut before = Reached::default();
    if let Some(there) = shape.there.as_ref().map(|there| there.get(&all)) {
        reach(&all, there.digest(), &mut before);
        let memory: Arc<dyn Source> = memory.clone();
        let identifier = there.digest().clone().into();
        let options = CopyOptions::default();
        copy(&memory, &identifier, &sink, None, &options).await.unwrap();
        strict.put.lock().unwrap().clear();
        strict.asked.store(0, Ordering::Relaxed);
    }

    let mut expected = Reached::default();
    reach(&all, root.digest(), &mut expected);
    let options = CopyOptions::default();
    let wanted = [Wanted::tag(&tag("v1"))];
    let plan = copy::plan(&source, &wanted, &sink, &options).await.unwrap();

    // Nothing twice, nothing that is there, nothing but what is reached; totals are exact.
    let planned: BTreeSet<_> = plan.manifests().map(|one| one.digest().clone()).collect();
    prop_assert_eq!(planned.len(), plan.manifests().len());
    let mut missing: BTreeSet<_> =
        expected.manifests.difference(&before.manifests).cloned().collect();
    // The tag is not there: the root is written for it, whatever else is.
    missing.insert(root.digest().clone());
    prop_assert_eq!(&planned, &missing);
    let mut blobs = Reached::default();
    for manifest in plan.manifests() {
        for child in manifest.children().filter(|child| !child.is_manifest()) {
            blobs.blobs.insert(child.digest.clone(), child.size);
        }
    }
    let found: BTreeMap<_, _> = plan.blobs().iter().map(|b| (b.digest.clone(), b.size)).collect();
    prop_assert_eq!(found.len(), plan.blobs().len());
    prop_assert_eq!(&found, &blobs.blobs);
    prop_assert_eq!(plan.bytes(), blobs.blobs.values().sum::<u64>());
    prop_assert_eq!(&plan.root().descriptor.digest, root.digest());

    // Linear work: one look at each manifest, one question for each, one more for the tag.
    let limit = expected.manifests.len() + 1;
    prop_assert!(counting.manifests.load(Ordering::Relaxed) <= limit);
    prop_assert!(strict.asked.load(Ordering::Relaxed) <= limit);

    // The strict sink judges the order.
    let report = plan.run(&source, &sink, &options).await.unwrap();
    prop_assert_eq!(report.manifests, missing.len());
    let moved = counting.blobs.lock().unwrap().clone();
    let new = blobs.blobs.keys().filter(|digest| !before.blobs.contains_key(*digest));
    prop_assert_eq!(moved.len(), new.count(), "only what is missing moves");
    for digest in &expected.manifests {
        let name = Identifier::Digest(digest.clone());
        let (ours, theirs) = (memory.manifest(&name).await, strict.memory.manifest(&name).await);
        prop_assert_eq!(theirs.unwrap().bytes().clone(), ours.unwrap().bytes().clone());
    }
    for digest in expected.blobs.keys() {
        prop_assert_eq!(strict.memory.blob(digest), memory.blob(digest));
    }

    // And once more: nothing.
    let again = copy::plan(&source, &wanted, &sink, &options).await.unwrap();
    prop_assert!(again.is_empty() && again.blobs().is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn g02_g07_p09_any_graph_arrives_whole_once_and_in_order(shape in shape()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&shape))?;
    }
}

#[tokio::test]
async fn g02_a_tower_of_diamonds_is_read_once_a_level() {
    let memory = Arc::new(Memory::new());
    let mut below = image(&memory, &[noise(1, 10)], None);
    for level in 0..7 {
        let entries = [(&below, "linux/amd64"); 10];
        below = index(&memory, &entries, &format!("level{level}"));
    }
    let manifests = AtomicUsize::new(0);
    let counting = Arc::new(Counting { memory, manifests, blobs: Mutex::default() });
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) =
        (counting.clone(), Arc::new(Strict::default()));
    let from = tag("level6").into();
    let report = copy(&source, &from, &sink, None, &CopyOptions::default()).await.unwrap();
    assert_eq!(report.manifests, 8);
    assert_eq!(counting.manifests.load(Ordering::Relaxed), 8);
}

#[tokio::test]
async fn g01_indexes_that_nest_too_deep_are_refused() {
    let memory = Arc::new(Memory::new());
    let mut below = image(&memory, &[noise(1, 10)], None);
    for level in 0..10 {
        below = index(&memory, &[(&below, "linux/amd64")], &format!("level{level}"));
    }
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) = (memory, Arc::new(Strict::default()));
    let from = tag("level9").into();
    let error = copy(&source, &from, &sink, None, &CopyOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
}

/// Answers every digest with one and the same index.
#[derive(Debug)]
struct Circle(Manifest);

#[async_trait]
impl Source for Circle {
    fn location(&self) -> String {
        "a circle".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        Ok(self.0.clone())
    }

    async fn open_blob(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        unreachable!("nothing here is a blob")
    }
}

#[tokio::test]
async fn g03_a_source_that_says_an_index_is_its_own_child_is_caught() {
    // No index can hold its own digest, so it holds another one, and all else is right.
    let child = Descriptor::new(media_type::OCI_INDEX, verify::digest(Algorithm::Sha256, b""), 999);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        stage::json(&child)
    );
    let text = text.replace("999", &text.len().to_string());
    assert!((100..1000).contains(&text.len()));
    let source: Arc<dyn Source> = Arc::new(Circle(Manifest::new(text, None, "a test").unwrap()));
    let strict = Arc::new(Strict::default());
    let sink: Arc<dyn Sink> = strict.clone();
    let from = tag("v1").into();
    let error = copy(&source, &from, &sink, Some(&tag("v1")), &CopyOptions::default()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Integrity);
    assert!(strict.put.lock().unwrap().is_empty());
}
