//! Images made here, without a registry: from layers and a configuration to something that can be
//! copied anywhere.

mod index;
mod input;
mod pack;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use registry_name::{Algorithm, Digest, Identifier};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub use self::{index::IndexBuilder, input::Input, pack::Compression};
use self::{input::Content, pack::pack};
use crate::{ByteStream, Descriptor, Error, Manifest, Platform, Source, media_type, verify};

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
#[derive(Debug)]
pub struct ImageBuilder {
    config: Config,
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
    about: About,
    blobs: HashMap<Digest, Content>,
}

#[derive(Debug)]
enum Config {
    /// Of an image that runs. The exact text of each field.
    Image(Platform, BTreeMap<String, Box<RawValue>>),
    /// Anything else.
    Other(Descriptor),
}

/// What a manifest and an index may say beside what they list.
#[derive(Debug, Default)]
struct About {
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

/// An image, an artifact or an index that was put together here, with all that it is made of: a
/// [`Source`] to [`copy`](crate::copy()) from.
#[derive(Clone, Debug)]
pub struct Composed {
    root: Manifest,
    platform: Option<Platform>,
    manifests: Arc<HashMap<Digest, Manifest>>,
    blobs: Arc<HashMap<Digest, Content>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageDocument<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a String>,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RootFs<'a> {
    r#type: &'a str,
    diff_ids: &'a [Digest],
}

impl ImageBuilder {
    /// An image that runs on a platform.
    pub fn new(platform: &Platform) -> Self {
        Self::with(Config::Image(platform.clone(), BTreeMap::new()), About::default())
    }

    /// An artifact of that type: something else than an image, such as a signature. Its
    /// configuration is empty unless [`config_blob`](Self::config_blob) gives one.
    pub fn artifact(artifact_type: impl Into<String>) -> Self {
        let (empty, content) = empty();
        let about = About { artifact_type: Some(artifact_type.into()), ..About::default() };
        let mut builder = Self::with(Config::Other(empty.clone()), about);
        builder.blobs.insert(empty.digest, content);
        builder
    }

    fn with(config: Config, about: About) -> Self {
        let (layers, diff_ids) = (Vec::new(), Vec::new());
        Self { config, layers, diff_ids, about, blobs: HashMap::new() }
    }

    /// Sets fields of the configuration: a JSON object, as in the
    /// [image specification](https://github.com/opencontainers/image-spec/blob/main/config.md).
    /// What was set before under other names stays. The platform and `rootfs` are filled in here.
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
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(fields.as_ref())
            .map_err(|error| unsupported(&format!("a configuration is a JSON object ({error})")))?;
        config.extend(fields);
        Ok(self)
    }

    /// A configuration of any type, in the place of the one that would be made here.
    pub fn config_blob(&mut self, media_type: impl Into<String>, bytes: impl Into<bytes::Bytes>) {
        let content = Content::Bytes(bytes.into());
        self.config = Config::Other(self.keep(media_type, content));
    }

