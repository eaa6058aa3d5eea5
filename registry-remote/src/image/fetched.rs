//! What was got by a name: bytes, and what can be made of them.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use registry_name::{Digest, Identifier};
use serde::{Deserialize, Serialize};

use super::{Image, Index};
use crate::{
    Descriptor, Error, Manifest, Platform, Source, media_type, select, store::named_manifest,
};

/// What a tag or a digest names: verified bytes that nobody has interpreted yet.
///
/// ```no_run
/// # use registry_name::Reference;
/// # use registry_remote::Client;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let name: Reference = "quay.io/prometheus/busybox:latest".parse()?;
/// let got = Client::anonymous()?.remote(name.repository()).get(&name.identifier()).await?;
/// println!("{} is {}", name, got.descriptor().media_type);
/// let image = got.image(Some(&"linux/arm64".parse()?)).await?;
/// println!("image id {}", image.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetched {
    source: Arc<dyn Source>,
    what: String,
    bytes: Bytes,
    descriptor: Descriptor,
    /// What the registry calls it, as far as that is known.
    name: Option<Digest>,
    content_type: Option<String>,
    etag: Option<String>,
}

/// Which state of a tag somebody knows: what
/// [`get_if_changed`](crate::Remote::get_if_changed) compares with. It can be kept across processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// The digest by which the registry knows the manifest; see [`Manifest::name`].
    pub digest: Digest,
    /// The registry's own mark of this state, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// What a tag or a digest names in any source.
///
/// # Errors
///
/// As the source has them; unlike [`Remote::get`](crate::Remote::get) this refuses what is no manifest.
pub async fn get(source: &Arc<dyn Source>, identifier: &Identifier) -> Result<Fetched, Error> {
    let manifest = named_manifest(source.as_ref(), identifier).await?;
    let what = format!("{identifier} of {}", source.location());
    let descriptor = manifest.descriptor().clone();
    let bytes = manifest.bytes().clone();
    let media_type = descriptor.media_type.clone();
    let fetched = Fetched::new(Arc::clone(source), what, bytes, descriptor.digest);
    Ok(fetched.of_type(Some(media_type)))
}

/// The platform that is meant: the one that is asked for, else what the source prefers.
pub(super) fn wanted(source: &Arc<dyn Source>, asked: Option<&Platform>) -> Platform {
    asked.or_else(|| source.platform()).cloned().unwrap_or_else(Platform::linux_amd64)
}

impl Fetched {
    pub(crate) fn new(source: Arc<dyn Source>, what: String, bytes: Bytes, digest: Digest) -> Self {
        let descriptor = Descriptor::unknown(digest, bytes.len() as u64);
        Self { source, what, bytes, descriptor, name: None, content_type: None, etag: None }
    }

    /// What the carrier says it is. Where the bytes read as a manifest, they have the last word.
    pub(crate) fn of_type(mut self, content_type: Option<String>) -> Self {
        self.content_type = content_type;
        if let Ok(manifest) = self.manifest() {
            self.name = Some(manifest.name().clone());
            self.descriptor = manifest.descriptor().clone();
        } else if let Some(said) = self.content_type.as_deref() {
            self.descriptor.media_type = media_type::essence(said);
        }
        self
    }

    pub(crate) fn with_name(mut self, name: Option<Digest>) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn with_etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Media type, digest and size of the bytes; of a manifest exactly what its own
    /// [`descriptor`](Manifest::descriptor) says.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// This state of the tag, to ask later whether it changed.
    pub fn version(&self) -> Version {
        let digest = self.name.as_ref().unwrap_or(&self.descriptor.digest).clone();
        Version { digest, etag: self.etag.clone() }
    }

    /// The bytes as a manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where they are none.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let digest = self.descriptor.digest.clone();
        let said = self.content_type.as_deref();
        let manifest = Manifest::of(self.bytes.clone(), said, digest, &self.what)?;
        Ok(match &self.name {
            Some(name) => manifest.with_name(name.clone()),
            None => manifest,
        })
    }

    /// The image: of an index the one for `platform`, or where that is `None` for the source's
    /// ([`Source::platform`]), `linux/amd64` unless the client was given another. What is an image already is taken as it is,
    /// unless `platform` is given and its configuration says otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::NoPlatform`] with what is offered; [`Error::Unsupported`] for Docker's schema 1;
    /// [`Error::Manifest`] for what is no image.
    pub async fn image(&self, platform: Option<&Platform>) -> Result<Image, Error> {
        let manifest = self.manifest()?;
        manifest.check_understood(&self.what)?;
        let manifest = match platform {
            None if !manifest.is_index() => manifest,
            platform => {
                select::image(self.source.as_ref(), manifest, &wanted(&self.source, platform))
                    .await?
            }
        };
        Image::new(Arc::clone(&self.source), manifest)
    }

    /// The index.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] for what is none.
    pub fn index(&self) -> Result<Index, Error> {
        Index::new(Arc::clone(&self.source), self.manifest()?)
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("what", &self.what)
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}

impl Version {
    /// The value of `If-None-Match`. Without a mark of the registry's own the digest in quotes is
    /// tried, which is what registries commonly use.
    pub(crate) fn condition(&self) -> String {
        self.etag.clone().unwrap_or_else(|| format!("\"{}\"", self.digest))
    }
}

impl From<Digest> for Version {
    fn from(digest: Digest) -> Self {
        Self { digest, etag: None }
    }
}
