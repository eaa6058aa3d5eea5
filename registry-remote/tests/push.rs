//! What a push leaves behind, and what it takes: streams, tags, sessions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{collections::HashSet, sync::Arc};

use futures_util::{future::join_all, stream};
use registry_authn::Credential;
use registry_faults::{
    origin::{self, End, Reply, Script, on},
    peers::{Kind, Server},
    registry::{Access, Registry as Scripted},
};
use registry_name::{Algorithm, Identifier};
use registry_remote::{
    ByteStream, Client, Descriptor, Error, ErrorKind, Image, ImageBuilder, Input, Layer, Manifest,
    Memory, Platform, Remote, Sink as _, Source, Stored, media_type, verify,
};
use registry_transport::{RetryPolicy, Transport};
use stage::{Stage, image, noise, remote, tag};

const UPLOADS: &str = "*/blobs/uploads/*";

/// A client that waits less.
fn hasty() -> Client {
    let policy = RetryPolicy::default().divided_by(50);
    Client::new(Transport::builder().policy(policy).build().unwrap())
}

/// `bytes` as they come from somewhere that gives them once.
fn once(bytes: &[u8]) -> Input {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(piece.to_vec().into())).collect();
    Input::stream(Box::pin(stream::iter(pieces)))
}

async fn assert_holds(remote: &Remote, layer: &Layer, bytes: &[u8]) {
    assert_eq!(layer.diff_id(), Some(layer.digest()));
    let layer = layer.descriptor();
    assert_eq!(layer.size, bytes.len() as u64);
    assert_eq!(layer.digest, verify::digest(Algorithm::Sha256, bytes));
    let there = registry_remote::read_blob(remote, layer, u64::MAX).await.unwrap();
    assert!(there == bytes, "{} arrived otherwise", layer.digest);
}

#[tokio::test]
async fn a_stream_of_unknown_size_is_uploaded_while_it_is_read() {
    let stage = Stage::start().await;
    let remote = stage.remote("app");
    // Nothing, in one request, in one piece, in three.
    for size in [0, 100, 1 << 20, (32 << 20) + 1] {
        let bytes = noise(size as u64, size);
        let layer = remote.upload(media_type::OCI_LAYER, once(&bytes)).await.unwrap();
        assert_holds(&remote, &layer, &bytes).await;
    }
}

#[tokio::test]
async fn an_uploaded_layer_goes_into_an_image_and_is_mounted() {
    let stage = Stage::start().await;
    let app = stage.remote("app");
    let tar = noise(5, 100_000);
    let packed = zstd::encode_all(&*tar, 1).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &packed).unwrap();
    let mut image = ImageBuilder::new(&Platform::linux_amd64());
    let inputs = [Input::bytes(packed.clone()), once(&packed), Input::file(file.path())];
    for (input, sent) in inputs.into_iter().zip([2, 1, 1]) {
        let upload = app.upload(media_type::OCI_LAYER_ZSTD, input);
        let (layer, requests) = stage.requests(upload).await;
        let layer = layer.unwrap();
        // What is there already is not sent again.
        assert_eq!(requests.len(), sent, "{requests:?}");
        assert_eq!(*layer.digest(), verify::digest(Algorithm::Sha256, &packed));
        assert_eq!(layer.descriptor().media_type, media_type::OCI_LAYER_ZSTD);
        assert_eq!(layer.diff_id(), Some(&verify::digest(Algorithm::Sha256, &tar)));
        image.existing(&layer).unwrap();
    }
    let composed = image.build().unwrap();
    let other = stage.remote("other");
    let (from, source): (_, Arc<dyn Source>) = (composed.identifier(), Arc::new(composed));
    let sink: Arc<dyn registry_remote::Sink> = Arc::new(other.clone());
    let options = stage.client.copy_options();
    let report = registry_remote::copy(&source, &from, &sink, None, &options).await.unwrap();
    assert_eq!((report.written, report.mounted), (1, 1));
    let there: Arc<dyn Source> = Arc::new(other);
    let image = Image::open(&there, &from, None).await.unwrap();
    assert_eq!(image.diff_ids().await.unwrap().len(), 3);

    let blob = app.upload("application/x", Input::bytes(packed.clone())).await.unwrap();
    assert_eq!(blob.diff_id(), None);
    let cut = &packed[..packed.len() - 9];
    for broken in [Input::bytes(cut.to_vec()), once(cut)] {
        let error = app.upload(media_type::OCI_LAYER_ZSTD, broken).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    }
}

