//! A layer, or any other blob.

use std::sync::Arc;

use registry_name::Digest;

use super::Unpacked;
use crate::{Descriptor, Error, Source, Verified, verified_blob};

/// A layer of an image, or any other blob. Nothing of it is read before it is asked for.
#[derive(Clone, Debug)]
pub struct Layer {
    source: Arc<dyn Source>,
    descriptor: Descriptor,
    diff_id: Option<Digest>,
}

impl Layer {
    /// The blob that a descriptor describes. `diff_id`: the digest of its content once it is
    /// uncompressed, where that is known.
    pub fn new(source: Arc<dyn Source>, descriptor: Descriptor, diff_id: Option<Digest>) -> Self {
        Self { source, descriptor, diff_id }
    }

    /// The blob of that digest; asks the source how long it is.
    ///
    /// # Errors
    ///
    /// As [`Source::describe_blob`].
    pub async fn open(source: &Arc<dyn Source>, digest: &Digest) -> Result<Self, Error> {
        let descriptor = source.describe_blob(digest).await?;
        Ok(Self::new(Arc::clone(source), descriptor, None))
    }

    pub(crate) fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// What the manifest says of it.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the layer as it is stored.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// The digest of the layer as a plain tar file, which the configuration lists.
    pub fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    /// The bytes as they are stored, verified at the end against digest and size.
    ///
    /// # Errors
    ///
    /// As the source has them; within the stream also [`Error::Integrity`].
    pub async fn compressed(&self) -> Result<Verified, Error> {
        verified_blob(self.source.as_ref(), &self.descriptor).await
    }

    /// The bytes as a plain tar file. What is stored is verified as in
    /// [`compressed`](Self::compressed), and what comes out against the diff id, where there is one.
    ///
    /// Gzip (RFC 1952) and Zstandard (RFC 8878) are recognised by how they begin, whatever the
    /// media type says; anything else is handed on as it is. Only as much is unpacked as is read,
    /// 64 KiB at a time.
    ///
    /// # Errors
    ///
    /// As [`compressed`](Self::compressed).
    pub async fn uncompressed(&self) -> Result<Unpacked, Error> {
        let what = format!("layer {} of {}, uncompressed", self.digest(), self.source.location());
        Ok(Unpacked::new(self.compressed().await?, self.diff_id.clone(), what))
    }
}
