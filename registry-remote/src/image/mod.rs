//! Images, indexes and layers, read lazily from any [`Source`].

mod config;
mod fetched;
mod index;
mod layer;
mod unpack;

use std::sync::Arc;

use bytes::Bytes;
use registry_name::{Digest, Identifier};
use tokio::sync::OnceCell;

pub(crate) use self::{
    config::{Config, MAX_CONFIG},
    unpack::{DiffHasher, is_packed},
};
pub use self::{
    fetched::{Fetched, Version, get},
    index::{Entry, Index},
    layer::Layer,
    unpack::Unpacked,
};
use crate::{Descriptor, Error, Manifest, Platform, Source, media_type, read_blob};

/// An image for one platform: a manifest, a configuration and layers.
///
/// Only the manifest is here from the start; the configuration is read once, when it is first asked
/// for, and layers as streams.
///
/// ```no_run
/// # use registry_name::Reference;
/// # use registry_remote::Client;
/// # use futures_util::TryStreamExt as _;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let name: Reference = "quay.io/prometheus/busybox:latest".parse()?;
/// let remote = Client::anonymous()?.remote(name.repository());
/// let image = remote.get(&name.identifier()).await?.image(None).await?;
/// println!("image id {}", image.id());
/// for layer in image.layers().await? {
///     let mut bytes = 0;
///     let mut content = layer.uncompressed().await?;
///     while let Some(chunk) = content.try_next().await? {
///         bytes += chunk.len();
///     }
///     println!("{} has {bytes} bytes of tar", layer.digest());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    source: Arc<dyn Source>,
    manifest: Manifest,
    config: Box<Descriptor>,
    config_bytes: Arc<OnceCell<Bytes>>,
}

impl Image {
    /// The image that a tag or a digest names; of an index the one for `platform`, or where that is
    /// `None` for the source's ([`Source::platform`]), `linux/amd64` unless its client was given
    /// another.
    ///
    /// # Errors
    ///
    /// As [`Fetched::image`].
    pub async fn open(
        source: &Arc<dyn Source>,
        identifier: &Identifier,
        platform: Option<&Platform>,
    ) -> Result<Self, Error> {
        get(source, identifier).await?.image(platform).await
    }

    /// The image of a manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] for an index; [`Error::Unsupported`] for Docker's schema 1.
    pub fn new(source: Arc<dyn Source>, manifest: Manifest) -> Result<Self, Error> {
        let what = || format!("{} of {}", manifest.digest(), source.location());
        manifest.check_understood(&what())?;
        let Some(config) = manifest.config().cloned() else {
            let reason = "it is an index, not an image".to_owned();
            return Err(Error::Manifest { what: what(), reason });
        };
        Ok(Self { source, manifest, config: Box::new(config), config_bytes: Arc::default() })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's digest, which names the image at a registry.
    pub fn digest(&self) -> &Digest {
        self.manifest.digest()
    }

    /// The image id: the digest of the configuration, which names the image where it runs.
    pub fn id(&self) -> &Digest {
        &self.config.digest
    }

    /// The exact bytes of the configuration, verified. At most 8 MiB.
    ///
    /// # Errors
    ///
    /// As the source has them, [`Error::Integrity`], [`Error::Limit`].
    pub async fn config(&self) -> Result<Bytes, Error> {
        let read = || read_blob(self.source.as_ref(), &self.config, MAX_CONFIG);
        self.config_bytes.get_or_try_init(read).await.cloned()
    }

    /// The configuration as [`oci_spec`] types, for reading: a view, not something to serialise.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config); [`Error::Manifest`] where it does not read as one.
    pub async fn to_oci_config(&self) -> Result<oci_spec::image::ImageConfiguration, Error> {
        let bytes = self.config().await?;
        oci_spec::image::ImageConfiguration::from_reader(bytes.as_ref()).map_err(|error| {
            self.refuse(format!("its configuration does not read as one ({error})"))
        })
    }

    /// The platform that the configuration names; `None` where it names none.
    ///
    /// # Errors
    ///
    /// As [`diff_ids`](Self::diff_ids).
    pub async fn platform(&self) -> Result<Option<Platform>, Error> {
        Ok(self.parsed().await?.and_then(|config| config.platform()))
    }

    /// The digests of the layers as plain tar files, the lowest first; none for an artifact, whose
    /// configuration does not list any.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config); [`Error::Manifest`] where the configuration does not read as
    /// one, or lists more or fewer of them than there are layers, or none.
    pub async fn diff_ids(&self) -> Result<Vec<Digest>, Error> {
        let Some(config) = self.parsed().await? else { return Ok(Vec::new()) };
        let ids = config.diff_ids();
        let layers = self.manifest.layers().len();
        if ids.len() != layers {
            let reason = format!("it has {layers} layers, and {} by its configuration", ids.len());
            return Err(self.refuse(reason));
        }
        Ok(ids)
    }

    /// The layers, the lowest first.
    ///
    /// # Errors
    ///
    /// As [`diff_ids`](Self::diff_ids), which each layer knows its own of.
    pub async fn layers(&self) -> Result<Vec<Layer>, Error> {
        let mut ids = self.diff_ids().await?.into_iter();
        let layers =
            self.manifest.layers().iter().map(|descriptor| {
                Layer::new(Arc::clone(&self.source), descriptor.clone(), ids.next())
            });
        Ok(layers.collect())
    }

    /// `None` for an artifact, whose configuration means something else.
    async fn parsed(&self) -> Result<Option<Config>, Error> {
        if !media_type::is_config(&self.config.media_type) {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&self.config().await?);
        parsed.map(Some).map_err(|error| {
            self.refuse(format!("its configuration does not read as one ({error})"))
        })
    }

    fn refuse(&self, reason: String) -> Error {
        Error::Manifest { what: format!("{} of {}", self.digest(), self.source.location()), reason }
    }
}
