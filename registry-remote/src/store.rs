//! Where content comes from and where it goes: two small traits that a repository of a registry,
//! an OCI layout, an archive and memory all implement.
//!
//! Pull, push and copy are one algorithm over them; see [`copy`](crate::copy()).

use std::{fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use registry_name::{Digest, Identifier, Repository, Tag};

use crate::{
    CopyListener, Descriptor, Error, Manifest, Mismatch, Parts, Plan, Platform, Verified, verify,
};

/// Bytes on their way, **not verified**: [`Verified`] is the stream that is.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// See [`Source::complaint`]; it is told what was wrong.
pub type Complaint = Box<dyn FnOnce(&Mismatch) + Send>;

/// Something to read manifests and blobs from.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// The place, as messages name it: `ghcr.io/a/b`, `oci:DIR`.
    fn location(&self) -> String;

    /// The manifest that a tag or a digest names, its bytes verified.
    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error>;

    /// The bytes of a blob from `offset` on, **not verified**: read through
    /// [`verified_blob`] unless something else judges the whole. What the descriptor
    /// [embeds](Descriptor::embedded) is not asked for.
    ///
    /// A source that can lose its connection resumes by itself; an error that comes out of the
    /// stream is final.
    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error>;

    /// The size of a blob that is known by its digest only, as a descriptor without a type.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where it is not here; [`Error::Unsupported`] where this source cannot
    /// tell.
    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let what = format!("{} does not tell the size of blob {digest}", self.location());
        Err(Error::Unsupported { what })
    }

    /// The platform that is taken of an index here where nobody asks for one: a client's for a
    /// repository, `linux/amd64` where there is none.
    fn platform(&self) -> Option<&Platform> {
        None
    }

    /// The same blob to be read in several places at the same time, where several connections may
    /// bring it faster than one: `None` where they do not, or it is not known.
    fn parts(&self, descriptor: &Descriptor) -> Option<Parts> {
        let _ = descriptor;
        None
    }

    /// The same place, which reads what it lacks from the `urls` of descriptors; `None` where it
    /// does no such thing.
    fn with_foreign_layers(&self) -> Option<Arc<dyn Source>> {
        None
    }

    /// What to call where the bytes of a blob from here, and from nowhere else, were not what its
    /// descriptor says: who sent them is not asked again, if there are others to ask. It is about
    /// what is here when it is made, which is before the bytes are read.
    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        let _ = blob;
        None
    }

    /// The repository, if this is one.
    fn repository(&self) -> Option<&Repository> {
        None
    }

    /// The repository that has this blob: its registry can mount it elsewhere instead of taking its
    /// bytes. For a source that is one, it has all of them.
    fn mount_from(&self, blob: &Digest) -> Option<&Repository> {
        let _ = blob;
        self.repository()
    }

    /// The tags there are; `None` where this place keeps no such list.
    async fn list_tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        Ok(None)
    }

    /// What refers to `subject`, of one artifact type where one is given; `None` where this place
    /// cannot tell. That nothing refers to it is an empty list.
    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let _ = (subject, artifact_type);
        Ok(None)
    }

    /// The same place, which tells of transfers that it resumes or starts again by itself; `None`
    /// where it does no such thing.
    fn watched(&self, events: &CopyListener) -> Option<Arc<dyn Source>> {
        let _ = events;
        None
    }
}

/// Something to write manifests and blobs to.
///
/// [`copy`](crate::copy()) calls [`begin`](Sink::begin) once, then writes blobs in parallel, then manifests (children
/// before parents, what was asked for last and with its tags), then calls [`finish`](Sink::finish). A copy that fails or is
/// cancelled ends with [`abandon`](Sink::abandon); one whose future is dropped just ends.
#[async_trait]
pub trait Sink: fmt::Debug + Send + Sync {
    /// The place, as messages name it.
    fn location(&self) -> String;

    /// The digest that a tag names here, or the digest itself where that manifest is here;
    /// `None` where it is not.
    async fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error>;

