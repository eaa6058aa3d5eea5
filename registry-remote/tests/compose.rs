//! Images that are made here: the same parts give the same bytes, and they travel like any other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{process::Command, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use registry_faults::{peers, skip};
use registry_name::{Algorithm, Digest, Identifier};
use registry_remote::{
    Composed, Compression, CopyOptions, Error, Image, ImageBuilder, Index, IndexBuilder, Input,
    Layer, Layout, Memory, Platform, Sink, Source, copy, media_type, verify,
};
use stage::{Stage, noise, tag};

fn sha256(bytes: &[u8]) -> Digest {
    verify::digest(Algorithm::Sha256, bytes)
}

/// Above what is kept in memory, and as compressible as text.
fn content() -> Vec<u8> {
    let noise = noise(7, 700 << 10);
    noise.iter().flat_map(|byte| [b'a' + (byte & 15), b'\n']).collect()
}

fn streamed(bytes: &[u8]) -> Input {
    let chunks: Vec<_> = bytes.chunks(10_007).map(Bytes::copy_from_slice).map(Ok).collect();
    Input::stream(Box::pin(stream::iter(chunks)))
}

async fn read(layer: &Layer) -> Vec<u8> {
    let mut stream = layer.uncompressed().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

async fn send(composed: &Composed, sink: Arc<dyn Sink>, name: &str) {
    let source: Arc<dyn Source> = Arc::new(composed.clone());
    let options = CopyOptions::default();
    let tag = tag(name);
    copy(&source, &composed.identifier(), &sink, Some(&tag), &options).await.unwrap();
}

async fn open(source: Arc<dyn Source>, name: &str) -> Image {
    Image::open(&source, &Identifier::Tag(tag(name)), None).await.unwrap()
}

#[tokio::test]
async fn a_layer_is_the_same_from_bytes_a_file_a_stream_and_a_reader() {
    let content = content();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layer.tar");
    std::fs::write(&path, &content).unwrap();
    for compression in [Compression::AsIs, Compression::Gzip, Compression::Zstd] {
        let inputs = [
            Input::bytes(content.clone()),
            Input::file(&path),
            streamed(&content),
            Input::reader(std::io::Cursor::new(content.clone())),
        ];
        let mut digests = Vec::new();
        for input in inputs {
            let mut builder = ImageBuilder::new(&Platform::linux_amd64());
            let layer = builder.layer(input, compression).await.unwrap();
            let layer = layer.descriptor().clone();
            assert_eq!(layer.size < content.len() as u64, compression != Compression::AsIs);
            let composed = builder.build().unwrap();
            digests.push(composed.identifier());
            let source: Arc<dyn Source> = Arc::new(composed.clone());
            let image = Image::open(&source, &composed.identifier(), None).await.unwrap();
            assert_eq!(image.diff_ids().await.unwrap(), [sha256(&content)]);
            let layers = image.layers().await.unwrap();
            assert_eq!(read(&layers[0]).await, content);
            if compression == Compression::Gzip {
                let mut packed = layers[0].compressed().await.unwrap();
                let head = packed.next().await.unwrap().unwrap();
                // No time, no name, and of an unknown system (RFC 1952, section 2.3.1).
                assert_eq!((&head[3..8], head[9]), (&[0; 5][..], 255));
            }
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "{compression:?}");
    }
}

#[tokio::test]
async fn what_is_compressed_already_is_taken_as_it_is_and_recognised() {
    let content = content();
    let zst = zstd::encode_all(&*content, 1).unwrap();
    let mut builder = ImageBuilder::new(&Platform::linux_amd64());
    let layer = builder.layer(streamed(&zst), Compression::AsIs).await.unwrap();
    let layer = layer.descriptor();
    assert_eq!((&layer.digest, &*layer.media_type), (&sha256(&zst), media_type::OCI_LAYER_ZSTD));
    let refused = builder.layer(Input::bytes(zst.clone()), Compression::Gzip).await;
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
    let cut = Input::bytes(zst[..zst.len() / 2].to_vec());
    let broken = builder.layer(cut, Compression::AsIs).await;
    assert!(matches!(broken, Err(Error::Integrity { .. })));
    let source: Arc<dyn Source> = Arc::new(builder.build().unwrap());
    let digest = sha256(&zst);
    assert_eq!(read(&Layer::open(&source, &digest).await.unwrap()).await, content);
}

#[tokio::test]
async fn the_bytes_depend_on_the_parts_and_on_nothing_else() {
    let platform = "linux/arm/v7".parse().unwrap();
    let build = || async {
        let mut builder = ImageBuilder::new(&platform);
        builder.config(r#"{"config":{"User":"1","Cmd":["/a"]},"author":"me"}"#).unwrap();
        let mut layer = builder.layer(Input::bytes("tar"), Compression::AsIs).await.unwrap();
        let subject = layer.annotation("k", "v").descriptor().clone();
        builder.annotation("b", "2").annotation("a", "1").subject(&subject).build().unwrap()
    };
    let composed = build().await;
    assert_eq!(build().await.manifest().bytes(), composed.manifest().bytes());
    let (tar, hex) = (sha256(b"tar"), sha256(b"tar"));
    let config = format!(
        r#"{{"architecture":"arm","author":"me","config":{{"User":"1","Cmd":["/a"]}},"os":"linux","rootfs":{{"type":"layers","diff_ids":["{tar}"]}},"variant":"v7"}}"#
    );
    let layer = format!(r#"{{"mediaType":"{}","digest":"{hex}","size":3"#, media_type::OCI_LAYER);
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[{layer},"annotations":{{"k":"v"}}}}],"subject":{layer}}},"annotations":{{"a":"1","b":"2"}}}}"#,
        media_type::OCI_MANIFEST,
        media_type::OCI_CONFIG,
        sha256(config.as_bytes()),
        config.len(),
    );
    assert_eq!(std::str::from_utf8(composed.manifest().bytes()).unwrap(), expected);
}

