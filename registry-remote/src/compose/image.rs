//! An image or an artifact made here.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use registry_name::{Algorithm, Digest};

use super::{
    Composed, Compression, Input,
    about::{About, Lists, about_setters},
    blobs::Blobs,
    config::{self, Config, Fields},
    empty,
    input::Content,
    pack::pack,
    unsupported,
};
use crate::{
    Descriptor, Error, Image, Layer, Platform,
    image::Config as Known,
    media_type::{self, is_config},
    verify,
};

/// Builds an image or an artifact from layers, a configuration and what is to be said about it.
///
/// The same parts give the same bytes, whenever and wherever they are put together: nothing is
/// dated, and keys are in a fixed order. (What a compressor makes of the same content may change
/// with its version.) Layers that are streams, or that are compressed here, wait in temporary files
/// without a name once they exceed 1 MiB.
///
/// ```
/// use std::sync::Arc;
/// use registry_remote::{Compression, CopyOptions, ImageBuilder, Input, Memory, Platform};
/// use registry_remote::{Sink, Source, copy};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let tar_file = vec![0_u8; 1024];
/// let mut image = ImageBuilder::new(&Platform::linux_amd64());
/// image.config(r#"{"config":{"Cmd":["/hello"]}}"#)?;
/// image.layer(Input::bytes(tar_file), Compression::Gzip).await?;
/// let image = image.annotation("org.opencontainers.image.version", "1.0").build()?;
///
/// let (from, source): (_, Arc<dyn Source>) = (image.identifier(), Arc::new(image));
/// let sink: Arc<dyn Sink> = Arc::new(Memory::new()); // or a layout, an archive, a repository
/// copy(&source, &from, &sink, Some(&"v1".parse()?), &CopyOptions::default()).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Layers that exist already are taken as they are, and stay where they are until the image is
/// copied; the registry that has them mounts them:
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use registry_name::Reference;
/// use registry_remote::{Client, Compression, ImageBuilder, Input};
///
/// let name: Reference = "registry.example/base/debian:13".parse()?;
/// let remote = Client::anonymous()?.remote(name.repository());
/// let base = remote.get(&name.identifier()).await?.image(None).await?;
/// let mut image = ImageBuilder::base(&base).await?;
/// image.layer(Input::file("app.tar"), Compression::Zstd).await?.annotation("made-by", "me");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ImageBuilder {
    config: Config,
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
    about: About,
    blobs: Blobs,
}

/// A layer, or another blob, that was just listed: what it is, is settled, and what is said about
/// it is not.
#[derive(Debug)]
pub struct Listed<'a>(&'a mut Descriptor);

impl Listed<'_> {
    /// Says something about it.
    pub fn annotation(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.0.annotations.insert(key.into(), value.into());
        self
    }

    /// What the manifest will say of it.
    pub fn descriptor(&self) -> &Descriptor {
        self.0
    }
}

impl ImageBuilder {
    /// An image that runs on a platform.
    pub fn new(platform: &Platform) -> Self {
        Self::with(Config::Image(platform.clone(), Fields::new()), About::default())
    }

    /// An image that has all that `base` has, to put more on top: its layers, as
    /// [`existing`](Self::existing) takes them, and its configuration with platform and history.
    /// What its manifest says about itself is left out.
    ///
    /// # Errors
    ///
    /// Where the configuration cannot be read; [`Error::Unsupported`] for an artifact, and for an
    /// image that does not say what it runs on.
    pub async fn base(base: &Image) -> Result<Self, Error> {
        let platform = base.platform().await?.ok_or_else(|| {
            unsupported(&format!("{} names no platform, so it is no base", base.digest()))
        })?;
        let mut builder = Self::new(&platform);
        builder.config(base.config().await?)?;
        for layer in base.layers().await? {
            builder.existing(&layer)?;
        }
        Ok(builder)
    }

    /// An artifact of that type: something else than an image, such as a signature. Its
    /// configuration is empty unless [`config_blob`](Self::config_blob) gives one.
    pub fn artifact(artifact_type: impl Into<String>) -> Self {
        let (empty, content) = empty();
        let mut builder =
            Self::with(Config::Given(Box::new(empty.clone()), None), About::default());
        builder.artifact_type(artifact_type);
        builder.blobs.keep(empty.digest, content);
        builder
    }

    fn with(config: Config, about: About) -> Self {
        let (layers, diff_ids) = (Vec::new(), Vec::new());
        Self { config, layers, diff_ids, about, blobs: Blobs::default() }
    }

    /// Sets fields of the configuration: a JSON object, as in the
    /// [image specification](https://github.com/opencontainers/image-spec/blob/main/config.md).
    /// What was set before under other names stays. The platform and `rootfs` are filled in here,
    /// and where there is a `history`, layers that it does not tell of are added to it.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for what is no JSON object, and for an artifact.
    pub fn config(&mut self, fields: impl AsRef<[u8]>) -> Result<&mut Self, Error> {
        let Config::Image(_, config) = &mut self.config else {
            return Err(unsupported(
                "the configuration of an artifact has no fields that are known",
            ));
        };
        config.extend(config::parse(fields.as_ref())?);
        Ok(self)
    }

