//! A repository of a registry: what can be read from it and written to it.

mod delete;
mod download;
mod fetch;
mod foreign;
mod page;
mod publish;
mod recent;
mod referrers;
mod resume;
mod suspects;
mod tags;
mod upload;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use http::Method;
use registry_authn::{Resource, Scopes};
use registry_name::{Digest, Identifier, Registry, Repository, Tag};
use registry_transport::{Budget, Error as TransportError, ErrorKind, Request};

use self::{download::Blob, suspects::Suspects};
pub(crate) use self::{
    recent::Recent,
    referrers::Turns,
    upload::{OpenUploads, Places},
};
pub use self::{
    referrers::Referrers,
    tags::{Repositories, Tags},
};
use crate::{
    ByteStream, Client, Complaint, CopyListener, Descriptor, Error, Manifest, Part, Parts,
    Platform, Sink, Source, Stored, copy::Listener, learnt::Learnt, local::save::save, referrer,
};

/// A repository of a registry. Cheap to clone.
///
/// It is a [`Source`] and a [`Sink`], so that [`copy`](crate::copy()) pulls from it and pushes to
/// it; its own methods are the single steps.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
    repository: Repository,
    registry: Registry,
    events: Listener,
    /// Past the registry's mirrors.
    upstream: bool,
    /// What the registry lacks is read from the URLs of its descriptor.
    foreign: bool,
    suspects: Suspects,
}

impl Remote {
    pub(crate) fn new(client: Client, repository: Repository) -> Self {
        let registry = repository.registry();
        let (events, upstream, foreign) = (Listener::default(), false, false);
        let suspects = Suspects::default();
        Self { client, repository, registry, events, upstream, foreign, suspects }
    }

    /// The repository that this is.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The same repository without its registry's mirrors, which may lag behind it: for whoever
    /// writes what follows from what is read.
    #[must_use]
    pub fn upstream(&self) -> Self {
        Self { upstream: true, ..self.clone() }
    }

    /// A blob's bytes from the start, verified at the end. An interrupted transfer goes on where
    /// it stopped.
    ///
    /// # Errors
    ///
    /// Before the first byte: what the registry said. Within the stream: what could not be
    /// recovered from; [`Error::Integrity`] where the bytes were not the blob's.
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<crate::Verified, Error> {
        crate::verified_blob(self, descriptor).await
    }

    /// A blob as the file `path`, which is replaced once all of the blob is here, and right: one large
    /// layer, such as the weights of a model. Says whether it was there already.
    ///
    /// Several connections bring a large one where that helps. What was fetched of a blob of 1 MiB or
    /// more before the program ended stays beside `path`, in a file named by the digest, and the next
    /// call goes on from there, for a week. Of several processes that want the same file, one fetches
    /// it and the others wait.
    ///
    /// ```no_run
    /// # async fn example(remote: registry_remote::Remote) -> Result<(), registry_remote::Error> {
    /// let manifest = remote.get_manifest(&"v1".parse().expect("a tag")).await?;
    /// if let Some(weights) = manifest.layers().first() {
    ///     remote.save_blob(weights, "model.bin").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`blob`](Self::blob); [`Error::Local`] where the file cannot be written. Whatever was at
    /// `path` is still there then.
    pub async fn save_blob(
        &self,
        descriptor: &Descriptor,
        path: impl AsRef<Path>,
    ) -> Result<Stored, Error> {
        let source: Arc<dyn Source> = Arc::new(self.clone());
        save(&source, descriptor, path.as_ref()).await
    }

    /// The size of a blob that is known by its digest only. The media type is unknown.
    ///
    /// Costs one `HEAD`; where the registry refuses that (400, 403, 405, 501 and their like) or gives
    /// no length, a `GET` whose body is not read. What a `GET` would not change is an error at once: a
    /// blob that is not there, credentials, a limit of requests, a registry in trouble.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Unsupported`] where it never says how long the blob is.
    pub async fn head_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let send = |method| {
            let request = self.request(method, &format!("blobs/{digest}"), self.pull());
            self.client.transport().send(request.expect(&[200]))
        };
        let attempt = || format!("look up blob {digest} of {}", self.repository);
        let mut size = match send(Method::HEAD).await {
            // No length is a length of nothing to some.
            Ok(head) => head.content_length().filter(|size| *size > 0),
            Err(error) if is_about_head(&error) => None,
            Err(error) => return Err(Error::registry(attempt)(error)),
        };
        if size.is_none() {
            size = send(Method::GET).await.map_err(Error::registry(attempt))?.content_length();
        }
        let unknown = || format!("{} does not say how long blob {digest} is", self.repository);
        let size = size.ok_or_else(|| Error::Unsupported { what: unknown() })?;
        Ok(Descriptor::unknown(digest.clone(), size))
    }

    /// A request to `/v2/<repository>/<route>`. Only validated names become part of a route.
    fn request(&self, method: Method, route: &str, scopes: Scopes) -> Request {
        let path = format!("/v2/{}/{route}", self.repository.path());
        let request = Request::new(method, &self.registry, &path)
            .resource(Resource::Repository(self.repository.clone()))
            .scopes(scopes);
        if self.upstream { request.upstream() } else { request }
    }

    /// What the registry turned out to do or not to do.
    fn learnt(&self) -> Learnt {
        self.client.state().lessons.of(&self.registry)
    }

    fn learn(&self, lesson: impl FnOnce(&mut Learnt)) {
        self.client.state().lessons.learn(&self.registry, lesson);
    }

    fn pull(&self) -> Scopes {
        Scopes::pull(&self.repository)
    }

    fn push(&self) -> Scopes {
        Scopes::push(&self.repository)
    }

    /// `ghcr.io/a/b:v1`, `ghcr.io/a/b@sha256:…`
    fn name(&self, identifier: &Identifier) -> String {
        match identifier {
            Identifier::Tag(tag) => format!("{}:{tag}", self.repository),
            Identifier::Digest(digest) => format!("{}@{digest}", self.repository),
        }
    }
}

