//! Images on top of other images: layers that exist are taken as they are, and stay where they are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_name::{Algorithm, Identifier};
use registry_remote::{
    Composed, Compression, CopyEvent, CopyOptions, Descriptor, Image, ImageBuilder, IndexBuilder,
    Input, Layer, Manifest, Memory, Platform, Remote, Report, Sink, Source, copy, media_type,
    verify,
};
use stage::{Stage, noise, tag};

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const NONDISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// An image of a Docker make, with one layer that says something of itself, one small one, and one
/// that is elsewhere.
fn docker(memory: &Memory) -> Manifest {
    let mut layers: Vec<_> = [100_000, 20]
        .map(|size| memory.add_blob(media_type::DOCKER_LAYER, noise(size as u64, size)))
        .into();
    layers[0].annotations.insert("says".into(), "so".into());
    let foreign = verify::digest(Algorithm::Sha256, b"far away");
    let mut foreign = Descriptor::new(FOREIGN, foreign, 8);
    foreign.urls.push("https://elsewhere.example/layer".into());
    layers.push(foreign);
    let ids: Vec<_> = layers.iter().map(|layer| format!("{:?}", layer.digest.as_str())).collect();
    let config = format!(
        r#"{{"architecture":"arm64","os":"linux","config":{{"Cmd":["/a"]}},"history":[{{"created_by":"1"}},{{"created_by":"ENV","empty_layer":true}},{{"created_by":"2"}},{{"created_by":"3"}}],"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    );
    let config = memory.add_blob(media_type::DOCKER_CONFIG, config);
    let layers: Vec<_> = layers.iter().map(stage::json).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::DOCKER_MANIFEST,
        stage::json(&config),
        layers.join(",")
    );
    let manifest = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(manifest.clone(), Some(tag("v1")));
    manifest
}

async fn push(source: Arc<dyn Source>, from: &Identifier, to: &Remote) -> Report {
    let sink: Arc<dyn Sink> = Arc::new(to.clone());
    copy(&source, from, &sink, Some(&tag("v1")), &CopyOptions::default()).await.unwrap()
}

async fn open(remote: Remote) -> Image {
    let source: Arc<dyn Source> = Arc::new(remote);
    let arm = Platform::new("linux", "arm64");
    Image::open(&source, &tag("v1").into(), Some(&arm)).await.unwrap()
}

/// The docker image as a base in a repository, with a layer on top.
async fn on_base(stage: &Stage) -> Composed {
    let memory = Arc::new(Memory::new());
    docker(&memory);
    push(memory, &tag("v1").into(), &stage.remote("base")).await;
    let mut image = ImageBuilder::base(&open(stage.remote("base")).await).await.unwrap();
    image.layer(Input::bytes(noise(3, 100)), Compression::AsIs).await.unwrap();
    image.build().unwrap()
}

/// A stage whose client brought nothing anywhere yet, so that it remembers nothing either.
fn forgetful(stage: Stage) -> Stage {
    Stage { client: stage::client(), ..stage }
}

#[tokio::test]
async fn an_image_on_a_base_keeps_its_layers_and_continues_its_history() {
    let stage = Stage::start().await;
    let composed = on_base(&stage).await;
    let layers = composed.manifest().layers();
    let types: Vec<_> = layers.iter().map(|layer| layer.media_type.as_str()).collect();
    let gzip = media_type::OCI_LAYER_GZIP;
    assert_eq!(types, [gzip, gzip, NONDISTRIBUTABLE, media_type::OCI_LAYER]);
    assert_eq!(layers[0].annotations["says"], "so");
    assert_eq!(layers[2].urls, ["https://elsewhere.example/layer"]);
    let source: Arc<dyn Source> = Arc::new(composed.clone());
    let image = Image::new(source, composed.manifest().clone()).unwrap();
    let ids = image.diff_ids().await.unwrap();
    assert_eq!((ids.len(), &ids[1]), (4, &layers[1].digest));
    assert_eq!(image.platform().await.unwrap(), Some(Platform::new("linux", "arm64")));
    let config: serde_json::Value = serde_json::from_slice(&image.config().await.unwrap()).unwrap();
    assert_eq!(config["config"]["Cmd"][0], "/a");
    let steps = config["history"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[1]["created_by"]), (5, &"ENV".into()));
    // The same again is the same, and what nobody put on top is left alone.
    let again = on_base(&stage).await;
    assert_eq!(again.manifest().bytes(), composed.manifest().bytes());
}

