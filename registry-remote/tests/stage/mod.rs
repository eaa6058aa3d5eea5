//! What the tests of this folder share: images in memory, and a registry to move them to.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

pub(crate) mod service;

use std::sync::Arc;

use registry_name::{Identifier, Repository, Tag};
use registry_remote::{
    Client, CopyOptions, Descriptor, Error, Manifest, Memory, Platform, Remote, Report, Sink,
    Source, copy, media_type,
};
use registry_serve::{Registry, Running};
use registry_transport::Transport;

/// A registry of our own, and a client for it.
pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let running = Registry::builder().record_requests(10_000).spawn().await.unwrap();
        Self { running, client: client() }
    }

    pub(crate) fn remote(&self, path: &str) -> Remote {
        remote(&self.client, &self.running.host(), path)
    }

    /// The requests that `work` makes, as `METHOD path` lines.
    pub(crate) async fn requests<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let before = self.running.requests().len();
        let result = work.await;
        let requests = self.running.requests().split_off(before);
        let lines = requests.iter().map(|request| format!("{} {}", request.method, request.target));
        (result, lines.collect())
    }
}

pub(crate) fn client() -> Client {
    Client::new(Transport::builder().build().unwrap())
}

pub(crate) fn remote(client: &Client, host: &str, path: &str) -> Remote {
    let repository: Repository = format!("{host}/{path}").parse().unwrap();
    client.remote(&repository)
}

/// Bytes that look like nothing else.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    registry_faults::content::noise(seed, length)
}

/// An image of these layers in memory.
pub(crate) fn image(memory: &Memory, layers: &[Vec<u8>], tag: Option<&str>) -> Manifest {
    let manifest = image_with(memory, layers, "");
    memory.add_manifest(manifest.clone(), tag.map(|tag| tag.parse().unwrap()));
    manifest
}

/// The same, with more fields.
pub(crate) fn image_with(memory: &Memory, layers: &[Vec<u8>], fields: &str) -> Manifest {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| memory.add_blob(media_type::OCI_LAYER_GZIP, layer.clone()))
        .collect();
    // Noise is not compressed, whatever its type.
    let ids: Vec<_> = layers.iter().map(|layer| format!("\"{}\"", layer.digest)).collect();
    let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#, ids.join(","));
    let config = memory.add_blob(media_type::OCI_CONFIG, config);
    let layers: Vec<_> = layers.iter().map(json).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}",{fields}"config":{},"layers":[{}]}}"#,
        media_type::OCI_MANIFEST,
        json(&config),
        layers.join(",")
    );
    Manifest::new(text, None, "test").unwrap()
}

/// An index of these in memory.
pub(crate) fn index(memory: &Memory, entries: &[(&Manifest, &str)], tag: &str) -> Manifest {
    let entries: Vec<_> = entries
        .iter()
        .map(|(manifest, platform)| {
            let mut entry = manifest.descriptor().clone();
            entry.platform = Some(platform.parse::<Platform>().unwrap());
            json(&entry)
        })
        .collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        entries.join(",")
    );
    let index = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(index.clone(), Some(tag.parse().unwrap()));
    index
}

pub(crate) fn json(descriptor: &Descriptor) -> String {
    serde_json::to_string(descriptor).unwrap()
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// Copies `name`, a tag, under the same tag.
pub(crate) async fn transfer(
    source: &(impl Source + Clone + 'static),
    sink: &(impl Sink + Clone + 'static),
    name: &str,
    options: &CopyOptions,
) -> Result<Report, Error> {
    let source: Arc<dyn Source> = Arc::new(source.clone());
    let sink: Arc<dyn Sink> = Arc::new(sink.clone());
    let tag = tag(name);
    copy(&source, &Identifier::Tag(tag.clone()), &sink, Some(&tag), options).await
}

/// Copies `name`, a tag in memory, under the same tag.
pub(crate) async fn push(memory: &Arc<Memory>, remote: &Remote, name: &str) {
    let source: Arc<dyn Source> = memory.clone();
    let sink: Arc<dyn Sink> = Arc::new(remote.clone());
    let tag = tag(name);
    let from = Identifier::Tag(tag.clone());
    copy(&source, &from, &sink, Some(&tag), &CopyOptions::default()).await.unwrap();
}
