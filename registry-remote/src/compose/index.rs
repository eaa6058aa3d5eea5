//! An index made here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Serialize;

use super::{About, Composed, manifest, plain};
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
///     index = index.image(&image.build()?);
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexDocument<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a String>,
    manifests: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl IndexBuilder {
    /// An index without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists what was composed here, an image for its own platform.
    #[must_use]
    pub fn image(self, part: &Composed) -> Self {
        self.image_for(part, part.platform.clone())
    }

    /// Lists what was composed here, for that platform or for none.
    #[must_use]
    pub fn image_for(mut self, part: &Composed, platform: Option<Platform>) -> Self {
        let mut entry = part.manifest().descriptor().clone();
        entry.platform = platform;
        self.parts.push(part.clone());
        self.entry(entry)
    }

    /// Lists something that will be where this index is copied to: a copy takes it along only if
    /// its source has it.
    #[must_use]
    pub fn entry(mut self, entry: Descriptor) -> Self {
        self.entries.push(entry);
        self
    }

    /// Says something about the whole.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.about.annotations.insert(key.into(), value.into());
        self
    }

    /// What kind of artifact this is.
    #[must_use]
    pub fn artifact_type(mut self, artifact_type: impl Into<String>) -> Self {
        self.about.artifact_type = Some(artifact_type.into());
        self
    }

    /// The manifest that this index is about.
    #[must_use]
    pub fn subject(mut self, subject: &Descriptor) -> Self {
        self.about.subject = Some(plain(subject));
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where the parts do not make one.
    pub fn build(self) -> Result<Composed, Error> {
        let root = manifest(&IndexDocument {
            schema_version: 2,
            media_type: media_type::OCI_INDEX,
            artifact_type: self.about.artifact_type.as_ref(),
            manifests: &self.entries,
            subject: self.about.subject.as_ref(),
            annotations: &self.about.annotations,
        })?;
        let (mut manifests, mut blobs) = (HashMap::new(), HashMap::new());
        for part in &self.parts {
            manifests
                .extend(part.manifests.iter().map(|(key, value)| (key.clone(), value.clone())));
            blobs.extend(part.blobs.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        manifests.insert(root.digest().clone(), root.clone());
        let (manifests, blobs) = (Arc::new(manifests), Arc::new(blobs));
        Ok(Composed { root, platform: None, manifests, blobs })
    }
}