    /// Learns everything that will come, before anything does.
    async fn begin(&self, plan: &Plan) -> Result<(), Error> {
        let _ = plan;
        Ok(())
    }

    /// Makes the blob available here, with whatever costs least: it may be here already, or be
    /// mounted from the source's repository; otherwise its bytes are read from `source`.
    ///
    /// When this returns, the bytes are verified: by the sink, or by the registry that it is.
    async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Arc<dyn Source>,
    ) -> Result<Stored, Error>;

    /// Stores the exact bytes of a manifest, and points `tags` at it. A list of referrers under the tag
    /// for it may become part of the list that is there: the tag then names another manifest.
    async fn put_manifest(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error>;

    /// Whether the blob is here, without making it so. `false` where finding that out is no less
    /// work than [`put_blob`](Sink::put_blob).
    async fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let _ = descriptor;
        Ok(false)
    }

    /// The repository, if this is one.
    fn repository(&self) -> Option<&Repository> {
        None
    }

    /// After a manifest was refused because something of it is missing here: makes sure of its
    /// blobs, and believes nothing that was said of them before. `false`: that cannot be done.
    async fn repair(&self, manifest: &Manifest, source: &Arc<dyn Source>) -> Result<bool, Error> {
        let _ = (manifest, source);
        Ok(false)
    }

    /// Publishes what was written, where writing alone did not.
    async fn finish(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Waits until what was left half done here is cleaned up, for seconds at most.
    async fn abandon(&self) {}
}

/// How a blob came to be in a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stored {
    /// Its bytes were moved.
    Written,
    /// It was there already.
    Present,
    /// The registry took it from another of its repositories.
    Mounted,
}

/// A blob's bytes from the start, verified at the end; see [`Verified`]. A source is not asked for what
/// the descriptor [embeds](Descriptor::embedded).
pub async fn verified_blob(
    source: &dyn Source,
    descriptor: &Descriptor,
) -> Result<Verified, Error> {
    let what = format!("blob {} of {}", descriptor.digest, source.location());
    let complaint = source.complaint(&descriptor.digest);
    let bytes = open_blob(source, descriptor, 0).await?;
    Ok(Verified::new(bytes, descriptor, what).with_complaint(complaint))
}

/// The bytes of a blob from `offset` on: those that its descriptor holds itself, else the source's.
pub(crate) async fn open_blob(
    source: &dyn Source,
    descriptor: &Descriptor,
    offset: u64,
) -> Result<ByteStream, Error> {
    let Some(bytes) = descriptor.embedded() else {
        return source.open_blob(descriptor, offset).await;
    };
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    Ok(Box::pin(stream::iter([Ok(bytes.slice(offset..))])))
}

/// The manifest that a tag or a digest names. A digest proves it, so that no source has to be
/// believed: one that answers with something else is refused.
pub(crate) async fn named_manifest(
    source: &dyn Source,
    identifier: &Identifier,
) -> Result<Manifest, Error> {
    let manifest = source.manifest(identifier).await?;
    match identifier {
        Identifier::Digest(expected) if !manifest.is_named(expected) => {
            let actual = verify::digest(expected.algorithm(), manifest.bytes());
            let mismatch = Mismatch::Digest { expected: expected.clone(), actual };
            let what = format!("manifest {expected} of {}", source.location());
            Err(Error::Integrity { what, mismatch })
        }
        _ => Ok(manifest),
    }
}

/// All bytes of a small blob, verified.
///
/// # Errors
///
/// [`Error::Limit`] where it has more than `cap` bytes; otherwise as its source has them, or
/// [`Error::Integrity`].
pub async fn read_blob(
    source: &dyn Source,
    descriptor: &Descriptor,
    cap: u64,
) -> Result<Bytes, Error> {
    if descriptor.size > cap {
        let what = format!("the size of blob {} of {}", descriptor.digest, source.location());
        return Err(Error::Limit { what, limit: format!("{cap} bytes") });
    }
    let mut stream = verified_blob(source, descriptor).await?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}
