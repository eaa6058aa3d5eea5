//! A manifest for an image that was saved without one.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    ops::Range,
    path::Path,
};

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
    local::{
        listing::{IMAGE_NAME, REF_NAME},
        read::{self, Span},
    },
    media_type,
    verify::Hasher,
};

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

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

/// A layer that was read once.
#[derive(Clone)]
struct Layer {
    descriptor: Descriptor,
    /// The digest of its tar file.
    diff_id: Digest,
}

/// The archive and where it came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Archive<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    pub(super) entries: &'a Entries,
}

impl Archive<'_> {
    /// The images of `manifest.json`.
    pub(super) fn saved(self) -> Result<Option<Vec<Saved>>, Error> {
        let Some(range) = self.entries.find(MANIFEST) else {
            return Ok(None);
        };
        let bytes = self.document(range, MANIFEST)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            broken(self.path, format!("its manifest.json does not read as one ({error})"))
        })
    }

    /// Manifests that depend on nothing but what is in the archive: the configuration and the
    /// layers as they are stored. Every layer is read once, and compared with the configuration.
    pub(super) fn synthesize(self, saved: &[Saved]) -> Result<Synthesis, Error> {
        let mut made = Synthesis::default();
        let mut layers = HashMap::new();
        for image in saved {
            let entry = self.image(image, &mut made, &mut layers)?;
            let names = image.repo_tags.as_deref().unwrap_or_default();
            let names = names.iter().map(|name| named(&entry, name));
            made.entries.extend(names);
            if image.repo_tags.as_ref().is_none_or(Vec::is_empty) {
                made.entries.push(entry);
            }
        }
        Ok(made)
    }

    pub(super) fn document(self, range: Range<u64>, name: &str) -> Result<Bytes, Error> {
        let what = || format!("the size of {name} in {}", self.path.display());
        read::document(self.file, range, what, self.path)
    }

    fn image(
        self,
        image: &Saved,
        made: &mut Synthesis,
        known: &mut HashMap<u64, Layer>,
    ) -> Result<Descriptor, Error> {
        let (config, diff_ids) = self.config(&image.config, made)?;
        let names = image.layers.as_deref().unwrap_or_default();
        if names.len() != diff_ids.len() {
            let (layers, ids) = (names.len(), diff_ids.len());
            let reason = format!("an image has {layers} layers, and {ids} by its configuration");
            return Err(broken(self.path, reason));
        }
        let mut layers = Vec::new();
        for (name, diff_id) in names.iter().zip(diff_ids) {
            let range = self.find(name)?;
            let layer = match known.get(&range.start) {
                Some(layer) => layer.clone(),
                None => self.layer(range.clone())?,
            };
            if layer.diff_id != diff_id {
                let what = format!("layer {} of {}", name.escape_debug(), self.path.display());
                let mismatch = Mismatch::Digest { expected: diff_id, actual: layer.diff_id };
                return Err(Error::Integrity { what, mismatch });
            }
            made.blobs.insert(layer.descriptor.digest.clone(), range.clone());
            layers.push(layer.descriptor.clone());
            known.insert(range.start, layer);
        }
        // Keys are in alphabetical order: the same content gives the same digest everywhere.
        let text = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config,
            "layers": layers,
        });
        let what = format!("the manifest made for {}", self.path.display());
        let manifest = Manifest::new(text.to_string(), None, &what)?;
        let entry = manifest.descriptor().clone();
        made.manifests.insert(entry.digest.clone(), manifest);
        Ok(entry)
    }

    /// The configuration, and the digests of the layers' tar files that it lists.
    fn config(self, name: &str, made: &mut Synthesis) -> Result<(Descriptor, Vec<Digest>), Error> {
        let range = self.find(name)?;
        let bytes = self.document(range.clone(), &name.escape_debug().to_string())?;
        let digest = crate::verify::digest(Algorithm::Sha256, &bytes);
        if let Some(expected) = digest_in(name)
            && expected != digest
        {
            let what = format!("configuration {expected} of {}", self.path.display());
            let mismatch = Mismatch::Digest { expected, actual: digest };
            return Err(Error::Integrity { what, mismatch });
        }
        let config: Config = serde_json::from_slice(&bytes).map_err(|error| {
            broken(self.path, format!("a configuration does not read as one ({error})"))
        })?;
        let size = bytes.len() as u64;
        made.blobs.insert(digest.clone(), range);
        let descriptor = Descriptor::new(media_type::OCI_CONFIG, digest, size);
        Ok((descriptor, config.rootfs.diff_ids.unwrap_or_default()))
    }

    /// Hashes a layer as it is stored, and what is in it where it is compressed.
    fn layer(self, range: Range<u64>) -> Result<Layer, Error> {
        let mut magic = [0; 4];
        let failed = || Error::local("read", self.path);
        let read = Span::new(self.file, range.clone()).read(&mut magic).map_err(failed())?;
        let mut stored = Hashing::new(Span::new(self.file, range.clone()));
        let (media_type, diff_id) = match &magic[..read] {
            [0x1f, 0x8b, ..] => {
                let inner = flate2::read::MultiGzDecoder::new(&mut stored);
                (media_type::OCI_LAYER_GZIP, Some(self.unpacked(inner)?))
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let inner = zstd::Decoder::new(&mut stored).map_err(failed())?;
                (media_type::OCI_LAYER_ZSTD, Some(self.unpacked(inner)?))
            }
            _ => (media_type::OCI_LAYER, None),
        };
        // What a decoder left unread belongs to the layer too.
        io::copy(&mut stored, &mut io::sink()).map_err(failed())?;
        let digest = stored.hasher.finish();
        let diff_id = diff_id.unwrap_or_else(|| digest.clone());
        let descriptor = Descriptor::new(media_type, digest, range.end - range.start);
        Ok(Layer { descriptor, diff_id })
    }

    fn unpacked(self, inner: impl Read) -> Result<Digest, Error> {
        let mut inner = Hashing::new(inner);
        io::copy(&mut inner, &mut io::sink()).map_err(|error| {
            broken(self.path, format!("a layer cannot be decompressed ({error})"))
        })?;
        Ok(inner.hasher.finish())
    }

    fn find(self, name: &str) -> Result<Range<u64>, Error> {
        let found = normal(name).and_then(|name| self.entries.find(&name));
        found.ok_or_else(|| {
            let name = name.escape_debug();
            broken(self.path, format!("its manifest.json names {name}, which is not there"))
        })
    }
}

/// A reader that hashes what is read.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::new(Algorithm::Sha256) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
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
