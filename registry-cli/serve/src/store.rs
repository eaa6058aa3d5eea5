//! Where content is kept.
//!
//! Every operation is one blocking call, run on the blocking pool, that finishes even when the
//! request that asked for it is gone. When it returns `Ok`, the change is as durable as the store
//! can make it.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use registry_name::{Digest, Tag};

use crate::condition::Precondition;
use crate::garbage::Collected;
use crate::name::Name;

mod disk;
mod memory;
mod upload;

pub(crate) use disk::Disk;
pub(crate) use memory::Memory;
pub(crate) use upload::{Upload, UploadId};

/// The content of one registry. `Ok(None)` and `Ok(false)` mean: not in this repository.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Every repository that was ever pushed to, sorted by its bytes.
    fn repositories(&self) -> io::Result<Vec<Name>>;

    fn blob(&self, name: &Name, digest: &Digest) -> io::Result<Option<Blob>>;
    /// Whether it is there; if so, it is young again for [`Store::collect`].
    fn use_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool>;
    fn delete_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool>;
    /// Makes a blob of one repository available in another.
    fn mount_blob(&self, from: &Name, to: &Name, digest: &Digest) -> io::Result<bool>;
    /// A repository that has this blob, among those that `readable` allows.
    fn find_blob(
        &self,
        digest: &Digest,
        readable: &dyn Fn(&Name) -> bool,
    ) -> io::Result<Option<Name>>;

    fn create_upload(&self, name: &Name, id: &UploadId) -> io::Result<Upload>;
    /// An upload that an earlier process began. [`io::ErrorKind::WouldBlock`]: it has a writer
    /// elsewhere.
    fn open_upload(&self, name: &Name, id: &UploadId) -> io::Result<Option<Upload>>;
    /// Turns an upload, whose digest the caller has verified, into a blob.
    fn commit_upload(
        &self,
        name: &Name,
        id: &UploadId,
        upload: Upload,
        digest: &Digest,
    ) -> io::Result<()>;
    fn remove_upload(&self, name: &Name, id: &UploadId) -> io::Result<()>;
    /// Removes what nobody has touched for `age`: left-overs, and unfinished uploads that this
    /// process does not have `open`.
    fn expire(&self, age: Duration, open: &HashSet<UploadId>) -> io::Result<()>;

    /// Removes blobs that no manifest of their repository references, and that nobody has used for
    /// `age`.
    fn collect(&self, age: Duration) -> io::Result<Collected>;

    fn manifest(&self, name: &Name, digest: &Digest) -> io::Result<Option<Manifest>>;
    fn put_manifest(&self, name: &Name, put: &PutManifest) -> io::Result<Put>;
    /// Deletes the manifest and every tag that points to it.
    fn delete_manifest(&self, name: &Name, digest: &Digest) -> io::Result<bool>;
    /// The manifests whose `subject` is this digest, sorted by their digests.
    fn referrers(&self, name: &Name, subject: &Digest) -> io::Result<Vec<(Digest, Manifest)>>;

    fn tag(&self, name: &Name, tag: &Tag) -> io::Result<Option<Digest>>;
    fn delete_tag(&self, name: &Name, tag: &Tag) -> io::Result<bool>;
    /// Sorted by their bytes; `None`: a repository that was never pushed to.
    fn tags(&self, name: &Name) -> io::Result<Option<Vec<Tag>>>;
}

/// A blob that was found.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) size: u64,
    pub(crate) content: Content,
}

/// Where a blob's bytes come from.
#[derive(Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    File(File),
}

/// A manifest, byte for byte as it was pushed.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

/// A manifest to store, with all that becomes visible together with it.
#[derive(Clone, Debug)]
pub(crate) struct PutManifest {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) subject: Option<Digest>,
    pub(crate) tags: Vec<Tag>,
    /// Blobs that have to be in the repository.
    pub(crate) blobs: Vec<Digest>,
    /// About what the first tag points to now; without a tag, about the manifest itself.
    pub(crate) precondition: Precondition,
}

/// What became of a [`PutManifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Stored,
    /// These blobs are not in the repository, and nothing was changed.
    Missing(Vec<Digest>),
    /// The precondition did not hold, and nothing was changed.
    Refused,
}
