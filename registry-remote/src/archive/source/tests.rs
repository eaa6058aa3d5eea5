//! What images share is read once, however often it is named. [`tally`] counts.

use registry_name::Algorithm;
use serde_json::{Value, json};

use super::*;
use crate::verify::{self, tally};

fn described(kind: &str, bytes: &[u8]) -> (Digest, Value) {
    let digest = verify::digest(Algorithm::Sha256, bytes);
    let media_type = format!("application/vnd.oci.image.{kind}");
    let descriptor =
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() });
    (digest, descriptor)
}

/// An archive of these files.
async fn open(files: &[(&str, &[u8])]) -> ArchiveSource {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("file.tar");
    let mut builder = tar::Builder::new(File::create(&path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.finish().unwrap();
    ArchiveSource::open(path).await.unwrap()
}

fn config(layer: &[u8], comment: &str) -> Vec<u8> {
    let (diff_id, _) = described("layer.v1.tar", layer);
    let rootfs = json!({ "type": "layers", "diff_ids": [diff_id.to_string()] });
    json!({ "comment": comment, "rootfs": rootfs }).to_string().into_bytes()
}

#[tokio::test]
async fn images_of_one_configuration_read_it_once() {
    let layer = b"a layer that many images without a manifest share";
    let config = config(layer, "many images without a manifest");
    let digests = [&layer[..], &config].map(|bytes| verify::digest(Algorithm::Sha256, bytes));
    let before = digests.each_ref().map(tally::of);
    let images: Vec<_> =
        (0..50).map(|n| json!({ "Config": "c.json", "RepoTags": [format!("app:{n}")], "Layers": ["l.tar"] })).collect();
    let manifest = json!(images).to_string();
    let files: [(&str, &[u8]); 3] =
        [("c.json", &config), ("l.tar", layer), ("manifest.json", manifest.as_bytes())];
    let archive = open(&files).await;
    assert_eq!(archive.tags().len(), 50);
    let after = digests.each_ref().map(tally::of);
    assert_eq!([0, 1].map(|at| after[at] - before[at]), [1, 1]);
}

#[tokio::test]
async fn a_manifest_that_is_listed_often_is_read_once() {
    let layer = b"a layer of an image that is listed often";
    let config = config(layer, "listed often");
    let ((layer_digest, layer_entry), (config_digest, config_entry)) =
        (described("layer.v1.tar", layer), described("config.v1+json", &config));
    let image = json!({ "schemaVersion": 2, "config": config_entry, "layers": [layer_entry] });
    let image = image.to_string();
    let (digest, entry) = described("manifest.v1+json", image.as_bytes());
    let (before, configs) = (tally::of(&digest), tally::of(&config_digest));
    let index = json!({ "schemaVersion": 2, "manifests": vec![entry; 50] }).to_string();
    let [layer_name, config_name, name] = [&layer_digest, &config_digest, &digest].map(blob_name);
    let saved = json!([{ "Config": &config_name, "Layers": [&layer_name] }]).to_string();
    let files: [(&str, &[u8]); 5] = [
        (&layer_name, layer),
        (&config_name, &config),
        (&name, image.as_bytes()),
        ("index.json", index.as_bytes()),
        ("manifest.json", saved.as_bytes()),
    ];
    open(&files).await;
    assert_eq!(tally::of(&digest) - before, 1);
    assert_eq!(tally::of(&config_digest) - configs, 1);
}
