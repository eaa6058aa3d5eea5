//! An OCI image layout: a directory that holds images as a registry would.

mod directory;
mod index;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use registry_name::{Digest, Identifier, Tag};

use self::{directory::Directory, index::Entry};
use crate::{
    ByteStream, Complaint, Descriptor, Error, Manifest, Plan, Sink, Source, Stored,
    local::{
        blocking,
        draft::Draft,
        listing::Listing,
        partial::{Claim, LOOK},
        pour::pour_into,
        read,
    },
};

/// An [OCI image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
/// directory, to read from and to write to.
///
/// An entry of its `index.json` has its bare tag as `org.opencontainers.image.ref.name`. Several
/// processes may write to one layout at a time: blobs are renamed into place once they are
/// verified, and `index.json` is replaced under a lock. What a killed process had fetched of a blob
/// of 1 MiB or more, the next one goes on with, for a week; other files that it left half-written are removed by the
/// next copy. Symbolic links inside a layout are never followed.
///
/// A copy to a layout takes a blob to be there where a file of its name has its size; hashing all that
/// is there would cost more than it finds. Whoever reads a blob finds out when it has rotted: its file
/// is renamed to `.registry-HEX.damaged`, beside where it was, so that the next copy brings it again,
/// and is removed then. Manifests are verified whenever they are looked at.
#[derive(Debug)]
pub struct Layout {
    directory: Arc<Directory>,
    copying: Mutex<Copying>,
}

/// What is known of copies that have not finished.
#[derive(Debug, Default)]
struct Copying {
    /// Manifests that are part of what is copied, not what is copied.
    inner: HashSet<Digest>,
    /// Manifests that are here whole, and not listed yet.
    entries: Vec<Entry>,
}

impl Layout {
    /// A layout to write to, which need not exist yet: nothing is touched before the first write,
    /// and a directory that is made for a write that fails does not stay, unless there is
    /// something of use in it.
    pub fn create(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Arc::new(Directory::new(directory.into())), copying: Mutex::default() }
    }

    /// A layout that exists.
    ///
    /// # Errors
    ///
    /// [`Error::Local`] where there is no such directory, [`Error::Store`] where it is no layout.
    pub async fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let layout = Self::create(directory);
        let directory = Arc::clone(&layout.directory);
        blocking(move || directory.check_layout()).await?;
        layout.listing().await?;
        Ok(layout)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.root()
    }

    /// What `index.json` lists, as it lists it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] for a layout that is broken, [`Error::Local`] for one that cannot be read.
    pub async fn entries(&self) -> Result<Vec<Descriptor>, Error> {
        Ok(self.listing().await?.entries().to_vec())
    }

    /// The tags, in alphabetical order.
    ///
    /// # Errors
    ///
    /// As [`Layout::entries`].
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        Ok(self.listing().await?.tags())
    }

    /// The image that needs no tag to be named, since it is the only one here.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Unsupported`] with the tags where there
    /// are several; otherwise as [`Layout::entries`].
    pub async fn only(&self) -> Result<Identifier, Error> {
        let listing = self.listing().await?;
        let only = listing.only(&self.directory.location())?;
        Ok(Identifier::Digest(only.digest.clone()))
    }

    fn copying(&self) -> MutexGuard<'_, Copying> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A draft of a blob; `None` once the blob is here. While another process is at the blob, this
    /// waits for it, unless nothing comes of that.
    async fn draft(&self, blob: &Descriptor) -> Result<Option<Draft>, Error> {
        loop {
            let (directory, wanted) = (Arc::clone(&self.directory), blob.clone());
            // Where nobody waits for the draft any more, it goes before the directory does.
            let claimed = blocking(move || Ok((directory.claim(&wanted)?, directory)));
            match claimed.await? {
                (Claim::Ours(draft), _) => return Ok(Some(draft)),
                (Claim::Theirs, _) => tokio::time::sleep(LOOK).await,
                (Claim::Present, _) => return Ok(None),
            }
        }
    }

    async fn listing(&self) -> Result<Arc<Listing>, Error> {
        let directory = Arc::clone(&self.directory);
        blocking(move || directory.listing()).await
    }
}

#[async_trait]
impl Source for Layout {
    fn location(&self) -> String {
        self.directory.location()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let (directory, identifier) = (Arc::clone(&self.directory), identifier.clone());
        blocking(move || directory.manifest(&identifier)).await
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let (directory, wanted) = (Arc::clone(&self.directory), descriptor.clone());
        let file = blocking(move || directory.open_blob(&wanted)).await?;
        let path = self.directory.blob_path(&descriptor.digest);
        Ok(read::stream(Arc::new(file), path, offset..descriptor.size))
    }

    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        Some(Box::new(self.directory.suspect(blob)?))
    }

    async fn list_tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.tags().await.map(Some)
    }

    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        self.listing().await?.referrers(self, subject, artifact_type).await.map(Some)
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let (directory, digest) = (Arc::clone(&self.directory), digest.clone());
        blocking(move || directory.describe_blob(&digest)).await
    }
}

#[async_trait]
impl Sink for Layout {
    fn location(&self) -> String {
        self.directory.location()
    }

    /// What is listed, and has all that it needs. A layout where something is missing can so be
    /// mended by another copy.
    async fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        let (directory, identifier) = (Arc::clone(&self.directory), identifier.clone());
        blocking(move || directory.resolve(&identifier)).await
    }

    async fn begin(&self, plan: &Plan) -> Result<(), Error> {
        let roots = plan.roots().iter().filter(|root| root.write);
        let entries = roots.flat_map(|root| Entry::all(&root.descriptor, &root.tags, true));
        let entries: Vec<_> = entries.collect();
        let mut inner: HashSet<_> = plan.manifests().map(Manifest::digest).cloned().collect();
        {
            let mut copying = self.copying();
            for root in plan.roots() {
                inner.remove(&root.descriptor.digest);
                copying.inner.remove(&root.descriptor.digest);
            }
            copying.inner.extend(inner);
        }
        let directory = Arc::clone(&self.directory);
        blocking(move || {
            directory.prepare()?;
            directory.check_room(&entries)
        })
        .await
    }

    async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Arc<dyn Source>,
    ) -> Result<Stored, Error> {
        let Some(draft) = self.draft(descriptor).await? else {
            return Ok(Stored::Present);
        };
        if let Err(error) = pour_into(source, descriptor, &draft).await {
            draft.leave(&error);
            return Err(error);
        }
        let (directory, blob) = (Arc::clone(&self.directory), descriptor.clone());
        blocking(move || directory.publish(draft, &blob.digest, blob.size)).await?;
        Ok(Stored::Written)
    }

    /// Without a tag, a manifest is listed unless it belongs to another one of the same copy. What
    /// is to be listed is so once the copy finishes: `index.json` is written once.
    async fn put_manifest(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        let (directory, stored) = (Arc::clone(&self.directory), manifest.clone());
        blocking(move || directory.store_manifest(&stored)).await?;
        let mut copying = self.copying();
        let asked = !copying.inner.contains(manifest.digest());
        copying.entries.extend(Entry::all(manifest.descriptor(), tags, asked));
        Ok(())
    }

    async fn finish(&self) -> Result<(), Error> {
        let entries = std::mem::take(&mut self.copying().entries);
        if entries.is_empty() {
            return Ok(());
        }
        let directory = Arc::clone(&self.directory);
        blocking(move || directory.list(&entries)).await
    }

    async fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let (directory, wanted) = (Arc::clone(&self.directory), descriptor.clone());
        blocking(move || Ok(directory.has(&wanted.digest, wanted.size))).await
    }
}
