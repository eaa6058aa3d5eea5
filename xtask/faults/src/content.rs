//! Small images with known bytes, for scenarios: real enough for any client, small enough to cut at every byte.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

/// Media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a layer as gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Media type of a layer as zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// The digest of these bytes, `sha256:…`.
pub fn sha256(bytes: &[u8]) -> String {
    digest_of(Sha256::new_with_prefix(bytes))
}

/// Their other digest, `sha512:…`.
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The digest of what went into `hash`, `sha256:…`.
pub(crate) fn digest_of(hash: Sha256) -> String {
    format!("sha256:{}", hex(&hash.finalize()))
}

/// These bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
}

/// These bytes in base64, as in a `Basic` header or a Docker configuration file.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes that no compressor shrinks, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut noise = Noise(seed);
    let mut bytes = vec![0; length];
    noise.fill(&mut bytes);
    bytes
}

/// An endless source of [`noise`] (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (word ^ (word >> 31)).to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
    }
}

/// Content of any size that nobody has to hold: a unit over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// What is repeated; its length divides no power of two, so that an offset that lost its upper bits is another place.
    pub unit: Bytes,
    /// Bytes.
    pub size: u64,
}

impl Repeated {
    /// So many bytes.
    pub fn new(size: u64) -> Self {
        Self { unit: noise(1, 65_537).into(), size }
    }

    /// The digest of all of it, `sha256:…`: seconds for gigabytes.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut left = self.size;
        while left > 0 {
            let length =
                usize::try_from(left).map_or(self.unit.len(), |left| left.min(self.unit.len()));
            hash.update(self.unit.slice(..length));
            left -= length as u64;
        }
        digest_of(hash)
    }
}

/// Content with its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is.
    pub media_type: String,
    /// `sha256:…`, or `sha512:…`
    pub digest: String,
    /// The content.
    pub bytes: Bytes,
}

impl Blob {
    /// Describes these bytes.
    pub fn new(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { media_type: media_type.to_owned(), digest: sha256(&bytes), bytes }
    }

    /// The same content under its other digest, `sha512:…`.
    #[must_use]
    pub fn by_sha512(self) -> Self {
        Self { digest: sha512(&self.bytes), ..self }
    }

    /// The descriptor as JSON.
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }

    /// This JSON document with a signature as those of Docker's schema 1, which claims that what
    /// was signed is `other`, and nothing of this.
    #[must_use]
    pub fn signed_as(&self, other: &Self) -> Self {
        let tail = URL_SAFE_NO_PAD.encode(&other.bytes);
        let protected = json!({ "formatLength": 0, "formatTail": tail }).to_string();
        let mut document: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        document["signatures"] = json!([{ "protected": URL_SAFE_NO_PAD.encode(protected) }]);
        Self::new(&self.media_type, document.to_string())
    }
}

/// A single-platform image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest.
    pub manifest: Blob,
    /// The configuration.
    pub config: Blob,
    /// The layers, lowest first.
    pub layers: Vec<Blob>,
}

impl Image {
    /// An image for `linux/amd64` with one layer of each of these sizes (bytes of incompressible content).
    pub fn new(sizes: &[usize]) -> Self {
        let tars: Vec<_> =
            (1_u64..).zip(sizes).map(|(seed, size)| tar(&noise(seed, *size))).collect();
        let layers: Vec<_> = tars.iter().map(|tar| Blob::new(LAYER_GZIP, gzip(tar))).collect();
        let diff_ids: Vec<_> = tars.iter().map(|tar| sha256(tar)).collect();
        let config = json!({
            "created": "2024-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": ["/bin/true"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Self::of(Blob::new(CONFIG, config.to_string()), layers)
    }

    /// Two layers of about 20 kB and 200 kB.
    pub fn small() -> Self {
        static SMALL: LazyLock<Image> = LazyLock::new(|| Image::new(&[20_000, 200_000]));
        SMALL.clone()
    }

    /// The manifest over these blobs.
    pub fn of(config: Blob, layers: Vec<Blob>) -> Self {
        let descriptors: Vec<_> = layers.iter().map(Blob::descriptor).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": descriptors,
        });
        Self { manifest: Blob::new(MANIFEST, manifest.to_string()), config, layers }
    }

    /// The configuration and the layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// The last, and largest, layer of [`Image::small`].
    pub fn last_layer(&self) -> &Blob {
        self.layers.last().unwrap_or(&self.config)
    }

    /// The same image with a changed manifest; its blobs stay as they are.
    #[must_use]
    pub fn with_manifest(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut manifest = serde_json::from_slice(&self.manifest.bytes).unwrap_or_default();
        change(&mut manifest);
        self.manifest = Blob::new(&self.manifest.media_type, manifest.to_string());
        self
    }
}

/// A tar with one file in it, and nothing in it that depends on where or when it was made.
fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    in_memory(builder.append_data(&mut header, "content.bin", content));
    in_memory(builder.into_inner())
}

/// These bytes as one frame of zstd.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    in_memory(zstd::encode_all(bytes, 1))
}

/// These bytes as one member of gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    in_memory(std::io::Write::write_all(&mut encoder, bytes));
    in_memory(encoder.finish())
}

/// Writing to a `Vec` does not fail; nothing sensible could be done if it did.
fn in_memory<T: Default>(result: std::io::Result<T>) -> T {
    debug_assert!(result.is_ok(), "writing to memory failed");
    result.unwrap_or_default()
}
