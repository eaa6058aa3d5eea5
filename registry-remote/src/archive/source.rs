//! Reading an archive.

use std::{
    collections::HashMap,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use registry_name::{Digest, Identifier, Reference, Tag};

use super::{
    ArchiveKind,
    agree::agree,
    docker::{Archive, Synthesis},
    entries::{Entries, broken},
};
use crate::{
    ByteStream, Descriptor, Error, Manifest, Mismatch, Source,
    local::{
        MAX_DOCUMENT, blocking,
        listing::Listing,
        names::{INDEX, blob_name},
        read,
    },
};

/// An archive to read from: one of [`ArchiveKind`], recognised by its content.
///
/// The archive is never unpacked: its headers are read once, and content is read where it is. An
/// archive with an `index.json` is read as the OCI layout that it is. For one without, manifests
/// are made that depend on its content alone: configuration and layers as they are stored. Layers of
/// images in a `manifest.json` are what the configuration lists, once the archive is open.
#[derive(Debug)]
pub struct ArchiveSource {
    path: PathBuf,
    file: Arc<File>,
    kind: ArchiveKind,
    entries: Entries,
    listing: Listing,
    /// Manifests that are not in the archive.
    manifests: HashMap<Digest, Manifest>,
    /// Blobs whose name in the archive is not their digest.
    blobs: HashMap<Digest, Range<u64>>,
}

impl ArchiveSource {
    /// Opens an archive, and reads what is in it. Where manifests have to be made, this reads it
    /// whole; of a docker archive that has some, it reads the layers that are compressed.
    ///
    /// # Errors
    ///
    /// [`Error::Local`] where the file cannot be read, [`Error::Store`] where it is no archive of
    /// images, or a broken one; [`Error::Limit`] where a `manifest.json` lists more than 10 000 images
    /// or 100 000 layers; [`Error::Integrity`] for layers other than those that an image's
    /// configuration lists.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        blocking(move || Self::read(path)).await
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file was recognised as.
    pub fn kind(&self) -> ArchiveKind {
        self.kind
    }

    /// The images, once for each of their names: the tag is the annotation
    /// `org.opencontainers.image.ref.name`, the whole name `io.containerd.image.name`.
    pub fn entries(&self) -> &[Descriptor] {
        self.listing.entries()
    }

    /// The tags, in alphabetical order.
    pub fn tags(&self) -> Vec<Tag> {
        self.listing.tags()
    }

    /// The image that needs no name, since it is the only one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Unsupported`] with the names where there
    /// are several.
    pub fn only(&self) -> Result<Identifier, Error> {
        let only = self.listing.only(&self.location())?;
        Ok(Identifier::Digest(only.digest.clone()))
    }

    /// The image of that whole name, or digest.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with the names that there are.
    pub fn image(&self, name: &Reference) -> Result<Identifier, Error> {
        let image = self.listing.image(name, &self.location())?;
        Ok(Identifier::Digest(image.digest.clone()))
    }

    fn read(path: PathBuf) -> Result<Self, Error> {
        let metadata = path.metadata().map_err(Error::local("open", &path))?;
        if !metadata.is_file() {
            return Err(broken(&path, "it is no regular file"));
        }
        let file = File::open(&path).map_err(Error::local("open", &path))?;
        let entries = Entries::scan(&file, &path)?;
        let Some(kind) = ArchiveKind::detect(entries.names()) else {
            return Err(broken(&path, "it has neither an index.json nor a manifest.json"));
        };
        let mut archive = Archive::new(&file, &path, &entries);
        let saved = archive.saved()?;
        let index = entries.find(INDEX).map(|range| archive.document(range, INDEX)).transpose()?;
        let listing = match index {
            Some(bytes) => Some(Listing::parse(&bytes, "image archive", &path)?),
            None => None,
        };
        let (listing, made) = match (listing, &saved) {
            (Some(listing), Some(saved)) if !agree(&mut archive, &listing, saved)? => {
                made(archive.synthesize(saved)?)
            }
            (Some(listing), _) => (listing, Synthesis::default()),
            (None, saved) => made(archive.synthesize(saved.as_deref().unwrap_or_default())?),
        };
        let Synthesis { manifests, blobs, .. } = made;
        Ok(Self { file: Arc::new(file), kind, listing, manifests, blobs, entries, path })
    }

    fn find(&self, digest: &Digest) -> Option<Range<u64>> {
        self.blobs.get(digest).cloned().or_else(|| self.entries.find(&blob_name(digest)))
    }

    fn missing(&self, what: String) -> Error {
        Error::NotFound { location: self.location(), what }
    }
}

#[async_trait]
impl Source for ArchiveSource {
    fn location(&self) -> String {
        self.kind.location(&self.path)
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let (digest, listed) = self.listing.named(identifier, &self.location())?;
        if let Some(manifest) = self.manifests.get(digest) {
            return Ok(manifest.clone());
        }
        let digest = digest.clone();
        let Some(range) = self.find(&digest) else {
            return Err(Error::NoManifest { location: self.location(), digest });
        };
        let what = format!("manifest {digest} of {}", self.location());
        if let Some(listed) = listed {
            check_size(listed, &range, &what)?;
        }
        let media_type = listed.map(|entry| entry.media_type.clone());
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        blocking(move || {
            let size = || format!("the size of {what}");
            let bytes = read::document(&file, range, MAX_DOCUMENT, size, &path)?;
            Manifest::verified(bytes, media_type.as_deref(), &digest, &what)
        })
        .await
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let digest = &descriptor.digest;
        let range = self.find(digest).ok_or_else(|| self.missing(format!("blob {digest}")))?;
        check_size(descriptor, &range, &format!("blob {digest} of {}", self.location()))?;
        let start = range.start.saturating_add(offset).min(range.end);
        Ok(read::stream(Arc::clone(&self.file), self.path.clone(), start..range.end))
    }

    async fn list_tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        Ok(Some(self.tags()))
    }

    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        self.listing.referrers(self, subject, artifact_type).await.map(Some)
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let range = self.find(digest).ok_or_else(|| self.missing(format!("blob {digest}")))?;
        Ok(Descriptor::unknown(digest.clone(), range.end - range.start))
    }
}

fn made(mut made: Synthesis) -> (Listing, Synthesis) {
    (Listing::new(std::mem::take(&mut made.entries)), made)
}

fn check_size(expected: &Descriptor, range: &Range<u64>, what: &str) -> Result<(), Error> {
    let actual = range.end - range.start;
    if actual == expected.size {
        return Ok(());
    }
    let mismatch = Mismatch::Size { expected: expected.size, actual };
    Err(Error::Integrity { what: what.to_owned(), mismatch })
}

#[cfg(test)]
mod tests;
