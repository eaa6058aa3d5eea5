//! Images made here, without a registry: from layers and a configuration to something that can be
//! copied anywhere.

mod about;
mod blobs;
mod config;
mod image;
mod index;
mod input;
mod pack;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use registry_name::{Algorithm, Digest, Identifier, Repository};
use serde::Serialize;

use self::blobs::missing;
pub(crate) use self::{blobs::Blobs, input::Content};
pub use self::{
    image::{ImageBuilder, Listed},
    index::IndexBuilder,
    input::Input,
    pack::Compression,
};
use crate::{
    ByteStream, Complaint, CopyListener, Descriptor, Error, Manifest, Parts, Platform, Source,
    media_type, verify,
};

/// An image, an artifact or an index that was put together here, with all that it is made of: a
/// [`Source`] to [`copy`](crate::copy()) from.
#[derive(Clone, Debug)]
pub struct Composed {
    root: Manifest,
    platform: Option<Platform>,
    manifests: Arc<HashMap<Digest, Manifest>>,
    blobs: Arc<Blobs>,
}

impl Composed {
    /// The manifest or the index.
    pub fn manifest(&self) -> &Manifest {
        &self.root
    }

    /// What names it: its digest.
    pub fn identifier(&self) -> Identifier {
        Identifier::Digest(self.root.digest().clone())
    }

    fn with_blobs(&self, blobs: Blobs) -> Arc<dyn Source> {
        Arc::new(Self { blobs: Arc::new(blobs), ..self.clone() })
    }
}

#[async_trait]
impl Source for Composed {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let found = identifier.digest().and_then(|digest| self.manifests.get(digest));
        found.cloned().ok_or_else(|| missing(format!("manifest {identifier}")))
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.blobs.open_blob(descriptor, offset).await
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        self.blobs.describe_blob(digest).await
    }

    fn parts(&self, descriptor: &Descriptor) -> Option<Parts> {
        self.blobs.parts(descriptor)
    }

    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        self.blobs.complaint(blob)
    }

    fn mount_from(&self, blob: &Digest) -> Option<&Repository> {
        self.blobs.mount_from(blob)
    }

    fn with_foreign_layers(&self) -> Option<Arc<dyn Source>> {
        self.blobs
            .with_sources(|source| source.with_foreign_layers())
            .map(|blobs| self.with_blobs(blobs))
    }

    fn watched(&self, events: &CopyListener) -> Option<Arc<dyn Source>> {
        self.blobs.with_sources(|source| source.watched(events)).map(|blobs| self.with_blobs(blobs))
    }
}

/// The configuration of what has none.
fn empty() -> (Descriptor, Content) {
    let bytes: &[u8] = b"{}";
    let digest = verify::digest(Algorithm::Sha256, bytes);
    let descriptor = Descriptor::new(media_type::OCI_EMPTY, digest, bytes.len() as u64);
    (descriptor, Content::Bytes(bytes.into()))
}

/// A descriptor as a subject has it: what it is, and nothing about it.
fn plain(subject: &Descriptor) -> Descriptor {
    Descriptor::new(subject.media_type.clone(), subject.digest.clone(), subject.size)
}

fn manifest(document: &impl Serialize) -> Result<Manifest, Error> {
    let text = serde_json::to_vec(document).map_err(|error| unwritable(&error))?;
    Manifest::new(text, None, "what was composed here")
}

fn unwritable(error: &serde_json::Error) -> Error {
    unsupported(&format!("this cannot be written as JSON ({error})"))
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported { what: what.to_owned() }
}
