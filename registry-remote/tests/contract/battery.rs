//! What every place is asked.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use registry_name::{Algorithm, Digest, Identifier};
use registry_remote::{
    ByteStream, CopyOptions, Descriptor, Error, ErrorKind, Manifest, Memory, Report, Sink as _,
    Source, Stored, copy, copy::Wanted, media_type, verify,
};

use super::{
    places::{Place, Stand},
    stage::{self, image, image_with, index, noise, tag},
};

const LARGE: usize = 300_000;

/// An image with an unknown field, annotations, a layer twice, and one without a byte.
fn sample(memory: &Memory) -> Manifest {
    let layers = [noise(1, 10), noise(2, LARGE), Vec::new(), noise(2, LARGE)];
    let fields = r#""annotations":{"a":"ä\n"},"x-unknown":[1,{"b":null}],"#;
    let manifest = image_with(memory, &layers, fields);
    memory.add_manifest(manifest.clone(), Some(tag("v1")));
    manifest
}

async fn transfer(source: Arc<dyn Source>, name: &str, place: &Place) -> Result<Report, Error> {
    let options = CopyOptions::default();
    copy(&source, &tag(name).into(), &place.sink, Some(&tag(name)), &options).await
}

async fn read(source: &dyn Source, blob: &Descriptor, offset: u64) -> Result<Vec<u8>, Error> {
    let chunks: Vec<_> = source.open_blob(blob, offset).await?.try_collect().await?;
    Ok(chunks.concat())
}

/// Everything below a tag, compared byte for byte.
async fn assert_same(ours: &Memory, theirs: &dyn Source, name: &str) {
    let mut waiting: Vec<Identifier> = vec![tag(name).into()];
    while let Some(next) = waiting.pop() {
        let expected = ours.manifest(&next).await.unwrap();
        let found = theirs.manifest(&next).await.unwrap();
        assert_eq!(found.bytes(), expected.bytes());
        assert_eq!(found.media_type(), expected.media_type());
        for child in expected.children() {
            if child.is_manifest() {
                waiting.push(child.digest.clone().into());
            } else {
                let bytes = read(theirs, child, 0).await.unwrap();
                assert_eq!(bytes, ours.blob(&child.digest).unwrap());
            }
        }
    }
}

pub(crate) async fn an_image_comes_back_byte_for_byte(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    sample(&memory);
    let place = stand.place();
    let report = transfer(memory.clone(), "v1", &place).await.unwrap();
    assert_eq!((report.manifests, report.written), (1, 4), "a layer that occurs twice moves once");
    assert_same(&memory, place.source().await.unwrap().as_ref(), "v1").await;
}

pub(crate) async fn an_index_comes_back_whole_or_is_refused(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    let (amd, arm) = (image(&memory, &[noise(1, 10)], None), image(&memory, &[noise(2, 10)], None));
    let inner = index(&memory, &[(&arm, "linux/arm64/v8")], "inner");
    index(&memory, &[(&amd, "linux/amd64"), (&inner, "linux/arm64"), (&arm, "linux/arm64")], "v1");
    let place = stand.place();
    let copied = transfer(memory.clone(), "v1", &place).await;
    if stand.kind.holds_several() {
        assert_eq!(copied.unwrap().manifests, 4);
        assert_same(&memory, place.source().await.unwrap().as_ref(), "v1").await;
    } else {
        assert!(matches!(copied, Err(Error::Unsupported { .. })), "{copied:?}");
        assert!(place.source().await.is_err());
    }
}

pub(crate) async fn a_blob_is_written_once(stand: &Stand) {
    if stand.kind.is_archive() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let place = stand.place();
    let source: Arc<dyn Source> = memory.clone();
    for length in [0, 10, LARGE] {
        let blob = memory.add_blob(media_type::OCI_LAYER, noise(7, length));
        assert!(!place.sink.has_blob(&blob).await.unwrap());
        let stored = [
            place.sink.put_blob(&blob, &source).await.unwrap(),
            place.sink.put_blob(&blob, &source).await.unwrap(),
        ];
        assert_eq!(stored[0], Stored::Written, "{length}");
        // A registry may rather take a small blob again than be asked whether it has it.
        assert!(stored[1] == Stored::Present || length <= 65536, "{length}: {stored:?}");
        assert!(place.sink.has_blob(&blob).await.unwrap());
    }
}

pub(crate) async fn other_bytes_than_promised_are_refused_and_leave_nothing(stand: &Stand) {
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[7] ^= 1, |bytes| bytes.truncate(bytes.len() - 1), |bytes| bytes.push(0)];
    for length in [100, LARGE] {
        for damage in damages {
            let memory = Arc::new(Memory::new());
            let manifest = image(&memory, &[noise(3, length)], Some("v1"));
            let place = stand.place();
            let lying = Arc::new(Lying { memory, about: manifest.layers()[0].clone(), damage });
            let error = transfer(lying, "v1", &place).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{length}: {error:?}");
            let left = place.sink.resolve(&tag("v1").into()).await;
            assert!(!matches!(left, Ok(Some(_))), "the tag is there");
            let left = place.sink.has_blob(&manifest.layers()[0]).await;
            assert!(!matches!(left, Ok(true)), "the blob is there");
            if stand.kind.is_archive() {
                assert!(place.source().await.is_err());
            }
        }
    }
}

