//! A manifest: its exact bytes, and a view of what they say.

mod kind;
mod schema1;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use registry_name::{Algorithm, Digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Descriptor, Error, Mismatch, Platform, media_type, verify};

/// An image manifest or an index: exact bytes, never serialised again, plus a parsed view.
///
/// The identity of a manifest is the digest of its bytes, so that an unknown field, the order of
/// keys or a trailing newline travel with it.
///
/// Docker's schema 1 is carried, not understood: such a manifest has neither configuration nor
/// layers here, only [`fs_layers`](Self::fs_layers). So is a type that nobody here knows: what it
/// lists where an image or an index does goes along with it, and nothing else is read.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Bytes,
    descriptor: Descriptor,
    /// May take several times the room of the bytes.
    document: Arc<Document>,
    fs_layers: Arc<[Digest]>,
    /// What a registry calls it, where that is not the digest of these bytes.
    name: Option<Digest>,
}

/// The fields that a client acts on. Unknown ones stay in the bytes; a known one that is given
/// twice is refused, since two readers could pick different ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
    errors: Option<serde::de::IgnoredAny>,
}

/// What stands for layers in an artifact of before OCI 1.1.
#[derive(Deserialize)]
struct Artifact {
    blobs: Option<Vec<Descriptor>>,
}

impl Manifest {
    /// Reads a manifest. `content_type` is what its carrier called it (a header, a descriptor);
    /// without one the body decides. `what` names it in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where the bytes are no manifest, or contradict themselves or their
    /// carrier, or are of a schema that is not known.
    pub fn new(
        bytes: impl Into<Bytes>,
        content_type: Option<&str>,
        what: &str,
    ) -> Result<Self, Error> {
        let bytes = bytes.into();
        let digest = verify::digest(Algorithm::Sha256, &bytes);
        Self::of(bytes, content_type, digest, what)
    }

    /// Reads a manifest that was asked for by digest, and verifies it first: against its exact bytes, or,
    /// for a signed manifest of Docker's schema 1, against these without the signatures.
    ///
    /// # Errors
    ///
    /// [`Error::Integrity`] for other bytes; otherwise as [`Manifest::new`].
    pub fn verified(
        bytes: impl Into<Bytes>,
        content_type: Option<&str>,
        expected: &Digest,
        what: &str,
    ) -> Result<Self, Error> {
        let bytes = bytes.into();
        let digest = check(&bytes, expected, what)?;
        Self::of(bytes, content_type, digest, what)
    }

    pub(crate) fn of(
        bytes: Bytes,
        content_type: Option<&str>,
        digest: Digest,
        what: &str,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Manifest { what: what.to_owned(), reason };
        let carrier = content_type.map(media_type::essence);
        let unreadable = |error| {
            let said = carrier.as_deref().unwrap_or("nothing");
            refuse(format!("it is declared as {said} and does not read as one ({error})"))
        };
        let read = match bytes.trim_ascii_start().first() {
            Some(b'{') => serde_json::from_slice(&bytes).map_err(unreadable),
            // An array would be read as the fields in their order.
            _ => Err(refuse("it is no JSON object".to_owned())),
        };
        let mut document = match read {
            // How its type is written, nobody here knows.
            Err(_) if carrier.as_deref().is_some_and(kind::is_foreign) => Document::default(),
            read => read?,
        };
        let signed = || schema1::is_signed(&bytes);
        let media_type = kind::decide(&document, carrier.as_deref(), signed).map_err(refuse)?;
        let (mut fs_layers, mut name) = (Vec::new(), None);
        match &*media_type {
            kind if media_type::is_schema1(kind) => {
                fs_layers = schema1::blobs(&bytes).map_err(unreadable)?;
                name = schema1::signed(&bytes);
                document = Document::default();
            }
            kind if media_type::is_artifact(kind) => {
                let artifact: Artifact = serde_json::from_slice(&bytes).map_err(unreadable)?;
                (document.config, document.manifests) = (None, None);
                document.layers = artifact.blobs;
            }
            _ => {}
        }
        let mut descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
        descriptor.artifact_type = document.artifact_type.clone().filter(|kind| !kind.is_empty());
        let (document, fs_layers) = (Arc::new(document), fs_layers.into());
        Ok(Self { bytes, descriptor, document, fs_layers, name })
    }

