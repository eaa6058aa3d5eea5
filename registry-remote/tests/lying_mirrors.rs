//! A mirror whose bytes are wrong is not asked again, and its registry is (network-policy, "Mirrors").
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use registry_faults::{
    content::Image,
    origin::{Reply, Script, Stage, on},
    registry::Registry,
};
use registry_name::{Identifier, Repository};
use registry_remote::{
    Client, CopyOptions, Descriptor, ErrorKind, Layout, Remote, Sink, Source, copy,
};
use registry_transport::{Host, Hosts, Mirror, Transport};

/// A is the mirror, which flips a bit of the last layer; B is the registry.
fn stage() -> Stage {
    let registry = Registry::new().with_image("app", "v1", &Image::small());
    let layer = format!("*/blobs/{}", Image::small().last_layer().digest);
    let liar = Script::registry(registry.clone())
        .rule(on("GET", layer).always(Reply::registry().flip_bit(77)));
    Stage::start([("A", liar), ("B", Script::registry(registry))]).unwrap()
}

fn remote(stage: &Stage) -> Remote {
    let repository: Repository =
        format!("{}/app", stage.origin("B").unwrap().host()).parse().unwrap();
    let mirror = Mirror::new(stage.origin("A").unwrap().url().parse().unwrap());
    let host = Host::new().mirror(mirror);
    let hosts = Hosts::default().host(repository.registry().as_str().parse().unwrap(), host);
    Client::new(Transport::builder().hosts(hosts).build().unwrap()).remote(&repository)
}

fn layer() -> Descriptor {
    let layer = Image::small().last_layer().clone();
    Descriptor::new(layer.media_type, layer.digest.parse().unwrap(), layer.bytes.len() as u64)
}

#[tokio::test]
async fn d17_a_pull_goes_on_at_the_registry_when_a_mirror_lies() {
    let stage = stage();
    let directory = tempfile::tempdir().unwrap();
    let source: Arc<dyn Source> = Arc::new(remote(&stage));
    let sink: Arc<dyn Sink> = Arc::new(Layout::create(directory.path()));
    let from: Identifier = "v1".parse().unwrap();
    copy(&source, &from, &sink, from.tag(), &CopyOptions::default()).await.unwrap();
    let path = format!("*/blobs/{}", layer().digest);
    assert_eq!(stage.origin("A").unwrap().log().count("GET", &path), 1);
    assert_eq!(stage.origin("B").unwrap().log().count("GET", &path), 1);
}

#[tokio::test]
async fn d17_a_stream_from_a_lying_mirror_fails_and_the_next_one_comes_from_the_registry() {
    let (stage, layer) = (stage(), layer());
    let remote = remote(&stage);
    let read = async || {
        let chunks: Vec<_> = remote.blob(&layer).await?.try_collect().await?;
        Ok::<_, registry_remote::Error>(chunks.concat())
    };
    assert_eq!(read().await.unwrap_err().kind(), ErrorKind::Integrity);
    assert_eq!(read().await.unwrap(), Image::small().last_layer().bytes);
    assert_eq!(stage.origin("A").unwrap().log().seen.len(), 1);
}