/// A source that damages one blob.
#[derive(Debug)]
struct Lying {
    memory: Arc<Memory>,
    about: Descriptor,
    damage: fn(&mut Vec<u8>),
}

#[async_trait]
impl Source for Lying {
    fn location(&self) -> String {
        "a liar".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.memory.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        if blob.digest != self.about.digest {
            return self.memory.open_blob(blob, offset).await;
        }
        let mut bytes = self.memory.blob(&blob.digest).unwrap().to_vec();
        (self.damage)(&mut bytes);
        let bytes = bytes.split_off(usize::try_from(offset).unwrap());
        Ok(stream::iter([Ok(bytes.into())]).boxed())
    }
}

pub(crate) async fn an_unfinished_copy_is_not_to_be_found(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    let manifest = sample(&memory);
    let (source, options): (Arc<dyn Source>, _) = (memory, CopyOptions::default());
    let place = stand.place();
    let wanted = [Wanted::tag(&tag("v1"))];
    let plan = copy::plan(&source, &wanted, &place.sink, &options).await.unwrap();
    place.sink.begin(&plan).await.unwrap();
    for blob in plan.blobs() {
        place.sink.put_blob(blob, &source).await.unwrap();
    }
    let found = match place.source().await {
        Ok(store) => store.manifest(&tag("v1").into()).await.map(drop),
        Err(error) => Err(error),
    };
    found.unwrap_err();
    place.sink.put_manifest(&manifest, &[tag("v1")]).await.unwrap();
    place.sink.finish().await.unwrap();
    let found = place.source().await.unwrap().manifest(&tag("v1").into()).await.unwrap();
    assert_eq!(found.bytes(), manifest.bytes());
}