#[tokio::test]
async fn u01_a_stream_that_is_read_once_survives_a_lost_session() {
    let cut = || Reply::new(500).reading_only(10_000).unsaid(End::Rst);
    let script = Script::registry(Scripted::new())
        .rule(on("PATCH", UPLOADS).times(1, Reply::registry()).times(1, cut()))
        .rule(on("GET", UPLOADS).times(1, Reply::new(404)));
    let stage = origin::Stage::single(script).unwrap();
    let remote = remote(&hasty(), stage.host(), "app");
    let bytes = noise(7, (33 << 20) + 5);
    let layer = remote.upload(media_type::OCI_LAYER, once(&bytes)).await.unwrap();
    assert_holds(&remote, &layer, &bytes).await;
    assert_eq!(stage.log().count("POST", UPLOADS), 2);
}

/// Only the last piece may be smaller than the registry wants them.
#[tokio::test]
async fn u16_a_stream_is_sent_in_pieces_as_large_as_the_registry_wants_them() {
    let cut = Reply::registry().reading_only(13 << 20).unsaid(End::Rst);
    let rows = [(20, None, ["0-20", "20-40", "40-45"]), (5, Some(cut), ["0-16", "13-29", "29-45"])];
    for (least, cut, expected) in rows {
        let wants = Reply::registry().header("OCI-Chunk-Min-Length", (least << 20).to_string());
        let patches = cut.into_iter().fold(on("PATCH", UPLOADS), |rule, cut| rule.times(1, cut));
        let script = Script::registry(Scripted::new())
            .rule(on("POST", UPLOADS).always(wants))
            .rule(patches.always(Reply::registry()));
        let stage = origin::Stage::single(script).unwrap();
        let remote = remote(&hasty(), stage.host(), "app");
        let bytes = noise(9, 45 << 20);
        let layer = remote.upload(media_type::OCI_LAYER, once(&bytes)).await.unwrap();
        assert_holds(&remote, &layer, &bytes).await;
        let log = stage.log();
        let pieces = log.requests("PATCH", UPLOADS).map(|seen| {
            let range = seen.request.header("content-range").unwrap();
            let (first, last) = range.split_once('-').unwrap();
            let ends: [usize; 2] = [first.parse().unwrap(), last.parse::<usize>().unwrap() + 1];
            format!("{}-{}", ends[0] >> 20, ends[1] >> 20)
        });
        assert_eq!(pieces.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn registries_of_other_makes_take_streams() {
    for kind in Kind::ALL {
        match Server::start(kind) {
            Err(reason) => registry_faults::skip!("a registry of another make: {reason}"),
            Ok(server) => {
                let remote = remote(&hasty(), &server.host(), "app");
                let bytes = noise(3, (17 << 20) + 1);
                let layer = remote.upload(media_type::OCI_LAYER, once(&bytes)).await.unwrap();
                assert_holds(&remote, &layer, &bytes).await;
                remote.check_push().await.unwrap();
            }
        }
    }
}

/// A source whose blobs are not what they were.
#[derive(Debug)]
struct Changed(Vec<u8>);

#[async_trait::async_trait]
impl Source for Changed {
    fn location(&self) -> String {
        "a file that changes".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        Err(Error::Unsupported { what: "not asked for".to_owned() })
    }

    async fn open_blob(&self, _: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let bytes = self.0[usize::try_from(offset).unwrap()..].to_vec();
        Ok(Box::pin(stream::iter([Ok(bytes.into())])))
    }
}

#[tokio::test]
async fn u20_a_source_that_changes_is_named_and_nothing_is_committed() {
    let bytes = noise(1, 300_000);
    let blob = Descriptor::new("x", verify::digest(Algorithm::Sha256, &bytes), bytes.len() as u64);
    let mut flipped = bytes.clone();
    flipped[200_000] ^= 1;
    let longer = [&bytes[..], b"more"].concat();
    for changed in [bytes[..200_000].to_vec(), longer, flipped] {
        let stage = origin::Stage::single(Script::registry(Scripted::new())).unwrap();
        let source: Arc<dyn Source> = Arc::new(Changed(changed));
        let remote = remote(&hasty(), stage.host(), "app");
        let error = remote.put_blob(&blob, &source).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        let held = stage.origin("A").unwrap().registry();
        assert!(held.repository("app").is_none_or(|app| app.blobs.is_empty()));
        assert_eq!(stage.log().count("DELETE", UPLOADS), 1);
    }
}

#[tokio::test]
async fn u22_a_blob_named_by_sha512_is_announced_as_such() {
    let stage = Stage::start().await;
    let bytes = noise(1, 100_000);
    let digest = verify::digest(Algorithm::Sha512, &bytes);
    let blob = Descriptor::new("x", digest, bytes.len() as u64);
    let source: Arc<dyn Source> = Arc::new(Changed(bytes));
    let remote = stage.remote("app");
    let (stored, requests) = stage.requests(remote.put_blob(&blob, &source)).await;
    assert_eq!(stored.unwrap(), Stored::Written);
    assert!(requests[0].ends_with("&digest-algorithm=sha512"), "{requests:?}");
}

#[tokio::test]
async fn several_tags_travel_in_one_request_where_that_is_offered() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, &[noise(1, 10)], Some("v1"));
    let app = stage.remote("app");
    stage::transfer(&TestSource(memory), &app, "v1", &stage.client.copy_options()).await.unwrap();
    let tags: Vec<_> = (0..12).map(|n| tag(&format!("t{n}"))).collect();
    let (put, requests) = stage.requests(app.put_manifest_tags(&manifest, &tags)).await;
    put.unwrap();
    assert_eq!(requests.len(), 2, "{requests:?}");
    let mut listed = app.tags().all().await.unwrap();
    listed.retain(|tag| tag.as_str() != "v1");
    assert_eq!(listed.len(), tags.len());

    // Where it is not, what was tried once is remembered.
    let scripted = origin::Stage::single(Script::registry(Scripted::new())).unwrap();
    let app = remote(&hasty(), scripted.host(), "app");
    for n in 0..2 {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"n":"{n}"}}}}"#);
        app.put_raw(text, Some(media_type::OCI_INDEX), &tags[..2]).await.unwrap();
    }
    assert_eq!(scripted.log().count("PUT", "*"), 3 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_references_in_many_repositories_upload_every_blob_once() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    // Some travel in the request that begins their upload, some do not.
    let layers: Vec<_> = (0..6).map(|n| noise(n as u64, 100 + 40_000 * n)).collect();
    let one = image(&memory, &layers, Some("one"));
    image(&memory, &layers[2..], Some("two"));
    let blobs: HashSet<_> = ["one", "two"].map(tag).map(|tag| memory.tags()[&tag].clone()).into();
    assert_eq!(blobs.len(), 2);
    let source = TestSource(memory);
    let options = stage.client.copy_options();
    let repositories: Vec<_> = (0..5).map(|n| stage.remote(&format!("team/app-{n}"))).collect();
    let writes = repositories.iter().flat_map(|remote| {
        ["one", "two"].map(|name| stage::transfer(&source, remote, name, &options))
    });
    let (reports, requests) = stage.requests(join_all(writes)).await;
    let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
    // Six layers and two configurations.
    let sum =
        |count: fn(&registry_remote::Report) -> usize| reports.iter().map(count).sum::<usize>();
    assert_eq!(sum(|report| report.written), 8, "{requests:#?}");
    assert_eq!(sum(|report| report.written + report.mounted + report.present), 5 * (7 + 5));
    let puts = |path: &str| {
        let is_put = |line: &&String| line.starts_with("PUT") && line.contains(path);
        requests.iter().filter(is_put).count()
    };
    let whole = requests.iter().filter(|line| line.contains("uploads/?digest=")).count();
    assert_eq!((puts("/blobs/uploads/") + whole, puts("/manifests/")), (8, 10), "{requests:#?}");
    for remote in &repositories {
        for layer in one.children() {
            assert!(remote.has_blob(layer).await.unwrap());
        }
    }
}

