//! An index made here.

use std::{collections::HashMap, sync::Arc};

use super::{
    Blobs, Composed,
    about::{About, Lists, about_setters},
};
use crate::{Descriptor, Error, Platform, media_type};

/// Builds an index of images, and of anything else.
///
/// ```
/// # use registry_remote::{Compression, ImageBuilder, IndexBuilder, Input, Platform};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut index = IndexBuilder::new();
/// for architecture in ["amd64", "arm64"] {
///     let mut image = ImageBuilder::new(&Platform::new("linux", architecture));
///     image.layer(Input::bytes("a tar file"), Compression::Zstd).await?;
///     index.image(&image.build()?);
/// }
/// assert_eq!(index.build()?.manifest().platforms().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct IndexBuilder {
    entries: Vec<Descriptor>,
    parts: Vec<Composed>,
    about: About,
}

impl IndexBuilder {
    /// An index without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists what was composed here, an image for its own platform.
    pub fn image(&mut self, part: &Composed) -> &mut Self {
        self.image_for(part, part.platform.clone())
    }

    /// Lists what was composed here, for that platform or for none.
    pub fn image_for(&mut self, part: &Composed, platform: Option<Platform>) -> &mut Self {
        let mut entry = part.manifest().descriptor().clone();
        entry.platform = platform;
        self.parts.push(part.clone());
        self.entry(entry)
    }

    /// Lists something that will be where this index is copied to: a copy takes it along only if
    /// its source has it.
    pub fn entry(&mut self, entry: Descriptor) -> &mut Self {
        self.entries.push(entry);
        self
    }

    about_setters!();

    /// Puts it together.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where the parts do not make one.
    pub fn build(&self) -> Result<Composed, Error> {
        let lists = Lists::Index { manifests: &self.entries };
        let root = self.about.write(media_type::OCI_INDEX, lists)?;
        let (mut manifests, mut blobs) = (HashMap::new(), Blobs::default());
        for part in &self.parts {
            manifests
                .extend(part.manifests.iter().map(|(key, value)| (key.clone(), value.clone())));
            blobs.extend(&part.blobs);
        }
        manifests.insert(root.digest().clone(), root.clone());
        let (manifests, blobs) = (Arc::new(manifests), Arc::new(blobs));
        Ok(Composed { root, platform: None, manifests, blobs })
    }
}
