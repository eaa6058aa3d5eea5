//! What a `manifest.json` lists, and a manifest for an image that was saved without one.

use std::{collections::HashMap, fs::File, ops::Range, path::Path, rc::Rc};

use bytes::Bytes;
use registry_name::{Algorithm, Digest, Reference};
use serde::Deserialize;
use serde_json::json;

use super::{
    MANIFEST,
    entries::{Entries, broken, normal},
};
use crate::{
    Descriptor, Error, Manifest, Mismatch,
    image::{self, DiffHasher, MAX_CONFIG},
    local::{
        MAX_DOCUMENT,
        listing::{IMAGE_NAME, REF_NAME},
        names::blob_name,
        read,
    },
    media_type,
    verify::Hasher,
};

/// Images of one archive, at most.
const MAX_IMAGES: usize = 10_000;
/// Layers that these name, all together, at most.
const MAX_LAYERS: usize = 100_000;

/// What a `manifest.json` says of one image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Saved {
    pub(super) config: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

/// What is made of them: images with names, manifests, and where the blobs are.
#[derive(Debug, Default)]
pub(super) struct Synthesis {
    pub(super) entries: Vec<Descriptor>,
    pub(super) manifests: HashMap<Digest, Manifest>,
    pub(super) blobs: HashMap<Digest, Range<u64>>,
}

/// A configuration that was read once.
#[derive(Debug)]
struct Config {
    descriptor: Descriptor,
    /// The digests of the layers' tar files.
    diff_ids: Vec<Digest>,
}

/// A layer that was read once.
#[derive(Clone, Debug)]
struct Layer {
    descriptor: Descriptor,
    /// The digest of its tar file.
    diff_id: Digest,
}

/// The archive, where it came from, and what was read of it already: images may share as much as
/// they like, it is read once.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    file: &'a File,
    pub(super) path: &'a Path,
    pub(super) entries: &'a Entries,
    /// By where they are.
    configs: HashMap<u64, Rc<Config>>,
    /// By where they are, and the algorithm of the diff id.
    layers: HashMap<(u64, Algorithm), Layer>,
}

impl<'a> Archive<'a> {
    pub(super) fn new(file: &'a File, path: &'a Path, entries: &'a Entries) -> Self {
        Self { file, path, entries, configs: HashMap::new(), layers: HashMap::new() }
    }

    /// The images of `manifest.json`.
    pub(super) fn saved(&self) -> Result<Option<Vec<Saved>>, Error> {
        let Some(range) = self.entries.find(MANIFEST) else {
            return Ok(None);
        };
        let bytes = self.document(range, MANIFEST)?;
        let saved: Vec<Saved> = serde_json::from_slice(&bytes).map_err(|error| {
            broken(self.path, format!("its manifest.json does not read as one ({error})"))
        })?;
        let layers = saved.iter().filter_map(|image| image.layers.as_ref()).map(Vec::len).sum();
        for (what, count, most) in
            [("images", saved.len(), MAX_IMAGES), ("layers", layers, MAX_LAYERS)]
        {
            if count > most {
                let what = format!("the number of {what} in {}", self.path.display());
                return Err(Error::Limit { what, limit: most.to_string() });
            }
        }
        Ok(Some(saved))
    }

    /// Manifests that depend on nothing but what is in the archive: the configuration and the
    /// layers as they are stored. Every layer is read once, and compared with the configuration.
    pub(super) fn synthesize(&mut self, saved: &[Saved]) -> Result<Synthesis, Error> {
        let mut made = Synthesis::default();
        for image in saved {
            let entry = self.image(image, &mut made)?;
            let names = image.repo_tags.as_deref().unwrap_or_default();
            let names = names.iter().map(|name| named(&entry, name));
            made.entries.extend(names);
            if image.repo_tags.as_ref().is_none_or(Vec::is_empty) {
                made.entries.push(entry);
            }
        }
        Ok(made)
    }

    /// Refuses an image with other layers than those that its configuration lists. Layers that are
    /// not in the archive are not judged.
    pub(super) fn check_layers(
        &mut self,
        image: &Saved,
        layers: &[Descriptor],
    ) -> Result<(), Error> {
        let (_, config) = self.config(&image.config)?;
        self.check_count(&config, layers.len())?;
        for (layer, diff_id) in layers.iter().zip(&config.diff_ids) {
            // What is not compressed is verified by its digest, whenever it is read.
            if layer.digest == *diff_id {
                continue;
            }
            let name = blob_name(&layer.digest);
            if let Some(range) = self.entries.find(&name) {
                self.layer(&name, range, diff_id)?;
            }
        }
        Ok(())
    }

    pub(super) fn document(&self, range: Range<u64>, name: &str) -> Result<Bytes, Error> {
        self.bytes(range, MAX_DOCUMENT, name)
    }

    fn bytes(&self, range: Range<u64>, limit: u64, name: &str) -> Result<Bytes, Error> {
        let what = || format!("the size of {name} in {}", self.path.display());
        read::document(self.file, range, limit, what, self.path)
    }