    /// A configuration of any type, in the place of the one that would be made here.
    pub fn config_blob(
        &mut self,
        media_type: impl Into<String>,
        bytes: impl Into<Bytes>,
    ) -> &mut Self {
        let (media_type, bytes) = (media_type.into(), bytes.into());
        let known = is_config(&media_type).then(|| serde_json::from_slice::<Known>(&bytes).ok());
        let platform = known.flatten().and_then(|config| config.platform());
        let (descriptor, content) = small(media_type, bytes);
        self.blobs.keep(descriptor.digest.clone(), content);
        self.config = Config::Given(Box::new(descriptor), platform);
        self
    }

    /// Puts a layer on top: a tar file, compressed or not.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read; [`Error::Unsupported`] where something compressed is to be
    /// compressed; [`Error::Integrity`] where something compressed is broken.
    pub async fn layer(
        &mut self,
        input: Input,
        compression: Compression,
    ) -> Result<Listed<'_>, Error> {
        let packed = pack(input, compression).await?;
        self.diff_ids.push(packed.diff_id);
        self.blobs.keep(packed.descriptor.digest.clone(), packed.content);
        Ok(self.list(packed.descriptor))
    }

    /// Puts a layer on top that exists: one of another image, or what
    /// [`Remote::upload`](crate::Remote::upload) made. It keeps its annotations and its `urls`; of
    /// Docker's types it gets the OCI name, since the manifest is one of OCI.
    ///
    /// Nothing of it is read before the image is copied, and then from where it is: a registry that
    /// has it in another repository mounts it.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where its diff id is not known, which an image that runs has to list.
    pub fn existing(&mut self, layer: &Layer) -> Result<Listed<'_>, Error> {
        match (layer.diff_id(), &self.config) {
            (Some(diff_id), _) => self.diff_ids.push(diff_id.clone()),
            (None, Config::Given(..)) => {}
            (None, Config::Image(..)) => {
                let what = format!("the diff id of layer {} is not known", layer.digest());
                return Err(unsupported(&what));
            }
        }
        let mut descriptor = layer.descriptor().clone();
        if let Some(name) = media_type::oci_layer(&descriptor.media_type) {
            name.clone_into(&mut descriptor.media_type);
        }
        self.blobs.refer(&descriptor, layer.source());
        Ok(self.list(descriptor))
    }

    /// Adds a blob of any type as it is, as artifacts have them.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read; [`Error::Unsupported`] for an image that runs, all of whose
    /// layers have a diff id.
    pub async fn blob(
        &mut self,
        media_type: impl Into<String> + Send,
        input: Input,
    ) -> Result<Listed<'_>, Error> {
        if matches!(self.config, Config::Image(..)) {
            return Err(unsupported("an image that runs has layers, added by layer()"));
        }
        let media_type = media_type.into();
        let (mut descriptor, content) = input.keep().await?;
        descriptor.media_type = media_type;
        self.blobs.keep(descriptor.digest.clone(), content);
        Ok(self.list(descriptor))
    }

    about_setters!();

    /// Puts it together.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where the parts do not make one.
    pub fn build(&self) -> Result<Composed, Error> {
        let mut blobs = self.blobs.clone();
        let (config, platform) = match &self.config {
            Config::Given(descriptor, platform) => {
                (Descriptor::clone(descriptor), platform.clone())
            }
            Config::Image(platform, fields) => {
                let text = config::write(platform, fields, &self.diff_ids)?;
                let (config, content) = small(media_type::OCI_CONFIG.to_owned(), text.into());
                blobs.keep(config.digest.clone(), content);
                (config, Some(platform.clone()))
            }
        };
        let mut layers = self.layers.clone();
        if layers.is_empty() && !is_config(&config.media_type) {
            // An artifact has at least one, by the specification.
            let (empty, content) = empty();
            blobs.keep(empty.digest.clone(), content);
            layers.push(empty);
        }
        let lists = Lists::Image { config: &config, layers: &layers };
        let root = self.about.write(media_type::OCI_MANIFEST, lists)?;
        Ok(Composed {
            manifests: Arc::new(HashMap::from([(root.digest().clone(), root.clone())])),
            root,
            platform,
            blobs: Arc::new(blobs),
        })
    }

    fn list(&mut self, descriptor: Descriptor) -> Listed<'_> {
        let at = self.layers.len();
        self.layers.push(descriptor);
        Listed(&mut self.layers[at])
    }
}

fn small(media_type: String, bytes: Bytes) -> (Descriptor, Content) {
    let digest = verify::digest(Algorithm::Sha256, &bytes);
    let descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
    (descriptor, Content::Bytes(bytes))
}