    /// Whether `digest` names these bytes. A signed manifest of Docker's schema 1 is also named by
    /// what was signed, its bytes without the signatures.
    pub fn is_named(&self, digest: &Digest) -> bool {
        let exact = || verify::digest(digest.algorithm(), &self.bytes) == *digest;
        *digest == self.descriptor.digest
            || (digest.algorithm() != self.descriptor.digest.algorithm() && exact())
            || (self.is_schema1() && schema1::is_signed_as(&self.bytes, digest))
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Media type, digest and size of the bytes, and the artifact type where they declare one: how an
    /// index lists this manifest. What else it says of itself is asked of it:
    /// [`annotations`](Self::annotations), [`artifact_type`](Self::artifact_type).
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// The digest by which a registry knows it. That is the digest of the bytes, unless they are a signed
    /// manifest of Docker's schema 1: a registry names it by what was signed, and signs it anew whenever
    /// it is asked for.
    pub fn name(&self) -> &Digest {
        self.name.as_ref().unwrap_or(&self.descriptor.digest)
    }

    /// The same under the digest that a registry gave it, which was verified.
    pub(crate) fn with_name(self, name: Digest) -> Self {
        Self { name: Some(name), ..self }
    }

    /// One of the types of [`media_type::MANIFESTS`], or one that nobody here knows.
    pub fn media_type(&self) -> &str {
        &self.descriptor.media_type
    }

    /// Whether the body says of which type it is.
    pub(crate) fn declares_type(&self) -> bool {
        self.document.media_type.is_some()
    }

    /// Whether this is an index.
    pub fn is_index(&self) -> bool {
        media_type::is_index(self.media_type())
    }

    /// Whether this is Docker's schema 1, which is carried and not understood.
    pub fn is_schema1(&self) -> bool {
        media_type::is_schema1(self.media_type())
    }

    /// The blobs of Docker's schema 1, each once; it does not say how long they are.
    pub fn fs_layers(&self) -> &[Digest] {
        &self.fs_layers
    }

    /// The same, where the [`fs_layers`](Self::fs_layers) are known with their sizes: they are
    /// [`children`](Self::children) from then on.
    pub(crate) fn with_blobs(mut self, blobs: Vec<Descriptor>) -> Self {
        Arc::make_mut(&mut self.document).layers = Some(blobs);
        self
    }

    /// Refuses what cannot be understood as an image or an index.
    pub(crate) fn check_understood(&self, what: &str) -> Result<(), Error> {
        match self.media_type() {
            kind if media_type::is_image(kind) || media_type::is_index(kind) => Ok(()),
            kind if media_type::is_schema1(kind) => Err(schema1(what)),
            kind => {
                let reason = format!("its media type is {kind}");
                Err(Error::Manifest { what: what.to_owned(), reason })
            }
        }
    }

    /// The configuration of an image.
    pub fn config(&self) -> Option<&Descriptor> {
        self.document.config.as_ref()
    }

    /// The layers of an image, the lowest first, or the blobs of an artifact; none of an index.
    pub fn layers(&self) -> &[Descriptor] {
        self.document.layers.as_deref().unwrap_or_default()
    }

    /// The entries of an index; none of an image.
    pub fn manifests(&self) -> &[Descriptor] {
        self.document.manifests.as_deref().unwrap_or_default()
    }

    /// The manifest that this one is about.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.document.subject.as_ref()
    }

