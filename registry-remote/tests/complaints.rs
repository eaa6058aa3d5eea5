//! Wrong bytes are held against whom they came from, and a layout does not lose a blob to them that
//! is right (F10).
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use local::{by_tag, read_blob, small_image, told, transfer, tree};
use registry_name::Identifier;
use registry_remote::{
    ByteStream, Complaint, Descriptor, Error, Layout, Manifest, Memory, Source, media_type,
};
use serde_json::json;

/// Long enough to be resumed.
static LAYER: [u8; 1 << 20] = [7; 1 << 20];

fn blob_path(root: &Path, blob: &Descriptor) -> PathBuf {
    root.join("blobs/sha256").join(blob.digest.hex())
}

/// A layout with an image of that one layer, tagged `v1`.
async fn layout(directory: &Path, layer: &'static [u8]) -> (Arc<Layout>, Descriptor) {
    let (source, manifest) = small_image(&[layer]);
    let layout = Arc::new(Layout::create(directory));
    transfer(source, &by_tag("v1"), layout.clone(), Some("v1")).await.unwrap();
    (layout, manifest.layers()[0].clone())
}

#[tokio::test]
async fn f08_a_partial_file_with_wrong_bytes_is_not_held_against_the_source() {
    for known in [LAYER.len(), 1000] {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        let (source, layer) = layout(&from, &LAYER).await;
        let name = format!(".registry-{}.partial", layer.digest.hex());
        let mut partial = vec![8; LAYER.len()];
        partial.extend(format!("registry-partial-1 {} 0-{known} .\n", LAYER.len()).bytes());
        fs::create_dir_all(to.join("blobs/sha256")).unwrap();
        fs::write(to.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::write(to.join("blobs/sha256").join(name), partial).unwrap();
        let before = tree(&from);
        let new = Arc::new(Layout::create(&to));
        transfer(source, &by_tag("v1"), new.clone(), Some("v1")).await.unwrap();
        assert_eq!(read_blob(new.as_ref(), &layer).await.unwrap(), LAYER);
        assert_eq!(tree(&from), before);
    }
}

#[tokio::test]
async fn a_manifest_with_a_wrong_size_takes_no_blob_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let (source, layer) = layout(&from, b"a layer").await;
    let lying = Memory::new();
    let config = lying.add_blob(media_type::OCI_CONFIG, "{}");
    let wrong = Descriptor::new(media_type::OCI_LAYER, layer.digest.clone(), 1);
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [wrong] });
    let manifest = Manifest::new(manifest.to_string(), None, "an image that lies").unwrap();
    fs::write(blob_path(&from, &config), "{}").unwrap();
    fs::write(blob_path(&from, manifest.descriptor()), manifest.bytes()).unwrap();
    let before = tree(&from);
    let new = Arc::new(Layout::create(&to));
    let root = manifest.digest().clone().into();
    let error = transfer(source.clone(), &root, new, Some("v1")).await.unwrap_err();
    assert!(told(&error).contains("expected 1 bytes, got 7"), "{}", told(&error));
    assert_eq!(tree(&from), before);
}

/// A layout in which somebody mends a blob while it is read.
#[derive(Debug)]
struct Mended {
    layout: Arc<Layout>,
    right: &'static [u8],
}

#[async_trait]
impl Source for Mended {
    fn location(&self) -> String {
        self.layout.path().display().to_string()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.layout.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        let path = blob_path(self.layout.path(), blob);
        let found = Bytes::from(fs::read(&path).unwrap());
        if blob.size == self.right.len() as u64 {
            let mended = path.with_extension("mended");
            fs::write(&mended, self.right).unwrap();
            fs::rename(mended, path).unwrap();
        }
        Ok(Box::pin(stream::iter([Ok(found)])))
    }

    fn complaint(&self, blob: &registry_name::Digest) -> Option<Complaint> {
        self.layout.complaint(blob)
    }
}

#[tokio::test]
async fn f10_a_blob_that_was_mended_while_it_was_read_is_not_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let right = b"a layer";
    let (layout, layer) = layout(&from, right).await;
    let source = Arc::new(Mended { layout, right });

    fs::write(blob_path(&from, &layer), b"A layer").unwrap();
    let error = read_blob(source.as_ref(), &layer).await.unwrap_err();
    assert!(told(&error).contains("is not what"), "{}", told(&error));
    assert_eq!(read_blob(source.as_ref(), &layer).await.unwrap(), right);

    fs::write(blob_path(&from, &layer), b"A layer").unwrap();
    let new = Arc::new(Layout::create(&to));
    transfer(source, &by_tag("v1"), new, Some("v1")).await.unwrap();
    assert_eq!(fs::read(blob_path(&from, &layer)).unwrap(), right);
}
