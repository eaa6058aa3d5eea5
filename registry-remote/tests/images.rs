//! Images as values: what is got by a name, its id, its layers, and indexes of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{io::Write as _, sync::Arc};

use futures_util::StreamExt as _;
use registry_name::{Algorithm, Identifier};
use registry_remote::{
    Client, CopyOptions, Entry, Error, ErrorKind, Image, Index, Layer, Manifest, Memory, Source,
    get, media_type, verify,
};
use registry_transport::Cancellation;
use stage::{Stage, index, json, noise, tag};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image for this architecture with a plain, a gzip and a zstd layer of these contents.
fn image(memory: &Memory, architecture: &str, contents: &[Vec<u8>; 3], ids: &[&[u8]]) -> Manifest {
    let [plain, gz, zst] = contents;
    let layers = [
        memory.add_blob(media_type::OCI_LAYER, plain.clone()),
        memory.add_blob(media_type::OCI_LAYER_GZIP, gzip(gz)),
        memory.add_blob(media_type::OCI_LAYER_ZSTD, zstd::encode_all(zst.as_slice(), 3).unwrap()),
    ];
    let ids: Vec<_> = ids.iter().map(|id| verify::digest(Algorithm::Sha256, id)).collect();
    let config = format!(
        r#"{{"os":"linux","architecture":"{architecture}","rootfs":{{"type":"layers","diff_ids":{}}}}}"#,
        serde_json::to_string(&ids).unwrap()
    );
    let config = memory.add_blob(media_type::OCI_CONFIG, config);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::OCI_MANIFEST,
        json(&config),
        layers.iter().map(json).collect::<Vec<_>>().join(",")
    );
    let manifest = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(manifest.clone(), Some(tag(architecture)));
    manifest
}

fn contents() -> [Vec<u8>; 3] {
    [noise(1, 300), noise(2, 200_000), vec![3; 500_000]]
}

fn refs(contents: &[Vec<u8>; 3]) -> Vec<&[u8]> {
    contents.iter().map(Vec::as_slice).collect()
}

async fn read(layer: &Layer) -> Result<Vec<u8>, Error> {
    let mut stream = layer.uncompressed().await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

#[tokio::test]
async fn an_image_has_an_id_diff_ids_and_layers_wherever_it_is() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let contents = contents();
    let manifest = image(&memory, "amd64", &contents, &refs(&contents));
    let copied = transfer_to(&memory, &stage, "amd64").await;
    let sources: [Arc<dyn Source>; 2] = [memory, Arc::new(copied)];
    for source in sources {
        let image = Image::open(&source, &Identifier::Tag(tag("amd64")), None).await.unwrap();
        assert_eq!(image.digest(), manifest.digest());
        assert_eq!(*image.id(), manifest.config().unwrap().digest);
        assert_eq!(image.platform().await.unwrap().unwrap().to_string(), "linux/amd64");
        assert_eq!(image.to_oci_config().await.unwrap().rootfs().diff_ids().len(), 3);
        let layers = image.layers().await.unwrap();
        for (layer, content) in layers.iter().zip(&contents) {
            assert_eq!(read(layer).await.unwrap(), *content);
            assert_eq!(*layer.diff_id().unwrap(), verify::digest(Algorithm::Sha256, content));
            let by_digest = Layer::open(&source, layer.digest()).await.unwrap();
            assert_eq!(by_digest.descriptor().size, layer.descriptor().size);
            assert_eq!(read(&by_digest).await.unwrap(), *content);
        }
    }
}

async fn transfer_to(memory: &Arc<Memory>, stage: &Stage, name: &str) -> registry_remote::Remote {
    let remote = stage.remote("app");
    let source: Arc<dyn Source> = memory.clone();
    let sink: Arc<dyn registry_remote::Sink> = Arc::new(remote.clone());
    let tag = tag(name);
    let options = CopyOptions::default();
    registry_remote::copy(&source, &Identifier::Tag(tag.clone()), &sink, Some(&tag), &options)
        .await
        .unwrap();
    remote
}

