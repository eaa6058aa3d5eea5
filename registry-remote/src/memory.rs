//! Manifests and blobs in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use registry_name::{Algorithm, Digest, Identifier, Tag};

use crate::{
    ByteStream, Descriptor, Error, Manifest, Sink, Source, Stored, referrer, verified_blob, verify,
};

/// A store in memory: for tests, and for images that are composed rather than copied.
///
/// ```
/// # use registry_remote::{Manifest, Memory, media_type};
/// let memory = Memory::new();
/// let config = memory.add_blob(media_type::OCI_CONFIG, "{}");
/// let text = format!(
///     r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[]}}"#,
///     config.media_type, config.digest, config.size,
/// );
/// let manifest = Manifest::new(text, None, "the example")?;
/// memory.add_manifest(manifest, Some("v1".parse()?));
/// assert_eq!(memory.tags().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Memory {
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    blobs: HashMap<Digest, Bytes>,
    manifests: HashMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a blob, and describes it.
    pub fn add_blob(&self, media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let digest = verify::digest(Algorithm::Sha256, &bytes);
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        self.content().blobs.insert(digest, bytes);
        descriptor
    }

    /// Adds a manifest, and points `tag` at it.
    pub fn add_manifest(&self, manifest: Manifest, tag: Option<Tag>) {
        let mut content = self.content();
        if let Some(tag) = tag {
            content.tags.insert(tag, manifest.digest().clone());
        }
        content.manifests.insert(manifest.digest().clone(), manifest);
    }

    /// The bytes of a blob, if it is here.
    pub fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.content().blobs.get(digest).cloned()
    }

    /// The tags, and what each names.
    pub fn tags(&self) -> BTreeMap<Tag, Digest> {
        self.content().tags.clone()
    }

    /// Nothing that can panic happens while the lock is held, so poison means nothing.
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(what: String) -> Error {
        Error::NotFound { location: "memory".to_owned(), what }
    }
}

#[async_trait]
impl Source for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let content = self.content();
        let digest = match identifier {
            Identifier::Digest(digest) => Some(digest),
            Identifier::Tag(tag) => content.tags.get(tag),
        };
        let found = digest.and_then(|digest| content.manifests.get(digest)).cloned();
        found.ok_or_else(|| Self::missing(format!("manifest {identifier}")))
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let bytes = self.blob(&descriptor.digest);
        let bytes = bytes.ok_or_else(|| Self::missing(format!("blob {}", descriptor.digest)))?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Box::pin(stream::iter([Ok(bytes.slice(offset..))])))
    }

    async fn list_tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        Ok(Some(self.tags().into_keys().collect()))
    }

    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let content = self.content();
        let referring =
            content.manifests.values().filter_map(|found| referrer::entry_of(found, subject));
        let mut found: Vec<_> = referring.collect();
        referrer::retain_type(&mut found, artifact_type);
        found.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(Some(found))
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let bytes = self.blob(digest).ok_or_else(|| Self::missing(format!("blob {digest}")))?;
        Ok(Descriptor::unknown(digest.clone(), bytes.len() as u64))
    }
}

#[async_trait]
impl Sink for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        let content = self.content();
        Ok(match identifier {
            Identifier::Tag(tag) => content.tags.get(tag).cloned(),
            Identifier::Digest(digest) => {
                content.manifests.contains_key(digest).then(|| digest.clone())
            }
        })
    }

    async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Arc<dyn Source>,
    ) -> Result<Stored, Error> {
        if self.content().blobs.contains_key(&descriptor.digest) {
            return Ok(Stored::Present);
        }
        let mut stream = verified_blob(source.as_ref(), descriptor).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        self.content().blobs.insert(descriptor.digest.clone(), bytes.freeze());
        Ok(Stored::Written)
    }

    async fn put_manifest(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        self.add_manifest(manifest.clone(), None);
        let digest = manifest.digest();
        self.content().tags.extend(tags.iter().map(|tag| (tag.clone(), digest.clone())));
        Ok(())
    }

    async fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(self.content().blobs.contains_key(&descriptor.digest))
    }
}