/// Whether a `HEAD` may have failed for being one. The transport may have asked with `GET` already.
fn is_about_head(error: &TransportError) -> bool {
    let kinds = [ErrorKind::Unsupported, ErrorKind::Rejected, ErrorKind::Denied];
    error.method() == Some(&Method::HEAD) && kinds.contains(&error.kind())
}

#[async_trait]
impl Source for Remote {
    fn location(&self) -> String {
        self.repository.to_string()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.get_manifest(identifier).await
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let budget = Budget::for_blob(descriptor.size);
        let blob = self.open(descriptor, offset, budget).await?;
        Ok(Box::pin(blob.into_stream()))
    }

    fn platform(&self) -> Option<&Platform> {
        Some(self.client.platform())
    }

    fn parts(&self, descriptor: &Descriptor) -> Option<Parts> {
        if self.foreign && !descriptor.urls.is_empty() {
            return None;
        }
        let (remote, blob) = (self.clone(), descriptor.clone());
        let budget = Budget::for_blob(blob.size);
        let parts = Parts::new(move |part| {
            let (remote, blob, budget) = (remote.clone(), blob.clone(), budget.clone());
            Box::pin(async move {
                let blob = match part {
                    Part::From(offset) => Some(remote.open(&blob, offset, budget).await?),
                    Part::Range(range) => Blob::open_part(remote, &blob, range, budget).await?,
                };
                Ok(blob.map(|blob| -> ByteStream { Box::pin(blob.into_stream()) }))
            })
        });
        Some(parts.sharing(self.client.ranged_connections()))
    }

    fn with_foreign_layers(&self) -> Option<Arc<dyn Source>> {
        Some(Arc::new(Self::with_foreign_layers(self)))
    }

    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        let (suspects, blob) = (self.suspects.clone(), blob.clone());
        Some(Box::new(move |_| suspects.distrust(&blob)))
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        self.head_blob(digest).await
    }

    fn repository(&self) -> Option<&Repository> {
        Some(&self.repository)
    }

    fn watched(&self, events: &CopyListener) -> Option<Arc<dyn Source>> {
        Some(Arc::new(Self { events: Listener(Some(Arc::clone(events))), ..self.clone() }))
    }

    async fn list_tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.tags().all().await.map(Some)
    }

    async fn referrers_of(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        self.referrers(subject, artifact_type).await.map(|found| Some(found.descriptors))
    }
}

#[async_trait]
impl Sink for Remote {
    fn location(&self) -> String {
        self.repository.to_string()
    }

    async fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        self.upstream().probe(identifier).await
    }

    async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Arc<dyn Source>,
    ) -> Result<Stored, Error> {
        upload::put_blob(self, descriptor, source).await
    }

    async fn put_manifest(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        let is_list = |tag: &&Tag| referrer::is_list(tag, manifest);
        let (lists, tags): (Vec<&Tag>, Vec<_>) = tags.iter().partition(is_list);
        let mut is_there = false;
        for tag in lists {
            // What refers to our copy is listed there, and not only what refers to theirs.
            is_there |= self.merge_list(tag, manifest).await?;
        }
        if is_there && tags.is_empty() {
            return Ok(());
        }
        let tags: Vec<_> = tags.into_iter().cloned().collect();
        self.put_manifest_tags(manifest, &tags).await
    }

    async fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        upload::is_there(self, &descriptor.digest, Some(descriptor.size)).await
    }

    fn repository(&self) -> Option<&Repository> {
        Some(&self.repository)
    }

    async fn repair(&self, manifest: &Manifest, source: &Arc<dyn Source>) -> Result<bool, Error> {
        upload::repair(self, manifest, source).await.map(|()| true)
    }

    async fn abandon(&self) {
        self.client.state().uploads.settle().await;
    }
}
