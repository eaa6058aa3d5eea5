//! An index: images by platform, and whatever else it lists.

use std::sync::Arc;

use registry_name::Identifier;

use super::{Image, Layer, fetched::wanted, get};
use crate::{Descriptor, Error, Manifest, Platform, Source, limits::Allowance, media_type, select};

/// An index, or as Docker calls it a manifest list: it lists images by platform, and may list other
/// indexes, artifacts and plain blobs.
#[derive(Clone, Debug)]
pub struct Index {
    source: Arc<dyn Source>,
    manifest: Manifest,
}

/// What an entry of an index turned out to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Entry {
    /// An image, or an artifact.
    Image(Image),
    /// An index within the index.
    Index(Index),
    /// Docker's schema 1, which is carried and not understood.
    Schema1(Manifest),
    /// A manifest of any other type, which is carried and not understood.
    Other(Manifest),
    /// Content of any other type, which is read as a blob.
    Blob(Layer),
}

impl Index {
    /// The index that a tag or a digest names.
    ///
    /// # Errors
    ///
    /// As the source has them; [`Error::Manifest`] for what is no index.
    pub async fn open(source: &Arc<dyn Source>, identifier: &Identifier) -> Result<Self, Error> {
        get(source, identifier).await?.index()
    }

    /// The index of a manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] for an image; [`Error::Unsupported`] for Docker's schema 1.
    pub fn new(source: Arc<dyn Source>, manifest: Manifest) -> Result<Self, Error> {
        let what = || format!("{} of {}", manifest.digest(), source.location());
        manifest.check_understood(&what())?;
        if !manifest.is_index() {
            let reason = "it is an image, not an index".to_owned();
            return Err(Error::Manifest { what: what(), reason });
        }
        Ok(Self { source, manifest })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it lists, as it lists it.
    pub fn entries(&self) -> &[Descriptor] {
        self.manifest.manifests()
    }

    /// The image for `platform`, or where that is `None` for the source's ([`Source::platform`]),
    /// through indexes within.
    ///
    /// # Errors
    ///
    /// [`Error::NoPlatform`] with what is offered.
    pub async fn image(&self, platform: Option<&Platform>) -> Result<Image, Error> {
        let wanted = wanted(&self.source, platform);
        let image = select::image(self.source.as_ref(), self.manifest.clone(), &wanted).await?;
        Image::new(Arc::clone(&self.source), image)
    }

    /// What an entry describes: manifests are read and verified, a blob is not read yet. Where a type
    /// does not tell which it is, the source is asked for a blob first.
    ///
    /// # Errors
    ///
    /// As the source has them; [`Error::Integrity`], [`Error::Manifest`] where the entry is not
    /// what its descriptor says.
    pub async fn entry(&self, entry: &Descriptor) -> Result<Entry, Error> {
        let source = Arc::clone(&self.source);
        let manifest = if entry.is_manifest() {
            select::child(source.as_ref(), entry).await?
        } else {
            let allowance = Allowance::usual(source.as_ref());
            match select::foreign(source.as_ref(), entry, &allowance).await? {
                Some(manifest) => manifest,
                None => return Ok(Entry::Blob(Layer::new(source, entry.clone(), None))),
            }
        };
        Ok(match manifest.media_type() {
            kind if media_type::is_schema1(kind) => Entry::Schema1(manifest),
            kind if media_type::is_index(kind) => Entry::Index(Self::new(source, manifest)?),
            kind if media_type::is_image(kind) => Entry::Image(Image::new(source, manifest)?),
            _ => Entry::Other(manifest),
        })
    }
}
