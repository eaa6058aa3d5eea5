//! What the tests of local stores share.
#![allow(dead_code, reason = "no test file needs all of it")]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use registry_name::{Algorithm, Digest, Identifier, Tag};
use registry_remote::{
    ByteStream, CopyOptions, Descriptor, Error, Layout, Manifest, Memory, Report, Sink, Source,
    copy, media_type, verified_blob, verify,
};
use serde_json::{Value, json};

pub(crate) const KIB: u64 = 1024;

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn by_tag(text: &str) -> Identifier {
    tag(text).into()
}

pub(crate) fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

/// Copies with the defaults.
pub(crate) async fn transfer(
    from: Arc<dyn Source>,
    what: &Identifier,
    to: Arc<dyn Sink>,
    under: Option<&str>,
) -> Result<Report, Error> {
    copy(&from, what, &to, under.map(tag).as_ref(), &CopyOptions::default()).await
}

/// Runs something, and ends as a program does: whatever was cut off in its midst has come to rest.
pub(crate) fn to_the_end<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(work)
}

/// A layout with a real two-platform index, and the digest of that.
pub(crate) async fn real_index(parent: &Path) -> (Arc<Layout>, Digest) {
    let directory = parent.join("real-index");
    let sample = registry_faults::sample::index(&directory, "multi", 600 * KIB).unwrap();
    (Arc::new(Layout::open(directory).await.unwrap()), digest(sample.digest()))
}

/// A layout with a real image of four layers, gzip and zstd, and the digest of that.
pub(crate) async fn real_image(parent: &Path) -> (Arc<Layout>, Digest) {
    let directory = parent.join("real-image");
    let sample = registry_faults::sample::image(&directory, "v1", 600 * KIB).unwrap();
    (Arc::new(Layout::open(directory).await.unwrap()), digest(sample.digest()))
}

/// An image of some blobs in memory, tagged `v1`.
pub(crate) fn small_image(layers: &[&'static [u8]]) -> (Arc<Memory>, Manifest) {
    let memory = Memory::new();
    let layers: Vec<_> =
        layers.iter().map(|layer| memory.add_blob(media_type::OCI_LAYER, *layer)).collect();
    let ids: Vec<_> = layers.iter().map(|layer| layer.digest.to_string()).collect();
    let config = json!({ "rootfs": { "type": "layers", "diff_ids": ids } });
    let config = memory.add_blob(media_type::OCI_CONFIG, config.to_string());
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let manifest = Manifest::new(manifest.to_string(), None, "a small image").unwrap();
    memory.add_manifest(manifest.clone(), Some(tag("v1")));
    (Arc::new(memory), manifest)
}

/// A blob named by its sha512, and a source of nothing else.
pub(crate) fn sha512_blob(bytes: &'static [u8]) -> (Arc<dyn Source>, Descriptor) {
    let digest = verify::digest(Algorithm::Sha512, bytes);
    let blob = Descriptor::new(media_type::OCI_LAYER, digest, bytes.len() as u64);
    (Arc::new(OneBlob(bytes)), blob)
}

#[derive(Debug)]
struct OneBlob(&'static [u8]);

#[async_trait]
impl Source for OneBlob {
    fn location(&self) -> String {
        "one blob".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        unreachable!("this is no manifest")
    }

    async fn open_blob(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Ok(Box::pin(stream::iter([Ok(Bytes::from_static(self.0))])))
    }
}

/// A source whose bytes never come.
#[derive(Debug)]
pub(crate) struct Held;

#[async_trait]
impl Source for Held {
    fn location(&self) -> String {
        "nowhere".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        unreachable!("only blobs are asked for")
    }

    async fn open_blob(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Ok(Box::pin(stream::pending()))
    }
}

/// Reads everything that `root` leads to, verified; says how many blobs and manifests that is.
pub(crate) async fn read_all(source: &dyn Source, root: &Digest) -> Result<usize, Error> {
    let mut waiting = vec![Identifier::Digest(root.clone())];
    let mut seen = std::collections::BTreeSet::from([root.clone()]);
    while let Some(next) = waiting.pop() {
        let manifest = source.manifest(&next).await?;
        for child in manifest.children().filter(|child| seen.insert(child.digest.clone())) {
            if child.is_manifest() {
                waiting.push(child.digest.clone().into());
            } else {
                read_blob(source, child).await?;
            }
        }
    }
    Ok(seen.len())
}

pub(crate) async fn read_blob(
    source: &dyn Source,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, Error> {
    let mut stream = verified_blob(source, descriptor).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

pub(crate) fn index_json(directory: &Path) -> Value {
    serde_json::from_slice(&fs::read(directory.join("index.json")).unwrap()).unwrap()
}

/// The entries of `index.json` as (tag, digest).
pub(crate) fn listed(directory: &Path) -> Vec<(Option<String>, String)> {
    let index = index_json(directory);
    let entries = index["manifests"].as_array().unwrap();
    let name = "org.opencontainers.image.ref.name";
    let tag = |entry: &Value| entry["annotations"][name].as_str().map(str::to_owned);
    let row = |entry: &Value| (tag(entry), entry["digest"].as_str().unwrap().to_owned());
    entries.iter().map(row).collect()
}

/// Everything below a directory, as sorted relative paths; directories end in a slash.
pub(crate) fn tree(directory: &Path) -> Vec<String> {
    fn walk(at: &Path, root: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                into.push(format!("{name}/"));
                walk(&path, root, into);
            } else {
                into.push(name);
            }
        }
    }
    let mut names = Vec::new();
    walk(directory, directory, &mut names);
    names.sort();
    names
}

/// The whole message of an error, causes included.
pub(crate) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// A source that hands out something else the first `lies` times a blob is opened.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub(crate) inner: Arc<dyn Source>,
    pub(crate) lies: usize,
    pub(crate) lie: fn(&Bytes) -> Vec<Result<Bytes, Error>>,
    pub(crate) opened: AtomicUsize,
}

impl Damaged {
    pub(crate) fn new(
        inner: Arc<dyn Source>,
        lies: usize,
        lie: fn(&Bytes) -> Vec<Result<Bytes, Error>>,
    ) -> Arc<Self> {
        Arc::new(Self { inner, lies, lie, opened: AtomicUsize::new(0) })
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Source for Damaged {
    fn location(&self) -> String {
        "a damaged place".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.inner.manifest(identifier).await
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let whole = read_blob(self.inner.as_ref(), descriptor).await?;
        let whole = Bytes::from(whole).slice(usize::try_from(offset).unwrap()..);
        let lying = self.opened.fetch_add(1, Ordering::Relaxed) < self.lies;
        let items = if lying { (self.lie)(&whole) } else { vec![Ok(whole)] };
        Ok(Box::pin(stream::iter(items)))
    }
}

/// A tar file of plain files, in that order.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    path
}