#[tokio::test]
async fn layers_of_a_base_are_mounted_and_none_of_their_bytes_move() {
    let stage = Stage::start().await;
    on_base(&stage).await;
    let stage = forgetful(stage);
    let base = open(stage.remote("base")).await;
    // The layer on top and the configuration come along; what was brought to one repository is
    // mounted by the next. The foreign layer stays where it is.
    for (repository, expected) in [("app", (2, 2, 0)), ("base", (0, 2, 2))] {
        let mut image = ImageBuilder::base(&base).await.unwrap();
        image.layer(Input::bytes(noise(9, 100_000)), Compression::AsIs).await.unwrap();
        let composed = image.build().unwrap();
        let from = composed.identifier();
        // Within an index, it is the same.
        let index = IndexBuilder::new().image(&composed).build().unwrap();
        let (root, to) = (index.identifier(), stage.remote(repository));
        let push = push(Arc::new(index.clone()), &root, &to);
        let (report, requests) = stage.requests(push).await;
        let moved = (report.written, report.mounted, report.present);
        assert_eq!(moved, expected, "{requests:#?}");
        assert!(!requests.iter().any(|line| line.starts_with("GET")), "{requests:#?}");
        let there = open(stage.remote(repository)).await;
        assert_eq!(Identifier::Digest(there.digest().clone()), from);
        assert_eq!(there.manifest().layers()[0].annotations["says"], "so");
        assert_eq!(there.manifest().layers()[2].urls.len(), 1);
        for layer in &there.manifest().layers()[..2] {
            assert!(stage.remote(repository).has_blob(layer).await.unwrap());
        }
    }
}

#[tokio::test]
async fn layers_of_a_base_elsewhere_are_read_from_there() {
    let (stage, other) = (forgetful(Stage::start().await), Stage::start().await);
    let composed = on_base(&stage).await;
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut options = CopyOptions::default();
    let heard = Arc::clone(&events);
    options.events = Some(Arc::new(move |event| heard.lock().unwrap().push(event.clone())));
    let (source, from): (Arc<dyn Source>, _) = (Arc::new(composed.clone()), composed.identifier());
    let sink: Arc<dyn Sink> = Arc::new(other.remote("app"));
    let plan = copy::plan(&source, &[], &sink, &options).await;
    plan.unwrap_err();
    let wanted = copy::Wanted { from, tags: vec![tag("v1")] };
    let plan = copy::plan(&source, &[wanted], &sink, &options).await.unwrap();
    assert_eq!(plan.bytes_to_move(source.as_ref(), sink.as_ref()), plan.bytes());
    // Two of the four blobs have to be read from a registry.
    assert_eq!(plan.requests(source.as_ref(), sink.as_ref()), 4 * 2 + 2 + 1);
    let home: Arc<dyn Sink> = Arc::new(stage.remote("app"));
    assert!(plan.bytes_to_move(source.as_ref(), home.as_ref()) < 1000);
    assert_eq!(plan.requests(source.as_ref(), home.as_ref()), 2 + 2 * 2 + 1);
    let small = plan.blobs().iter().filter(|blob| blob.size <= 64 << 10).count();
    let run = other.requests(plan.run(&source, &sink, &options));
    let ((report, written), read) = stage.requests(run).await;
    let report = report.unwrap();
    // What is small begins its upload and ends it in one request here.
    assert_eq!(read.len() + written.len(), 4 * 2 + 2 + 1 - small, "{read:#?} {written:#?}");
    assert_eq!((report.written, report.mounted), (4, 0));
    let moved = events.lock().unwrap().iter().fold(0, |sum, event| match event {
        CopyEvent::Moved { bytes, .. } => sum + bytes,
        _ => sum,
    });
    assert_eq!(moved, report.bytes);
    let there = open(other.remote("app")).await;
    assert_eq!(there.manifest().bytes(), composed.manifest().bytes());
}

#[tokio::test]
async fn a_layer_without_a_diff_id_is_for_artifacts_only() {
    let memory = Arc::new(Memory::new());
    let blob = memory.add_blob(media_type::OCI_LAYER, "tar");
    let source: Arc<dyn Source> = memory;
    let layer = Layer::open(&source, &blob.digest).await.unwrap();
    let mut image = ImageBuilder::new(&Platform::linux_amd64());
    assert!(image.existing(&layer).is_err());
    let mut artifact = ImageBuilder::artifact("a/b");
    artifact.existing(&layer).unwrap().annotation("k", "v");
    let artifact = artifact.build().unwrap();
    assert_eq!(artifact.manifest().layers()[0].annotations["k"], "v");
    assert_eq!(artifact.describe_blob(&blob.digest).await.unwrap().size, 3);
    let base = Image::new(Arc::new(artifact.clone()), artifact.manifest().clone()).unwrap();
    assert!(ImageBuilder::base(&base).await.is_err());
}

#[tokio::test]
async fn a_configuration_that_is_given_names_its_platform() {
    let mut image = ImageBuilder::artifact("a/b");
    image.config_blob(media_type::OCI_CONFIG, r#"{"os":"linux","architecture":"riscv64"}"#);
    let index = IndexBuilder::new().image(&image.build().unwrap()).build().unwrap();
    assert_eq!(index.manifest().platforms(), [Platform::new("linux", "riscv64")]);
}
