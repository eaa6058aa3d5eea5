//! Real images, made of this machine's own files and written as OCI layouts with no code of the crates under test.
//!
//! They work on any Linux or macOS machine and for any user: only files that everybody may read are taken, and what cannot be read is
//! left out. The same machine gives the same image until its files change.

mod layer;
mod tree;

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::content::{Blob, CONFIG, INDEX, MANIFEST};
use crate::layout::Layout;
use layer::{Codec, Layer};
use tree::Tree;

/// What was written.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The descriptor of the manifest or index.
    pub descriptor: Value,
    /// How many manifests and other blobs belong to it, itself included.
    pub blobs: usize,
    /// Their size, in bytes, as stored.
    pub stored: u64,
    /// The layers' size, in bytes, before compression.
    pub content: u64,
}

impl Sample {
    /// `sha256:…` of the manifest or index.
    pub fn digest(&self) -> &str {
        self.descriptor.get("digest").and_then(Value::as_str).unwrap_or_default()
    }
}

/// An image of four layers, gzip and zstd by turns, with about `size` bytes of files.
pub fn image(dir: &Path, tag: &str, size: u64) -> io::Result<Sample> {
    let layout = Layout::create(dir)?;
    let mut tree = Tree::of_this_machine();
    let layers = layers(&layout, &mut tree, 4, size)?;
    let sample = single(&layout, ("linux", this_architecture()), &layers)?;
    layout.list(&sample.descriptor, Some(tag))?;
    Ok(sample)
}

/// An index for `linux/amd64` and `linux/arm64`: one shared layer, two layers of their own, about `size` bytes of files for each.
pub fn index(dir: &Path, tag: &str, size: u64) -> io::Result<Sample> {
    let layout = Layout::create(dir)?;
    let mut tree = Tree::of_this_machine();
    let base = layers(&layout, &mut tree, 1, size / 3)?;
    let mut images = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let mut all = base.clone();
        all.extend(layers(&layout, &mut tree, 2, size * 2 / 3)?);
        let mut image = single(&layout, ("linux", architecture), &all)?;
        if let Some(fields) = image.descriptor.as_object_mut() {
            let platform = json!({ "os": "linux", "architecture": architecture });
            fields.insert("platform".to_owned(), platform);
        }
        images.push(image);
    }
    let manifests: Vec<_> = images.iter().map(|image| &image.descriptor).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    let index = Blob::new(INDEX, index.to_string());
    layout.put(&index)?;
    let descriptor = index.descriptor();
    layout.list(&descriptor, Some(tag))?;

    let total = |amount: fn(&Sample) -> u64| images.iter().map(amount).sum::<u64>();
    let shared: u64 = base.iter().map(|layer| layer.stored).sum();
    Ok(Sample {
        descriptor,
        blobs: images.iter().map(|image| image.blobs).sum::<usize>() + 1 - base.len(),
        stored: total(|image| image.stored) + index.bytes.len() as u64 - shared,
        content: total(|image| image.content) - base.iter().map(|layer| layer.content).sum::<u64>(),
    })
}

/// An artifact that refers to `subject`: a list of this machine's installed packages.
pub fn artifact(dir: &Path, tag: &str, subject: &Value) -> io::Result<Sample> {
    let layout = Layout::create(dir)?;
    let config = Blob::new("application/vnd.oci.empty.v1+json", "{}");
    let list = Blob::new("application/json", json!({ "packages": tree::packages() }).to_string());
    let subject = json!({
        "mediaType": subject.get("mediaType"),
        "digest": subject.get("digest"),
        "size": subject.get("size"),
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.packages.v1+json",
        "config": config.descriptor(),
        "layers": [list.descriptor()],
        "subject": subject,
        "annotations": { "org.opencontainers.image.created": CREATED },
    });
    let manifest = Blob::new(MANIFEST, manifest.to_string());
    let blobs = [&config, &list, &manifest];
    for blob in blobs {
        layout.put(blob)?;
    }
    layout.list(&manifest.descriptor(), Some(tag))?;
    Ok(Sample {
        descriptor: manifest.descriptor(),
        blobs: blobs.len(),
        stored: blobs.iter().map(|blob| blob.bytes.len() as u64).sum(),
        content: list.bytes.len() as u64,
    })
}

/// An image of uncompressed, incompressible layers of exactly `bytes` bytes each (a multiple of 512, at least 2048).
pub fn large(dir: &Path, tag: &str, layers: usize, bytes: u64) -> io::Result<Sample> {
    let layout = Layout::create(dir)?;
    let seeds = (1_u64..).take(layers);
    let layers: Vec<_> =
        seeds.map(|seed| Layer::noise(&layout, seed, bytes)).collect::<io::Result<_>>()?;
    let sample = single(&layout, ("linux", "amd64"), &layers)?;
    layout.list(&sample.descriptor, Some(tag))?;
    Ok(sample)
}

/// A fixed date: the image must depend on the machine's files alone.
const CREATED: &str = "2024-01-01T00:00:00Z";