    /// Puts a layer on top: a tar file, compressed or not. What is returned can be given annotations.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read; [`Error::Unsupported`] where something compressed is to be
    /// compressed; [`Error::Integrity`] where something compressed is broken.
    pub async fn layer(
        &mut self,
        input: Input,
        compression: Compression,
    ) -> Result<&mut Descriptor, Error> {
        let packed = pack(input, compression).await?;
        self.diff_ids.push(packed.diff_id);
        self.blobs.insert(packed.descriptor.digest.clone(), packed.content);
        Ok(self.list(packed.descriptor))
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
    ) -> Result<&mut Descriptor, Error> {
        if matches!(self.config, Config::Image(..)) {
            return Err(unsupported("an image that runs has layers, added by layer()"));
        }
        let media_type = media_type.into();
        let (mut descriptor, content) = input.keep().await?;
        descriptor.media_type = media_type;
        self.blobs.insert(descriptor.digest.clone(), content);
        Ok(self.list(descriptor))
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

    /// The manifest that this one is about.
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
    pub fn build(mut self) -> Result<Composed, Error> {
        let (config, platform) = self.finish_config()?;
        if self.layers.is_empty() && platform.is_none() {
            // An artifact has at least one, by the specification.
            let (empty, content) = empty();
            self.blobs.insert(empty.digest.clone(), content);
            self.layers.push(empty);
        }
        let document = ImageDocument {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            artifact_type: self.about.artifact_type.as_ref(),
            config: &config,
            layers: &self.layers,
            subject: self.about.subject.as_ref(),
            annotations: &self.about.annotations,
        };
        let root = manifest(&document)?;
        Ok(Composed {
            manifests: Arc::new(HashMap::from([(root.digest().clone(), root.clone())])),
            root,
            platform,
            blobs: Arc::new(self.blobs),
        })
    }

    fn finish_config(&mut self) -> Result<(Descriptor, Option<Platform>), Error> {
        let (platform, mut fields) = match &self.config {
            Config::Other(descriptor) => return Ok((descriptor.clone(), None)),
            Config::Image(platform, fields) => (platform.clone(), fields.clone()),
        };
        let said = serde_json::to_vec(&platform).map_err(|error| unwritable(&error))?;
        let said: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&said).map_err(|error| unwritable(&error))?;
        fields.extend(said);
        let rootfs = RootFs { r#type: "layers", diff_ids: &self.diff_ids };
        fields.insert(
            "rootfs".to_owned(),
            to_raw_value(&rootfs).map_err(|error| unwritable(&error))?,
        );
        let text = serde_json::to_vec(&fields).map_err(|error| unwritable(&error))?;
        let config = self.keep(media_type::OCI_CONFIG, Content::Bytes(text.into()));
        Ok((config, Some(platform)))
    }

    fn keep(&mut self, media_type: impl Into<String>, content: Content) -> Descriptor {
        let bytes = match &content {
            Content::Bytes(bytes) => &bytes[..],
            Content::File { .. } => &[],
        };
        let digest = verify::digest(Algorithm::Sha256, bytes);
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        self.blobs.insert(digest, content);
        descriptor
    }

    fn list(&mut self, descriptor: Descriptor) -> &mut Descriptor {
        let at = self.layers.len();
        self.layers.push(descriptor);
        &mut self.layers[at]
    }
}

impl Composed {
    /// The manifest or the index.
    pub fn manifest(&self) -> &Manifest {
        &self.root
    }

    /// What names it: its digest.
    pub fn identifier(&self) -> Identifier {
        Identifier::Digest(self.root.digest().clone())
    }

    fn missing(what: String) -> Error {
        Error::NotFound { location: "what was composed here".to_owned(), what }
    }
}

#[async_trait]
impl Source for Composed {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let found = identifier.digest().and_then(|digest| self.manifests.get(digest));
        found.cloned().ok_or_else(|| Self::missing(format!("manifest {identifier}")))
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let content = self.blobs.get(&descriptor.digest);
        let content =
            content.ok_or_else(|| Self::missing(format!("blob {}", descriptor.digest)))?;
        Ok(content.open(offset))
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let content = self.blobs.get(digest);
        let content = content.ok_or_else(|| Self::missing(format!("blob {digest}")))?;
        Ok(Descriptor::unknown(digest.clone(), content.size()))
    }
}

/// The configuration of what has none.
fn empty() -> (Descriptor, Content) {
    let bytes: &[u8] = b"{}";
    let digest = verify::digest(Algorithm::Sha256, bytes);
    let descriptor = Descriptor::new(media_type::OCI_EMPTY, digest, bytes.len() as u64);
    (descriptor, Content::Bytes(bytes.into()))
}

/// A descriptor as a subject has it: what it is, and nothing about it.
fn plain(subject: &Descriptor) -> Descriptor {
    Descriptor::new(subject.media_type.clone(), subject.digest.clone(), subject.size)
}

fn manifest(document: &impl Serialize) -> Result<Manifest, Error> {
    let text = serde_json::to_vec(document).map_err(|error| unwritable(&error))?;
    Manifest::new(text, None, "what was composed here")
}

fn unwritable(error: &serde_json::Error) -> Error {
    unsupported(&format!("this cannot be written as JSON ({error})"))
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported { what: what.to_owned() }
}