    fn image(&mut self, image: &Saved, made: &mut Synthesis) -> Result<Descriptor, Error> {
        let (range, config) = self.config(&image.config)?;
        made.blobs.insert(config.descriptor.digest.clone(), range);
        let names = image.layers.as_deref().unwrap_or_default();
        self.check_count(&config, names.len())?;
        let mut layers = Vec::new();
        for (name, diff_id) in names.iter().zip(&config.diff_ids) {
            let range = self.find(name)?;
            let layer = self.layer(name, range.clone(), diff_id)?;
            made.blobs.insert(layer.digest.clone(), range);
            layers.push(layer);
        }
        // Keys are in alphabetical order: the same content gives the same digest everywhere.
        let text = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config.descriptor,
            "layers": layers,
        });
        let what = format!("the manifest made for {}", self.path.display());
        let manifest = Manifest::new(text.to_string(), None, &what)?;
        let entry = manifest.descriptor().clone();
        made.manifests.insert(entry.digest.clone(), manifest);
        Ok(entry)
    }

    fn check_count(&self, config: &Config, layers: usize) -> Result<(), Error> {
        let ids = config.diff_ids.len();
        if layers == ids {
            return Ok(());
        }
        let reason = format!("an image has {layers} layers, and {ids} by its configuration");
        Err(broken(self.path, reason))
    }

    /// A configuration, and where it is.
    fn config(&mut self, name: &str) -> Result<(Range<u64>, Rc<Config>), Error> {
        let range = self.find(name)?;
        let config = if let Some(config) = self.configs.get(&range.start) {
            Rc::clone(config)
        } else {
            let config = Rc::new(self.read_config(name, range.clone())?);
            self.configs.insert(range.start, Rc::clone(&config));
            config
        };
        let actual = &config.descriptor.digest;
        match digest_in(name) {
            Some(expected) if expected != *actual => {
                let what = format!("configuration {expected} of {}", self.path.display());
                let mismatch = Mismatch::Digest { expected, actual: actual.clone() };
                Err(Error::Integrity { what, mismatch })
            }
            _ => Ok((range, config)),
        }
    }

    fn read_config(&self, name: &str, range: Range<u64>) -> Result<Config, Error> {
        let bytes = self.bytes(range, MAX_CONFIG, &name.escape_debug().to_string())?;
        let digest = crate::verify::digest(Algorithm::Sha256, &bytes);
        let config: image::Config = serde_json::from_slice(&bytes).map_err(|error| {
            broken(self.path, format!("a configuration does not read as one ({error})"))
        })?;
        let descriptor = Descriptor::new(media_type::OCI_CONFIG, digest, bytes.len() as u64);
        Ok(Config { descriptor, diff_ids: config.diff_ids() })
    }

    /// The layer at `range`, if its tar file has that digest.
    fn layer(
        &mut self,
        name: &str,
        range: Range<u64>,
        diff_id: &Digest,
    ) -> Result<Descriptor, Error> {
        let what = format!("layer {} of {}", name.escape_debug(), self.path.display());
        let key = (range.start, diff_id.algorithm());
        let layer = if let Some(layer) = self.layers.get(&key) {
            layer
        } else {
            let layer = self.read_layer(range, diff_id.algorithm(), &what)?;
            self.layers.entry(key).or_insert(layer)
        };
        if layer.diff_id == *diff_id {
            return Ok(layer.descriptor.clone());
        }
        let (expected, actual) = (diff_id.clone(), layer.diff_id.clone());
        Err(Error::Integrity { what, mismatch: Mismatch::Digest { expected, actual } })
    }

    /// Hashes a layer as it is stored, and what is in it.
    fn read_layer(
        &self,
        mut range: Range<u64>,
        algorithm: Algorithm,
        what: &str,
    ) -> Result<Layer, Error> {
        let size = range.end - range.start;
        let (mut stored, mut diff) = (Hasher::new(Algorithm::Sha256), DiffHasher::new(algorithm));
        let refuse = |mismatch| Error::Integrity { what: what.to_owned(), mismatch };
        while let Some(chunk) =
            read::next_chunk(self.file, &mut range).map_err(Error::local("read", self.path))?
        {
            stored.update(&chunk);
            diff.update(&chunk).map_err(refuse)?;
        }
        let digest = stored.finish();
        let (diff_id, media_type) = diff.finish(&digest).map_err(refuse)?;
        Ok(Layer { descriptor: Descriptor::new(media_type, digest, size), diff_id })
    }

    fn find(&self, name: &str) -> Result<Range<u64>, Error> {
        let found = normal(name).and_then(|name| self.entries.find(&name));
        found.ok_or_else(|| {
            let name = name.escape_debug();
            broken(self.path, format!("its manifest.json names {name}, which is not there"))
        })
    }
}

/// An image under one of its names.
fn named(image: &Descriptor, name: &str) -> Descriptor {
    let mut entry = image.clone();
    let parsed: Option<Reference> = name.parse().ok();
    let tag = parsed.as_ref().and_then(Reference::tag).map(ToString::to_string);
    entry.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag)));
    let whole = parsed.map_or_else(|| name.to_owned(), |name| name.to_string());
    entry.annotations.insert(IMAGE_NAME.to_owned(), whole);
    entry
}

/// The digest that a configuration is named by: `blobs/sha256/HEX`, `sha256:HEX` or `HEX.json`.
pub(super) fn digest_in(name: &str) -> Option<Digest> {
    let name = name.rsplit(['/', ':']).next()?;
    format!("sha256:{}", name.strip_suffix(".json").unwrap_or(name)).parse().ok()
}
