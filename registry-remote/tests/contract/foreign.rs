//! What every place is asked of content whose type it has never heard of.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use registry_name::Identifier;
use registry_remote::{
    CopyOptions, Entry, Error, Index, Manifest, Memory, Report, Source, copy, media_type,
};

use super::{
    places::{Place, Stand},
    stage::{image, json, noise, tag},
};

const FOREIGN: &str = "application/vnd.example.thing.v1+json";

/// A manifest of a type that only its maker knows.
fn foreign(memory: &Memory, text: String) -> Manifest {
    let manifest = Manifest::new(text, Some(FOREIGN), "test").unwrap();
    memory.add_manifest(manifest.clone(), None);
    manifest
}

/// An artifact as it was written before OCI 1.1, with a blob.
fn artifact(memory: &Memory, fields: &str) -> Manifest {
    let blob = memory.add_blob("application/x.signature", noise(11, 100));
    let text = format!(
        r#"{{"mediaType":"{}","artifactType":"application/x.a",{fields}"blobs":[{}]}}"#,
        media_type::OCI_ARTIFACT,
        json(&blob)
    );
    let manifest = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(manifest.clone(), None);
    manifest
}

async fn transfer(source: &Arc<dyn Source>, place: &Place) -> Result<Report, Error> {
    let mut options = CopyOptions::default();
    options.referrers = Some(copy::Referring::default());
    copy(source, &tag("v1").into(), &place.sink, Some(&tag("v1")), &options).await
}

async fn found(source: &dyn Source, manifest: &Manifest) {
    let found = source.manifest(&manifest.digest().clone().into()).await.unwrap();
    assert_eq!(found.bytes(), manifest.bytes());
}

pub(crate) async fn entries_of_any_type_come_back(stand: &Stand) {
    if !stand.kind.takes_any_type() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let image = image(&memory, &[noise(1, 10)], None);
    let disk = memory.add_blob("application/x-disk", noise(2, 1000));
    let text = memory.add_blob("text/plain", "a text");
    let old = artifact(&memory, "");
    let other = foreign(&memory, r#"{"things": [7], "config": null}"#.to_owned());
    let layer = memory.add_blob(media_type::OCI_LAYER_GZIP, noise(3, 50));
    let silent = format!(r#"{{"config":{},"layers":[{}]}}"#, json(&text), json(&layer));
    let mut silent = foreign(&memory, silent).descriptor().clone();
    FOREIGN.clone_into(&mut silent.media_type);
    let entries = [image.descriptor(), &disk, old.descriptor(), other.descriptor(), &text, &silent];
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        entries.map(json).join(",")
    );
    let index = Manifest::new(index, None, "test").unwrap();
    memory.add_manifest(index.clone(), Some(tag("v1")));
    let mut source: Arc<dyn Source> = memory.clone();
    // And on, from a place to another.
    for n in 0..2 {
        let place = stand.place();
        transfer(&source, &place).await.unwrap();
        source = place.source().await.unwrap();
        if n == 0 {
            source.describe_blob(&layer.digest).await.unwrap();
        }
        let index = Index::open(&source, &tag("v1").into()).await.unwrap();
        assert_eq!(index.entries().len(), entries.len());
        for entry in index.entries() {
            let bytes = match index.entry(entry).await.unwrap() {
                Entry::Image(image) => image.manifest().bytes().to_vec(),
                Entry::Other(manifest) => {
                    assert_eq!(manifest.media_type(), entry.media_type);
                    for blob in manifest.layers() {
                        let read = source.open_blob(blob, 0).await.unwrap();
                        let read: Vec<_> = read.try_collect().await.unwrap();
                        assert_eq!(read.concat(), memory.blob(&blob.digest).unwrap());
                    }
                    manifest.bytes().to_vec()
                }
                Entry::Blob(blob) => {
                    let read = blob.compressed().await.unwrap();
                    read.try_collect::<Vec<_>>().await.unwrap().concat()
                }
                other => panic!("{other:?}"),
            };
            let name = Identifier::Digest(entry.digest.clone());
            let expected = match memory.blob(&entry.digest) {
                Some(bytes) => bytes,
                None => memory.manifest(&name).await.unwrap().bytes().clone(),
            };
            assert_eq!(bytes, expected, "{}", entry.media_type);
        }
    }
}

pub(crate) async fn referrers_of_any_type_go_along(stand: &Stand) {
    if !stand.kind.holds_several() {
        return;
    }
    let memory = Arc::new(Memory::new());
    let subject = image(&memory, &[noise(1, 10)], Some("v1"));
    let about = format!(r#""subject":{}"#, json(subject.descriptor()));
    let referring = [
        artifact(&memory, &format!("{about},")),
        foreign(&memory, format!(r#"{{"artifactType":"application/x.b",{about}}}"#)),
    ];
    let mut source: Arc<dyn Source> = memory.clone();
    for _ in 0..2 {
        let place = stand.place();
        let report = transfer(&source, &place).await.unwrap();
        if !stand.kind.takes_any_type() {
            // They do not cost the image.
            assert_eq!((report.manifests, report.roots.len(), report.refused.len()), (1, 1, 2));
            found(place.source().await.unwrap().as_ref(), &subject).await;
            break;
        }
        assert_eq!((report.manifests, report.refused.len()), (3, 0));
        source = place.source().await.unwrap();
        let listed = source.referrers_of(subject.digest(), None).await.unwrap().unwrap();
        assert_eq!(listed.len(), 2, "{listed:?}");
        for manifest in &referring {
            let listed = listed.iter().find(|entry| entry.digest == *manifest.digest()).unwrap();
            assert_eq!(listed.media_type, manifest.media_type());
            assert_eq!(listed.artifact_type.as_deref(), manifest.artifact_type());
            found(source.as_ref(), manifest).await;
        }
    }
}

pub(crate) async fn a_manifest_of_any_type_is_copied_or_refused(stand: &Stand) {
    for text in [r#"{"things": [7]}"#.to_owned(), r#"{"schemaVersion": 7}"#.to_owned()] {
        let memory = Arc::new(Memory::new());
        let manifest = foreign(&memory, text);
        memory.add_manifest(manifest.clone(), Some(tag("v1")));
        let mut source: Arc<dyn Source> = memory.clone();
        for _ in 0..2 {
            let place = stand.place();
            let copied = transfer(&source, &place).await;
            if !stand.kind.takes_any_type() {
                copied.unwrap_err();
                break;
            }
            assert_eq!(copied.unwrap().root.media_type, FOREIGN);
            source = place.source().await.unwrap();
            let there = source.manifest(&tag("v1").into()).await.unwrap();
            assert_eq!((there.bytes(), there.media_type()), (manifest.bytes(), FOREIGN));
            found(source.as_ref(), &manifest).await;
        }
    }
}