/// The registry says of a manifest that it has it, and then misses it.
#[tokio::test]
async fn p06_an_index_brings_the_manifests_that_turn_out_to_be_missing() {
    let memory = Arc::new(Memory::new());
    let amd = image(&memory, &[noise(1, 10), noise(2, 100_000)], None);
    let arm = image(&memory, &[noise(1, 10), noise(3, 20)], None);
    let inner = stage::index(&memory, &[(&arm, "linux/arm64")], "inner");
    let outer = stage::index(&memory, &[(&amd, "linux/amd64"), (&inner, "linux/arm64")], "v1");
    for phantoms in [&[&amd][..], &[&arm], &[&inner], &[&amd, &inner, &arm]] {
        let there = |manifest: &&Manifest| {
            let said = Reply::new(200)
                .header("Content-Type", manifest.media_type())
                .header("Docker-Content-Digest", manifest.digest().to_string())
                .body(manifest.bytes().clone());
            on("HEAD", format!("*/manifests/{}", manifest.digest())).always(said)
        };
        let registry = Scripted::new().with_whole_indexes();
        let script = phantoms.iter().map(there).fold(Script::registry(registry), Script::rule);
        let stage = origin::Stage::single(script).unwrap();
        let app = remote(&hasty(), stage.host(), "app");
        stage::push(&memory, &app, "v1").await;
        let held = stage.origin("A").unwrap().registry();
        let held = held.repository("app").unwrap();
        assert_eq!(held.tags["v1"], outer.digest().to_string());
        assert_eq!((held.manifests.len(), held.blobs.len()), (4, 5), "{:?}", held.manifests.keys());
    }
}

