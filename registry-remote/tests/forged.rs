//! What was asked for by digest, and something else that claims to be that.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{fs, sync::Arc};

use async_trait::async_trait;
use registry_faults::{
    content::{Blob, Image, MANIFEST},
    origin::{Reply, Script, Stage, on},
    registry::Registry,
};
use registry_name::{Digest, Identifier, Repository};
use registry_remote::{
    ByteStream, Client, CopyOptions, Descriptor, Error, ErrorKind, Layout, Manifest, Memory, Sink,
    Source, copy, get,
};
use serde_json::json;

/// An image, and another one with a signature as those of Docker's schema 1 that claims to be the first.
fn forged() -> (Image, Blob) {
    let real = Image::small();
    let other = Image::small().with_manifest(|manifest| {
        manifest["annotations"] = json!({ "org.example": "another" });
    });
    let forged = other.manifest.signed_as(&real.manifest);
    (real, forged)
}

fn digest(image: &Image) -> Digest {
    image.manifest.digest.parse().unwrap()
}

#[tokio::test]
async fn i02_a_registry_does_not_pass_a_forgery_off() {
    let (real, forged) = forged();
    let reply = Reply::new(200).header("Content-Type", MANIFEST).body(forged.bytes);
    let script = Script::registry(Registry::new().with_image("app", "v1", &real))
        .rule(on("GET", "*/manifests/*").always(reply));
    let stage = Stage::single(script).unwrap();
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let remote = Client::anonymous().unwrap().remote(&repository);
    let wanted = Identifier::Digest(digest(&real));
    let got = remote.get(&wanted).await.unwrap_err();
    assert_eq!(got.kind(), ErrorKind::Integrity, "{got}");

    let directory = tempfile::tempdir().unwrap();
    let source: Arc<dyn Source> = Arc::new(remote);
    let sink: Arc<dyn Sink> = Arc::new(Layout::create(directory.path().join("new")));
    let copied = copy(&source, &wanted, &sink, None, &CopyOptions::default()).await.unwrap_err();
    assert_eq!(copied.kind(), ErrorKind::Integrity, "{copied}");
    assert!(!directory.path().join("new").exists());
}

#[tokio::test]
async fn i02_a_layout_does_not_pass_a_forgery_off() {
    let (real, forged) = forged();
    let directory = tempfile::tempdir().unwrap();
    let layout = registry_faults::layout::Layout::create(directory.path()).unwrap();
    layout.put_image(&real, "v1").unwrap();
    let path = directory.path().join("blobs").join(real.manifest.digest.replace(':', "/"));
    fs::write(path, &forged.bytes).unwrap();
    // Whoever can change the content can change the size that is listed, too.
    let list = directory.path().join("index.json");
    let (was, is) = (real.manifest.bytes.len(), forged.bytes.len());
    let text = fs::read_to_string(&list).unwrap().replace(&format!(":{was}"), &format!(":{is}"));
    fs::write(list, text).unwrap();
    let layout = Layout::open(directory.path()).await.unwrap();
    let error = layout.manifest(&digest(&real).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
}

/// A place that answers every question with the same manifest.
#[derive(Debug)]
struct Liar(Manifest);

#[async_trait]
impl Source for Liar {
    fn location(&self) -> String {
        "a liar".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        Ok(self.0.clone())
    }

    async fn open_blob(&self, blob: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::Unsupported { what: format!("no {}", blob.digest) })
    }
}

#[tokio::test]
async fn i02_no_source_is_believed_that_names_another_manifest() {
    let (real, forged) = forged();
    let text = r#"{"schemaVersion":2,"manifests":[]}"#;
    let empty = Manifest::new(text, None, "test").unwrap();
    let forged = Manifest::new(forged.bytes, None, "test").unwrap();
    for lie in [empty, forged] {
        let source: Arc<dyn Source> = Arc::new(Liar(lie));
        let wanted = Identifier::Digest(digest(&real));
        let sink: Arc<dyn Sink> = Arc::new(Memory::new());
        let copied = copy(&source, &wanted, &sink, None, &CopyOptions::default()).await;
        let copied = copied.unwrap_err();
        assert_eq!(copied.kind(), ErrorKind::Integrity, "{copied}");
        let got = get(&source, &wanted).await.unwrap_err();
        assert_eq!(got.kind(), ErrorKind::Integrity, "{got}");
    }
}