pub(crate) async fn what_is_missing_is_not_found(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    sample(&memory);
    let place = stand.place();
    transfer(memory, "v1", &place).await.unwrap();
    let source = place.source().await.unwrap();
    let other = verify::digest(Algorithm::Sha256, b"other");
    for name in [Identifier::Tag(tag("v2")), Identifier::Digest(other.clone())] {
        let error = source.manifest(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error:?}");
        assert_eq!(place.sink.resolve(&name).await.unwrap(), None);
    }
    let blob = Descriptor::new(media_type::OCI_LAYER, other, 5);
    let error = read(source.as_ref(), &blob, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}

pub(crate) async fn a_blob_can_be_read_from_any_offset(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    let manifest = sample(&memory);
    let place = stand.place();
    transfer(memory.clone(), "v1", &place).await.unwrap();
    let source = place.source().await.unwrap();
    for layer in manifest.layers() {
        let bytes = memory.blob(&layer.digest).unwrap();
        for offset in [0, 1, layer.size / 2, layer.size.saturating_sub(1), layer.size] {
            let offset = offset.min(layer.size);
            let found = read(source.as_ref(), layer, offset).await.unwrap();
            assert!(found == bytes[usize::try_from(offset).unwrap()..], "{} {offset}", layer.size);
        }
    }
}

pub(crate) async fn tags_and_digests_resolve(stand: &Stand) {
    let memory = Arc::new(Memory::new());
    let manifest = sample(&memory);
    let place = stand.place();
    let source: Arc<dyn Source> = memory;
    let tags = vec![tag("a"), tag("v1")];
    let wanted = [Wanted { from: tag("v1").into(), tags: tags.clone() }];
    let options = CopyOptions::default();
    let plan = copy::plan(&source, &wanted, &place.sink, &options).await.unwrap();
    plan.run(&source, &place.sink, &options).await.unwrap();
    let there = place.source().await.unwrap();
    let mut listed = there.list_tags().await.unwrap().unwrap();
    // In whatever order a registry likes.
    listed.sort();
    assert_eq!(listed, tags);
    for name in [tags[0].clone().into(), tags[1].clone().into(), manifest.digest().clone().into()] {
        assert_eq!(there.manifest(&name).await.unwrap().digest(), manifest.digest());
        if !stand.kind.is_archive() {
            let resolved = place.sink.resolve(&name).await.unwrap();
            assert_eq!(resolved.as_ref(), Some(manifest.digest()), "{name}");
        }
    }
}

pub(crate) async fn the_same_copy_again_writes_nothing(stand: &Stand) {
    if stand.kind.is_archive() {
        return;
    }
    let memory = Arc::new(Memory::new());
    sample(&memory);
    let place = stand.place();
    transfer(memory.clone(), "v1", &place).await.unwrap();
    let again = transfer(memory, "v1", &place).await.unwrap();
    assert_eq!((again.manifests, again.written, again.present, again.mounted), (0, 0, 0, 0));
}

pub(crate) async fn what_refers_to_a_manifest_is_listed(stand: &Stand) {
    if !stand.kind.holds_several() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let subject = sample(&memory);
    // Several, since they are written at the same time.
    let artifact = |n: u64| {
        let fields = format!(
            r#""artifactType":"application/x.a","annotations":{{"k":"v{n}"}},"subject":{},"#,
            stage::json(subject.descriptor())
        );
        let artifact = image_with(&memory, &[noise(n, 10)], &fields);
        memory.add_manifest(artifact.clone(), None);
        artifact
    };
    let artifacts: Vec<_> = (5..13).map(artifact).collect();
    let place = stand.place();
    let source: Arc<dyn Source> = memory;
    let mut options = CopyOptions::default();
    options.referrers = Some(copy::Referring::default());
    copy(&source, &tag("v1").into(), &place.sink, Some(&tag("v1")), &options).await.unwrap();
    let there = place.source().await.unwrap();
    let subject: &Digest = subject.digest();
    for (kind, count) in [(None, 8), (Some("application/x.a"), 8), (Some("application/x.b"), 0)] {
        let found = there.referrers_of(subject, kind).await.unwrap().unwrap();
        assert_eq!(found.len(), count, "{kind:?}");
        for found in found {
            let artifact = artifacts.iter().find(|one| *one.digest() == found.digest).unwrap();
            assert_eq!(found.artifact_type.as_deref(), Some("application/x.a"));
            assert_eq!(found.annotations, *artifact.annotations());
        }
    }
    let none = there.referrers_of(artifacts[0].digest(), None).await.unwrap().unwrap();
    assert_eq!(none, []);
}

pub(crate) async fn sha512_is_a_name_like_any_other(stand: &Stand) {
    if !stand.kind.knows_sha512() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let known = sample(&memory);
    let digest = verify::digest(Algorithm::Sha512, known.bytes());
    let content_type = Some(known.media_type());
    let manifest =
        Manifest::verified(known.bytes().clone(), content_type, &digest, "a test").unwrap();
    memory.add_manifest(manifest, Some(tag("v512")));
    let place = stand.place();
    let report = transfer(memory.clone(), "v512", &place).await.unwrap();
    assert_eq!(report.root.digest, digest);
    let there = place.source().await.unwrap();
    assert_eq!(there.manifest(&digest.into()).await.unwrap().bytes(), known.bytes());
}

/// I05: an image in which nothing has another name than its sha512.
pub(crate) async fn an_image_of_sha512_alone_comes_back_byte_for_byte(stand: &Stand) {
    if !stand.kind.knows_sha512() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let config = br#"{"os":"linux","architecture":"amd64"}"#.to_vec();
    let mut blobs = Vec::new();
    // One that may travel in the request that begins its upload, and one that does not.
    for (media_type, bytes) in [
        (media_type::OCI_CONFIG, config),
        (media_type::OCI_LAYER_GZIP, noise(5, 100)),
        (media_type::OCI_LAYER_GZIP, noise(6, LARGE)),
    ] {
        let digest = verify::digest(Algorithm::Sha512, &bytes);
        let blob = Descriptor::new(media_type, digest, bytes.len() as u64);
        let source: Arc<dyn Source> = Arc::new(Bare(bytes));
        memory.put_blob(&blob, &source).await.unwrap();
        blobs.push(stage::json(&blob));
    }
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::OCI_MANIFEST,
        blobs[0],
        blobs[1..].join(",")
    );
    let digest = verify::digest(Algorithm::Sha512, text.as_bytes());
    let manifest = Manifest::verified(text, None, &digest, "a test").unwrap();
    memory.add_manifest(manifest, Some(tag("v512")));
    let place = stand.place();
    let report = transfer(memory.clone(), "v512", &place).await.unwrap();
    assert_eq!((&report.root.digest, report.written), (&digest, 3));
    let there = place.source().await.unwrap();
    assert_same(&memory, there.as_ref(), "v512").await;
    // And back again.
    let again = stand.place();
    copy(&there, &tag("v512").into(), &again.sink, Some(&tag("v512")), &CopyOptions::default())
        .await
        .unwrap();
    assert_same(&memory, again.source().await.unwrap().as_ref(), "v512").await;
}

/// A source of one blob, whatever it is called.
#[derive(Debug)]
struct Bare(Vec<u8>);

#[async_trait]
impl Source for Bare {
    fn location(&self) -> String {
        "one blob".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        Err(Error::Unsupported { what: "not asked for".to_owned() })
    }

    async fn open_blob(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Ok(stream::iter([Ok(self.0.clone().into())]).boxed())
    }
}