#[tokio::test]
async fn a_layer_whose_content_is_not_the_configurations_is_refused_at_its_end() {
    let memory = Memory::new();
    let contents = contents();
    let mut ids = refs(&contents);
    ids[1] = b"something else";
    image(&memory, "amd64", &contents, &ids);
    let source: Arc<dyn Source> = Arc::new(memory);
    let image = Image::open(&source, &Identifier::Tag(tag("amd64")), None).await.unwrap();
    let layers = image.layers().await.unwrap();
    assert!(read(&layers[0]).await.is_ok());
    let error = read(&layers[1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("uncompressed is not what its descriptor says"), "{error}");
    // What is stored is right all the same.
    let mut stored = layers[1].compressed().await.unwrap();
    while let Some(chunk) = stored.next().await {
        chunk.unwrap();
    }
}

#[tokio::test]
async fn a_configuration_with_more_or_fewer_layers_than_there_are_is_refused() {
    let memory = Memory::new();
    let contents = contents();
    let source = Arc::new(memory);
    for listed in [0, 2] {
        image(&source, "amd64", &contents, &refs(&contents)[..listed]);
        let source: Arc<dyn Source> = source.clone();
        let image = Image::open(&source, &Identifier::Tag(tag("amd64")), None).await.unwrap();
        let error = image.layers().await.unwrap_err().to_string();
        let expected = format!("it has 3 layers, and {listed} by its configuration");
        assert!(error.contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn g12_an_artifact_has_layers_without_diff_ids() {
    let memory = Memory::new();
    let config = memory.add_blob(media_type::OCI_EMPTY, "{}");
    let layer = memory.add_blob("text/plain", "a note");
    for layers in [String::new(), json(&layer)] {
        let text = format!(
            r#"{{"schemaVersion":2,"artifactType":"a/b","config":{},"layers":[{layers}]}}"#,
            json(&config)
        );
        memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag("note")));
    }
    let source: Arc<dyn Source> = Arc::new(memory);
    let image = Image::open(&source, &Identifier::Tag(tag("note")), None).await.unwrap();
    assert_eq!(image.platform().await.unwrap(), None);
    let layers = image.layers().await.unwrap();
    assert_eq!(layers[0].diff_id(), None);
    assert_eq!(read(&layers[0]).await.unwrap(), b"a note");
}

#[tokio::test]
async fn what_is_got_is_bytes_first_and_an_image_or_an_index_when_it_is_asked() {
    let memory = Arc::new(Memory::new());
    let contents = contents();
    let amd = image(&memory, "amd64", &contents, &refs(&contents));
    let arm = image(&memory, "arm64", &contents, &refs(&contents));
    let offered = [(&arm, "linux/arm64/v8"), (&amd, "linux/amd64")];
    let both = index(&memory, &offered, "both");
    let stage = Stage::start().await;
    let remote = transfer_to(&memory, &stage, "both").await;
    let got = remote.get(&Identifier::Tag(tag("both"))).await.unwrap();
    assert_eq!(got.bytes(), both.bytes());
    assert_eq!(got.descriptor().media_type, media_type::OCI_INDEX);
    assert_eq!(got.image(None).await.unwrap().digest(), amd.digest());
    let wanted = "linux/aarch64".parse().unwrap();
    assert_eq!(got.image(Some(&wanted)).await.unwrap().digest(), arm.digest());
    assert_eq!(got.index().unwrap().entries().len(), 2);
    let client = Client::builder().platform(wanted).build().unwrap();
    let other = stage::remote(&client, &stage.running.host(), "app");
    let got = other.get(&Identifier::Tag(tag("both"))).await.unwrap();
    assert_eq!(got.image(None).await.unwrap().digest(), arm.digest(), "what this client prefers");
    let other: Arc<dyn Source> = Arc::new(other);
    let name = Identifier::Tag(tag("both"));
    let opened = Image::open(&other, &name, None).await.unwrap();
    let index = Index::open(&other, &name).await.unwrap();
    for image in [opened, index.image(None).await.unwrap()] {
        assert_eq!(image.digest(), arm.digest(), "wherever it is opened");
    }

    let image = remote.get(&Identifier::Digest(arm.digest().clone())).await.unwrap();
    // Taken as it is, although the default is another platform; refused where it is asked for.
    assert_eq!(image.image(None).await.unwrap().digest(), arm.digest());
    let error = image.image(Some(&"linux/amd64".parse().unwrap())).await.unwrap_err();
    assert!(error.to_string().contains("offered: linux/arm64"), "{error}");
    let error = image.index().unwrap_err().to_string();
    assert!(error.contains("it is an image, not an index"), "{error}");
}

#[tokio::test]
async fn an_index_gives_images_indexes_and_blobs_of_any_type() {
    let memory = Memory::new();
    let contents = contents();
    let arm = image(&memory, "arm64", &contents, &refs(&contents));
    let inner = index(&memory, &[(&arm, "linux/arm64")], "inner");
    let blob = memory.add_blob("application/x.anything", "some bytes");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{},{}]}}"#,
        media_type::OCI_INDEX,
        json(&blob),
        json(inner.descriptor()),
        json(arm.descriptor()),
    );
    memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag("outer")));
    let source: Arc<dyn Source> = Arc::new(memory);
    let outer = Index::open(&source, &Identifier::Tag(tag("outer"))).await.unwrap();
    let mut entries = Vec::new();
    for entry in outer.entries() {
        entries.push(outer.entry(entry).await.unwrap());
    }
    let [Entry::Blob(blob), Entry::Index(inner), Entry::Image(image)] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(read(blob).await.unwrap(), b"some bytes");
    assert_eq!(image.digest(), arm.digest());
    let wanted = "linux/arm64".parse().unwrap();
    assert_eq!(inner.image(Some(&wanted)).await.unwrap().digest(), arm.digest());
    assert_eq!(outer.image(Some(&wanted)).await.unwrap().digest(), arm.digest());
}