#[tokio::test]
async fn what_is_composed_goes_into_memory_a_layout_and_a_registry() {
    let stage = Stage::start().await;
    let directory = tempfile::tempdir().unwrap();
    let mut index = IndexBuilder::new();
    index.annotation("a", "1");
    for architecture in ["amd64", "arm64"] {
        let mut image = ImageBuilder::new(&Platform::new("linux", architecture));
        image.layer(Input::bytes(content()), Compression::Gzip).await.unwrap();
        image.layer(streamed(&noise(1, 1200 << 10)), Compression::Zstd).await.unwrap();
        index.image(&image.build().unwrap());
    }
    let mut note = ImageBuilder::artifact("application/x.note");
    note.blob("text/plain", Input::bytes("a note")).await.unwrap();
    let index = index.image_for(&note.build().unwrap(), None).build().unwrap();
    let memory = Arc::new(Memory::new());
    let layout = Arc::new(Layout::create(directory.path().join("layout")));
    let remote = Arc::new(stage.remote("app"));
    send(&index, memory.clone(), "v1").await;
    send(&index, layout.clone(), "v1").await;
    send(&index, remote.clone(), "v1").await;
    let places: [Arc<dyn Source>; 3] = [memory, layout, remote];
    for place in places {
        let there = Index::open(&place, &Identifier::Tag(tag("v1"))).await.unwrap();
        assert_eq!(there.manifest().bytes(), index.manifest().bytes());
        assert_eq!(there.entries().len(), 3);
        assert_eq!(there.manifest().platforms().len(), 2);
        let image = there.image(Some(&"linux/arm64".parse().unwrap())).await.unwrap();
        let layers = image.layers().await.unwrap();
        assert_eq!(read(&layers[0]).await, content());
        assert_eq!(read(&layers[1]).await, noise(1, 1200 << 10));
    }
}

#[tokio::test]
async fn g12_an_artifact_has_an_empty_configuration_and_at_least_one_layer() {
    let empty = ImageBuilder::artifact("application/x.note").build().unwrap();
    let manifest = empty.manifest();
    assert_eq!(manifest.artifact_type(), Some("application/x.note"));
    assert_eq!(manifest.config().unwrap().media_type, media_type::OCI_EMPTY);
    assert_eq!(manifest.layers().len(), 1);
    let memory = Arc::new(Memory::new());
    send(&empty, memory.clone(), "note").await;
    assert_eq!(open(memory, "note").await.layers().await.unwrap().len(), 1);

    let mut own = ImageBuilder::artifact("a/b");
    own.config_blob("application/x.config", "{\"x\":1}");
    own.blob("text/plain", streamed(b"")).await.unwrap().annotation("a", "b");
    let own = own.build().unwrap();
    assert_eq!(own.manifest().config().unwrap().digest, sha256(b"{\"x\":1}"));
    let mut image = ImageBuilder::new(&Platform::linux_amd64());
    assert!(image.blob("text/plain", Input::bytes("")).await.is_err());
    assert!(image.config("[]").is_err());
    let file = image.layer(Input::file("/nonexistent"), Compression::Gzip).await.unwrap_err();
    assert_eq!(file.kind(), registry_remote::ErrorKind::Local);
}

#[tokio::test]
async fn crane_and_skopeo_agree_on_id_and_diff_ids() {
    let stage = Stage::start().await;
    let mut image = ImageBuilder::new(&Platform::linux_amd64());
    image.config(r#"{"config":{"Cmd":["/hello"]}}"#).unwrap();
    image.layer(Input::bytes(content()), Compression::Gzip).await.unwrap();
    image.layer(streamed(&noise(1, 1200 << 10)), Compression::Zstd).await.unwrap();
    let composed = image.build().unwrap();
    send(&composed, Arc::new(stage.remote("app")), "v1").await;
    let image = open(Arc::new(stage.remote("app")), "v1").await;
    let name = format!("{}/app:v1", stage.running.host());
    let rows: [(&str, Vec<String>); 2] = [
        ("crane", ["config", &name].map(str::to_owned).into()),
        (
            "skopeo",
            ["inspect", "--tls-verify=false", "--config", "--raw", &format!("docker://{name}")]
                .map(str::to_owned)
                .into(),
        ),
    ];
    let ids = image.diff_ids().await.unwrap();
    for (program, arguments) in rows {
        let Some(path) = peers::find(program) else {
            skip!("{program} is not installed");
            continue;
        };
        let ran = tokio::task::spawn_blocking(move || Command::new(path).args(arguments).output());
        let output = ran.await.unwrap().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let text = output.stdout.trim_ascii();
        assert_eq!(sha256(text), *image.id(), "{program}");
        let config: serde_json::Value = serde_json::from_slice(text).unwrap();
        let said: Vec<Digest> =
            serde_json::from_value(config["rootfs"]["diff_ids"].clone()).unwrap();
        assert_eq!(said, ids, "{program}");
    }
}