#[tokio::test]
async fn p06_an_entry_that_is_no_blob_is_not_brought_as_one() {
    let memory = Arc::new(Memory::new());
    let amd = image(&memory, &[noise(1, 10)], None);
    let thing = Manifest::new(r#"{"things":[7]}"#, Some("application/vnd.example.v1+json"), "test")
        .unwrap();
    memory.add_manifest(thing.clone(), None);
    let outer = stage::index(&memory, &[(&amd, "linux/amd64"), (&thing, "linux/arm64")], "v1");
    let said = Reply::new(200)
        .header("Content-Type", amd.media_type())
        .header("Docker-Content-Digest", amd.digest().to_string())
        .body(amd.bytes().clone());
    let there = on("HEAD", format!("*/manifests/{}", amd.digest())).always(said);
    let script = Script::registry(Scripted::new().with_whole_indexes()).rule(there);
    let stage = origin::Stage::single(script).unwrap();
    stage::push(&memory, &remote(&hasty(), stage.host(), "app"), "v1").await;
    let held = stage.origin("A").unwrap().registry();
    let held = held.repository("app").unwrap();
    assert_eq!(held.tags["v1"], outer.digest().to_string());
    assert_eq!(held.manifests.len(), 3, "{:?}", held.manifests.keys());
}

#[tokio::test]
async fn what_was_deleted_is_not_mounted_from_where_it_was() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let blob = memory.add_blob("x", noise(1, 100));
    let source: Arc<dyn Source> = memory;
    let (a, b) = (stage.remote("a"), stage.remote("b"));
    assert_eq!(a.put_blob(&blob, &source).await.unwrap(), Stored::Written);
    a.delete_blob(&blob.digest).await.unwrap();
    let (stored, requests) = stage.requests(b.put_blob(&blob, &source)).await;
    assert_eq!((stored.unwrap(), requests.len()), (Stored::Written, 1), "{requests:?}");
}

/// A20: the token service gives no token for both repositories at once.
#[tokio::test]
async fn a20_a_mount_that_no_token_allows_is_asked_for_without_its_source_or_becomes_an_upload() {
    let both = "/token?*scope=*scope=*";
    let refused = on("POST", "/v2/b/blobs/uploads/?mount=*").always(Reply::new(405));
    // The registry looks for the blob by itself, or it does not.
    for (rule, expected) in [(None, Stored::Mounted), (Some(refused), Stored::Written)] {
        let access = Access::bearer("http://{A}/token", "robot", "secret");
        let script = Script::registry(Scripted::new().with_access(access))
            .rule(on("GET", both).always(Reply::new(403)));
        let stage = origin::Stage::single(rule.into_iter().fold(script, Script::rule)).unwrap();
        let memory = Arc::new(Memory::new());
        let blob = memory.add_blob("x", noise(1, 100_000));
        let source: Arc<dyn Source> = memory;
        let credential = Credential::basic("robot", "secret");
        let client =
            Client::builder().credential(stage.host().parse().unwrap(), credential).build();
        let client = client.unwrap();
        let (a, b) = (remote(&client, stage.host(), "a"), remote(&client, stage.host(), "b"));
        assert_eq!(a.put_blob(&blob, &source).await.unwrap(), Stored::Written);
        let from: Arc<dyn Source> = Arc::new(a);
        assert_eq!(b.put_blob(&blob, &from).await.unwrap(), expected);
        assert_eq!(stage.log().seen.iter().filter(|seen| seen.status == 403).count(), 1);
    }
}

#[derive(Clone, Debug)]
struct TestSource(Arc<Memory>);

#[async_trait::async_trait]
impl Source for TestSource {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.0.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.0.open_blob(blob, offset).await
    }
}

#[tokio::test]
async fn e09_what_was_just_written_is_looked_for_again() {
    let script = Script::registry(Scripted::new())
        .rule(on("GET", "*/manifests/*").times(2, Reply::new(404)));
    let stage = origin::Stage::single(script).unwrap();
    let app = remote(&hasty(), stage.host(), "app");
    let text = r#"{"schemaVersion":2,"manifests":[]}"#;
    app.put_raw(text, Some(media_type::OCI_INDEX), &[tag("v1")]).await.unwrap();
    let found = app.get_manifest(&Identifier::Tag(tag("v1"))).await.unwrap();
    assert_eq!(found.bytes(), text);
    // Somebody else's is not waited for.
    let before = stage.log().seen.len();
    let missing = app.get_manifest(&Identifier::Tag(tag("v2"))).await.unwrap_err();
    assert_eq!((missing.kind(), stage.log().seen.len()), (ErrorKind::NotFound, before + 1));
}