#[tokio::test]
async fn g05_an_entry_that_is_something_else_than_it_says_is_refused() {
    let memory = Memory::new();
    let contents = contents();
    let arm = image(&memory, "arm64", &contents, &refs(&contents));
    let mut lie = arm.descriptor().clone();
    lie.media_type = media_type::OCI_INDEX.to_owned();
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, json(&lie));
    memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag("lie")));
    let source: Arc<dyn Source> = Arc::new(memory);
    let index = Index::open(&source, &Identifier::Tag(tag("lie"))).await.unwrap();
    let error = index.entry(&index.entries()[0]).await.unwrap_err();
    assert!(matches!(error, Error::Manifest { .. }), "{error}");
}

#[tokio::test]
async fn a_cancellation_reaches_what_is_read_later() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let contents = contents();
    image(&memory, "amd64", &contents, &refs(&contents));
    transfer_to(&memory, &stage, "amd64").await;
    let cancellation = Cancellation::new();
    let client = Client::builder().cancellation(&cancellation).build().unwrap();
    let remote = stage::remote(&client, &stage.running.host(), "app");
    let image =
        remote.get(&Identifier::Tag(tag("amd64"))).await.unwrap().image(None).await.unwrap();
    let layers = image.layers().await.unwrap();
    let mut begun = layers[1].compressed().await.unwrap();
    assert!(read(&layers[0]).await.is_ok());
    cancellation.cancel();
    let late = layers[2].compressed().await.unwrap_err();
    let within = loop {
        match begun.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    for error in [late, within] {
        let Error::Registry { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), registry_transport::ErrorKind::Cancelled);
    }
}

#[tokio::test]
async fn m14_schema_1_is_copied_byte_for_byte_and_not_read() {
    let memory = Memory::new();
    let layer = memory.add_blob("", "a layer");
    let text = format!(
        r#"{{"schemaVersion":1, "name":"a/b","fsLayers":[{{"blobSum":"{0}"}},{{"blobSum":"{0}"}}]}}"#,
        layer.digest
    );
    let manifest = Manifest::new(text.clone(), None, "test").unwrap();
    memory.add_manifest(manifest, Some(tag("old")));
    let source = Arc::new(memory);
    let directory = tempfile::tempdir().unwrap();
    let layout = Arc::new(registry_remote::Layout::create(directory.path().join("layout")));
    for _ in 0..2 {
        let source: Arc<dyn Source> = source.clone();
        let sink: Arc<dyn registry_remote::Sink> = layout.clone();
        let name = tag("old");
        let from = Identifier::Tag(name.clone());
        let options = CopyOptions::default();
        registry_remote::copy(&source, &from, &sink, Some(&name), &options).await.unwrap();
    }
    let layout: Arc<dyn Source> = layout;
    let got = get(&layout, &Identifier::Tag(tag("old"))).await.unwrap();
    assert_eq!(got.bytes(), text.as_bytes());
    let blob = Layer::open(&layout, &layer.digest).await.unwrap();
    assert_eq!(read(&blob).await.unwrap(), b"a layer");
    for refused in [got.image(None).await.map(drop), got.index().map(drop)] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("is in Docker's schema 1"), "{error}");
    }
}