fn layers(layout: &Layout, tree: &mut Tree, count: u64, size: u64) -> io::Result<Vec<Layer>> {
    let codecs = [Codec::Gzip, Codec::Zstd].into_iter().cycle();
    let share = size / count;
    (0..count).zip(codecs).map(|(_, codec)| Layer::pack(layout, tree, codec, share)).collect()
}

/// Writes the configuration and the manifest over these layers.
fn single(
    layout: &Layout,
    (os, architecture): (&str, &str),
    layers: &[Layer],
) -> io::Result<Sample> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
    let history: Vec<_> = layers
        .iter()
        .map(|layer| json!({ "created": CREATED, "created_by": layer.story }))
        .collect();
    let config = json!({
        "created": CREATED,
        "architecture": architecture,
        "os": os,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["/bin/sh"],
            "Labels": { "org.opencontainers.image.title": "a sample of this machine" },
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    });
    let config = Blob::new(CONFIG, config.to_string());
    let descriptors: Vec<_> = layers.iter().map(|layer| &layer.descriptor).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": descriptors,
    });
    let manifest = Blob::new(MANIFEST, manifest.to_string());
    layout.put(&config)?;
    layout.put(&manifest)?;
    let small = (config.bytes.len() + manifest.bytes.len()) as u64;
    Ok(Sample {
        descriptor: manifest.descriptor(),
        blobs: layers.len() + 2,
        stored: layers.iter().map(|layer| layer.stored).sum::<u64>() + small,
        content: layers.iter().map(|layer| layer.content).sum(),
    })
}

fn this_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::layout;

    const MIB: u64 = 1024 * 1024;

    fn read(dir: &Path, digest: &str) -> Value {
        let path = dir.join("blobs").join(digest.replacen(':', "/", 1));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn an_image_has_four_layers_of_real_files_and_every_blob_is_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let sample = image(dir.path(), "v1", 4 * MIB).unwrap();
        assert!(sample.content >= 4 * MIB, "{sample:?}");
        assert_eq!(layout::verified_blobs(dir.path()).unwrap().len(), sample.blobs);
        assert_eq!(layout::resolve(dir.path(), "v1").unwrap().as_deref(), Some(sample.digest()));

        let manifest = read(dir.path(), sample.digest());
        let layers = manifest["layers"].as_array().unwrap();
        let types: BTreeSet<_> =
            layers.iter().map(|layer| layer["mediaType"].to_string()).collect();
        assert_eq!((layers.len(), types.len()), (4, 2), "gzip and zstd");

        // The first layer, read back: its digest before compression is the configuration's, its files are real ones.
        let config = read(dir.path(), manifest["config"]["digest"].as_str().unwrap());
        let first = layers[0]["digest"].as_str().unwrap().replacen(':', "/", 1);
        let file = std::fs::File::open(dir.path().join("blobs").join(first)).unwrap();
        let mut tar = Vec::new();
        io::copy(&mut flate2::read::GzDecoder::new(file), &mut tar).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], crate::content::sha256(&tar));
        let mut compared = 0;
        for entry in tar::Archive::new(&*tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let original = Path::new("/").join(entry.path().unwrap());
            if entry.header().entry_type().is_file() {
                let mut content = Vec::new();
                io::copy(&mut entry, &mut content).unwrap();
                assert_eq!(content, std::fs::read(&original).unwrap(), "{}", original.display());
                compared += 1;
            }
        }
        assert!(compared > 10, "{compared}");
    }

    #[test]
    fn an_index_holds_two_platforms_that_share_one_layer() {
        let dir = tempfile::tempdir().unwrap();
        let sample = index(dir.path(), "multi", 2 * MIB).unwrap();
        let present = layout::verified_blobs(dir.path()).unwrap();
        // Index, two manifests, two configurations, one shared and two times two layers of their own.
        assert_eq!((present.len(), sample.blobs), (10, 10));
        let stored: u64 = present
            .iter()
            .map(|digest| dir.path().join("blobs").join(digest.replacen(':', "/", 1)))
            .map(|path| path.metadata().unwrap().len())
            .sum();
        assert_eq!(stored, sample.stored);
        let platforms = read(dir.path(), sample.digest());
        assert_eq!(platforms["manifests"][1]["platform"]["architecture"], "arm64");
    }

    #[test]
    fn an_artifact_names_its_subject() {
        let dir = tempfile::tempdir().unwrap();
        let subject = image(dir.path(), "v1", MIB).unwrap();
        let artifact = artifact(dir.path(), "packages", &subject.descriptor).unwrap();
        let manifest = read(dir.path(), artifact.digest());
        assert_eq!(manifest["subject"]["digest"], subject.digest());
        assert_eq!(layout::entries(dir.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_large_image_has_layers_of_the_size_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let sample = large(dir.path(), "big", 2, MIB).unwrap();
        assert_eq!(layout::verified_blobs(dir.path()).unwrap().len(), 4);
        let layers = read(dir.path(), sample.digest())["layers"].clone();
        assert_eq!(
            (layers[0]["size"].as_u64(), layers[1]["size"].as_u64()),
            (Some(MIB), Some(MIB))
        );
        assert_ne!(layers[0]["digest"], layers[1]["digest"]);
    }
}
