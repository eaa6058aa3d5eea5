//! A manifest: its exact bytes, and a view of what they say.

use std::collections::BTreeMap;

use bytes::Bytes;
use registry_name::{Algorithm, Digest};
use serde::Deserialize;

use crate::{Descriptor, Error, Mismatch, Platform, media_type, verify};

/// An image manifest or an index: exact bytes, never serialised again, plus a parsed view.
///
/// The identity of a manifest is the digest of its bytes, so that an unknown field, the order of
/// keys or a trailing newline travel with it.
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Bytes,
    descriptor: Descriptor,
    document: Document,
}

/// The fields that a client acts on. Unknown ones stay in the bytes; a known one that is given
/// twice is refused, since two readers could pick different ones.
#[derive(Clone, Debug, Deserialize)]
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

impl Manifest {
    /// Reads a manifest. `content_type` is what its carrier called it (a header, a descriptor);
    /// without one the body decides. `what` names it in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where the bytes are no manifest, or contradict themselves or their
    /// carrier; [`Error::Unsupported`] for Docker's schema 1.
    pub fn new(
        bytes: impl Into<Bytes>,
        content_type: Option<&str>,
        what: &str,
    ) -> Result<Self, Error> {
        let bytes = bytes.into();
        let digest = verify::digest(Algorithm::Sha256, &bytes);
        Self::of(bytes, content_type, digest, what)
    }

    /// Reads a manifest that was asked for by digest, and verifies it first.
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
        let actual = verify::digest(expected.algorithm(), &bytes);
        if actual != *expected {
            let mismatch = Mismatch::Digest { expected: expected.clone(), actual };
            return Err(Error::Integrity { what: what.to_owned(), mismatch });
        }
        Self::of(bytes, content_type, actual, what)
    }

    fn of(
        bytes: Bytes,
        content_type: Option<&str>,
        digest: Digest,
        what: &str,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Manifest { what: what.to_owned(), reason };
        let carrier = content_type.map(media_type::essence);
        if carrier.as_deref().is_some_and(media_type::is_schema1) {
            return Err(schema1(what));
        }
        // An array would be read as the fields in their order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(refuse("it is no JSON object".to_owned()));
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| {
            let said = carrier.as_deref().unwrap_or("nothing");
            refuse(format!("it is declared as {said} and does not read as one ({error})"))
        })?;
        let media_type =
            decide_type(&document, carrier.as_deref()).map_err(|found| match found {
                Undecided::Schema1 => schema1(what),
                Undecided::No(reason) => refuse(reason),
            })?;
        let mut descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
        descriptor.artifact_type.clone_from(&document.artifact_type);
        Ok(Self { bytes, descriptor, document })
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Media type, digest and size of the bytes.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// One of the types of [`media_type::MANIFESTS`].
    pub fn media_type(&self) -> &str {
        &self.descriptor.media_type
    }

    /// Whether this is an index.
    pub fn is_index(&self) -> bool {
        media_type::is_index(self.media_type())
    }

    /// The configuration of an image.
    pub fn config(&self) -> Option<&Descriptor> {
        self.document.config.as_ref()
    }

    /// The layers of an image, the lowest first; none of an index.
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

    /// What an artifact is: its `artifactType`, else the type of its configuration.
    pub fn artifact_type(&self) -> Option<&str> {
        let declared = self.document.artifact_type.as_deref();
        declared.or_else(|| self.config().map(|config| config.media_type.as_str()))
    }

    /// How this manifest is listed as a referrer, if it is one of `subject`: with its artifact type
    /// and all its annotations.
    pub(crate) fn referrer_of(&self, subject: &Digest) -> Option<Descriptor> {
        self.subject().filter(|found| found.digest == *subject)?;
        let mut descriptor = self.descriptor.clone();
        descriptor.artifact_type = self.artifact_type().map(str::to_owned);
        descriptor.annotations = self.annotations().clone();
        Some(descriptor)
    }

    /// Everything this manifest is made of, in its order: configuration and layers of an image,
    /// entries of an index. The subject is no child.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.config().into_iter().chain(self.layers()).chain(self.manifests())
    }

    /// The platforms that an index offers, placeholders left out.
    pub fn platforms(&self) -> Vec<Platform> {
        let offered = self.manifests().iter().filter_map(|entry| entry.platform.clone());
        offered.filter(|platform| !platform.is_unknown()).collect()
    }

    /// An index with only the entries that `keep` wants, every other field as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where this is no index.
    pub fn with_entries(&self, keep: impl Fn(&Descriptor) -> bool) -> Result<Self, Error> {
        let what = format!("index {}", self.digest());
        let refuse = |reason: &str| Error::Manifest { what: what.clone(), reason: reason.into() };
        let mut value: serde_json::Value = serde_json::from_slice(&self.bytes)
            .map_err(|error| refuse(&format!("it is not JSON ({error})")))?;
        let entries = value.get_mut("manifests").and_then(serde_json::Value::as_array_mut);
        let entries = entries.ok_or_else(|| refuse("it has no entries"))?;
        let mut kept = self.manifests().iter().map(keep);
        entries.retain(|_| kept.next().unwrap_or(false));
        Self::new(value.to_string(), Some(self.media_type()), &what)
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
        Error::Manifest {
            what: format!("manifest {}", self.digest()),
            reason: format!("it does not read as {} ({error})", self.media_type()),
        }
    }
}

/// Why no media type could be decided.
enum Undecided {
    Schema1,
    No(String),
}

/// Which type the bytes are of: what the carrier says, what the body says and what the body holds
/// must not contradict each other; whoever is silent follows the others.
fn decide_type(document: &Document, carrier: Option<&str>) -> Result<String, Undecided> {
    let no = |reason: &str| Err(Undecided::No(reason.to_owned()));
    if document.errors.is_some() {
        return no("it is an error document");
    }
    let declared = document.media_type.as_deref();
    if document.schema_version == Some(1) || declared.is_some_and(media_type::is_schema1) {
        return Err(Undecided::Schema1);
    }
    let (image, index) = (document.layers.is_some(), document.manifests.is_some());
    if index && (image || document.config.is_some()) {
        return no("it has the fields of an image and of an index at once");
    }
    let carrier = carrier.filter(|carrier| media_type::is_manifest(carrier));
    if let (Some(carrier), Some(declared)) = (carrier, declared)
        && carrier != declared
    {
        let reason = format!("it travels as {carrier} and calls itself {declared}");
        return Err(Undecided::No(reason));
    }
    let fallback = match (image, index) {
        (true, _) => Some(media_type::OCI_MANIFEST),
        (_, true) => Some(media_type::OCI_INDEX),
        _ => None,
    };
    match carrier.or(declared).or(fallback) {
        Some(known) if media_type::is_index(known) && image => {
            no("it is declared as an index and has the fields of an image")
        }
        Some(known) if media_type::is_image(known) && index => {
            no("it is declared as an image and has the fields of an index")
        }
        Some(known) if media_type::is_image(known) && document.config.is_none() => {
            no("it is declared as an image and has no config")
        }
        Some(known) if media_type::is_manifest(known) => Ok(known.to_owned()),
        Some(unknown) => Err(Undecided::No(format!("its media type is {unknown}"))),
        None => no("it is neither an image nor an index"),
    }
}

fn schema1(what: &str) -> Error {
    Error::Unsupported {
        what: format!(
            "{what} is in Docker's schema 1, which was withdrawn; push the image again with a current program"
        ),
    }
}

#[cfg(test)]
mod tests;
