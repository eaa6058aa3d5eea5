//! The blobs of what is composed: made here, or still in the source that they came from.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use registry_name::{Digest, Identifier, Repository};

use super::input::Content;
use crate::{ByteStream, Complaint, CopyListener, Descriptor, Error, Manifest, Parts, Source};

/// Blobs by their digest, as a source that has no manifests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs(HashMap<Digest, Held>);

#[derive(Clone, Debug)]
enum Held {
    Here(Content),
    /// Nothing of it was read.
    There {
        source: Arc<dyn Source>,
        size: u64,
    },
}

impl Blobs {
    pub(crate) fn one(blob: &Descriptor, content: Content) -> Self {
        Self(HashMap::from([(blob.digest.clone(), Held::Here(content))]))
    }

    pub(super) fn keep(&mut self, digest: Digest, content: Content) {
        self.0.insert(digest, Held::Here(content));
    }

    pub(super) fn refer(&mut self, blob: &Descriptor, source: &Arc<dyn Source>) {
        let held = Held::There { source: Arc::clone(source), size: blob.size };
        self.0.insert(blob.digest.clone(), held);
    }

    pub(super) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().map(|(digest, held)| (digest.clone(), held.clone())));
    }

    /// The same blobs, those that are elsewhere in other sources; `None` where nothing changes.
    pub(super) fn with_sources(
        &self,
        change: impl Fn(&Arc<dyn Source>) -> Option<Arc<dyn Source>>,
    ) -> Option<Self> {
        let mut changed = self.clone();
        let mut any = false;
        for held in changed.0.values_mut() {
            if let Held::There { source, .. } = held
                && let Some(other) = change(source)
            {
                *source = other;
                any = true;
            }
        }
        any.then_some(changed)
    }

    fn get(&self, digest: &Digest) -> Result<&Held, Error> {
        let missing = || missing(format!("blob {digest}"));
        self.0.get(digest).ok_or_else(missing)
    }

    /// The source of a blob that is not here.
    fn source(&self, digest: &Digest) -> Option<&dyn Source> {
        match self.0.get(digest)? {
            Held::Here(_) => None,
            Held::There { source, .. } => Some(source.as_ref()),
        }
    }
}

pub(super) fn missing(what: String) -> Error {
    Error::NotFound { location: "what was composed here".to_owned(), what }
}

#[async_trait]
impl Source for Blobs {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        Err(missing(format!("manifest {identifier}")))
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        match self.get(&descriptor.digest)? {
            Held::Here(content) => Ok(content.open(offset)),
            Held::There { source, .. } => source.open_blob(descriptor, offset).await,
        }
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let size = match self.get(digest)? {
            Held::Here(content) => content.size(),
            Held::There { size, .. } => *size,
        };
        Ok(Descriptor::unknown(digest.clone(), size))
    }

    fn parts(&self, descriptor: &Descriptor) -> Option<Parts> {
        self.source(&descriptor.digest)?.parts(descriptor)
    }

    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        self.source(blob)?.complaint(blob)
    }

    fn mount_from(&self, blob: &Digest) -> Option<&Repository> {
        self.source(blob)?.mount_from(blob)
    }

    fn with_foreign_layers(&self) -> Option<Arc<dyn Source>> {
        let blobs = self.with_sources(|source| source.with_foreign_layers())?;
        Some(Arc::new(blobs))
    }

    fn watched(&self, events: &CopyListener) -> Option<Arc<dyn Source>> {
        let blobs = self.with_sources(|source| source.watched(events))?;
        Some(Arc::new(blobs))
    }
}