    /// Free text about the whole.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.document.annotations.as_ref().unwrap_or(&NONE)
    }

    /// What an artifact is: its `artifactType`, else the type of its configuration. What is empty is
    /// missing.
    pub fn artifact_type(&self) -> Option<&str> {
        let config = self.config().map(|config| config.media_type.as_str());
        let declared = self.document.artifact_type.as_deref();
        [declared, config].into_iter().flatten().find(|kind| !kind.is_empty())
    }

    /// Everything this manifest is made of, in its order: configuration and layers of an image,
    /// entries of an index. The subject is no child.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.config().into_iter().chain(self.layers()).chain(self.manifests())
    }

    /// The platforms that an index offers images for, placeholders left out.
    pub fn platforms(&self) -> Vec<Platform> {
        let images =
            self.manifests().iter().filter(|entry| media_type::has_platform(&entry.media_type));
        let offered = images.filter_map(|entry| entry.platform.clone());
        offered.filter(|platform| !platform.is_unknown()).collect()
    }

    /// An index with only the entries that `keep` wants, every other field as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where this is no index.
    pub fn with_entries(&self, keep: impl Fn(&Descriptor) -> bool) -> Result<Self, Error> {
        let entries = self.raw_entries()?.into_iter().zip(self.manifests());
        let kept: Vec<_> = entries.filter(|(_, entry)| keep(entry)).map(|(raw, _)| raw).collect();
        self.with_raw_entries(&kept)
    }

    /// The same index with one more entry, every other field as it was.
    pub(crate) fn with_entry(&self, entry: &Descriptor) -> Result<Self, Error> {
        let mut entries = self.raw_entries()?;
        let entry = serde_json::value::to_raw_value(entry);
        entries.push(entry.map_err(|error| self.unusable(format!("it is not JSON ({error})")))?);
        self.with_raw_entries(&entries)
    }

    /// The exact text of the entries of an index. `null` occurs in the field and means none.
    pub(crate) fn raw_entries(&self) -> Result<Vec<Box<RawValue>>, Error> {
        #[derive(Deserialize)]
        struct Entries {
            manifests: Option<Vec<Box<RawValue>>>,
        }
        if !self.is_index() {
            return Err(self.unusable("it is no index".to_owned()));
        }
        let entries: Entries = serde_json::from_slice(&self.bytes)
            .map_err(|error| self.unusable(format!("it has no entries ({error})")))?;
        Ok(entries.manifests.unwrap_or_default())
    }

    /// The same index with other entries.
    pub(crate) fn with_raw_entries(&self, entries: &[Box<RawValue>]) -> Result<Self, Error> {
        let unusable = |error| self.unusable(format!("it is not JSON ({error})"));
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&self.bytes).map_err(unusable)?;
        let list = serde_json::value::to_raw_value(entries).map_err(unusable)?;
        fields.insert("manifests".to_owned(), list);
        let text = serde_json::to_vec(&fields).map_err(unusable)?;
        Self::new(text, Some(self.media_type()), &format!("index {}", self.digest()))
    }

    /// The image as [`oci_spec`] types, for reading: a view, not something to serialise.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where it is an index, or holds what those types do not know.
    pub fn to_oci_image(&self) -> Result<oci_spec::image::ImageManifest, Error> {
        oci_spec::image::ImageManifest::from_reader(self.bytes.as_ref())
            .map_err(|error| self.refuse(&error))
    }

    /// The index as [`oci_spec`] types, for reading: a view, not something to serialise.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where it is an image, or holds what those types do not know.
    pub fn to_oci_index(&self) -> Result<oci_spec::image::ImageIndex, Error> {
        oci_spec::image::ImageIndex::from_reader(self.bytes.as_ref())
            .map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &oci_spec::OciSpecError) -> Error {
        self.unusable(format!("it does not read as {} ({error})", self.media_type()))
    }

    fn unusable(&self, reason: String) -> Error {
        Error::Manifest { what: format!("manifest {}", self.digest()), reason }
    }
}

/// Compares a manifest with a digest that names it, and gives the digest of its exact bytes: another
/// one where Docker's signed schema 1 is named by what was signed.
pub(crate) fn check(bytes: &[u8], expected: &Digest, what: &str) -> Result<Digest, Error> {
    let actual = verify::digest(expected.algorithm(), bytes);
    if actual == *expected || schema1::is_signed_as(bytes, expected) {
        return Ok(actual);
    }
    let mismatch = Mismatch::Digest { expected: expected.clone(), actual };
    Err(Error::Integrity { what: what.to_owned(), mismatch })
}

fn schema1(what: &str) -> Error {
    Error::Unsupported {
        what: format!(
            "{what} is in Docker's schema 1, which was withdrawn: it can be copied as it is and not be read; push the image again with a current program"
        ),
    }
}

#[cfg(test)]
mod tests;
