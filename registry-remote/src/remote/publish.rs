//! Writing manifests: by digest, under a tag, under several
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pushing manifests").

use bytes::Bytes;
use http::{
    Method,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use registry_name::{Algorithm, Digest, Identifier, Tag};
use registry_transport::{
    Body, Budget, Error as TransportError, ErrorCode, ErrorKind, Replay, Request, Response,
};

use super::{Remote, fetch::announced, recent::Seen};
use crate::{Descriptor, Error, Manifest, Mismatch, media_type, verify};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// How often a manifest is put where the outcome of a request stays unknown.
const MAX_PUTS: usize = 3;
/// Tags in one request: what the specification wants of a registry at least.
const MANY: usize = 10;

/// Bytes that a registry is to store as a manifest, whatever they are.
struct Raw<'a> {
    bytes: &'a Bytes,
    media_type: &'a str,
    digest: &'a Digest,
    manifest: Option<&'a Manifest>,
    replaces: Replaces<'a>,
}

/// What a manifest may be put in the place of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Replaces<'a> {
    Anything,
    Nothing,
    /// What has this strong entity tag.
    Only(&'a str),
}

impl<'a> Raw<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let (bytes, digest) = (manifest.bytes(), manifest.name());
        Self {
            bytes,
            media_type: manifest.media_type(),
            digest,
            manifest: Some(manifest),
            replaces: Replaces::Anything,
        }
    }

    fn is_named(&self, digest: &Digest) -> bool {
        self.manifest.map_or(digest == self.digest, |manifest| manifest.is_named(digest))
    }
}

/// What a registry said of a manifest that it stored.
#[derive(Debug, Default)]
struct Receipt {
    /// It keeps the referrers of the manifest's subject itself.
    subject: bool,
    /// Tags that it set, where it was asked to set several.
    tags: Vec<Tag>,
}

/// What came of several tags in one request.
enum Many {
    Stored(Receipt),
    /// This registry does not know how; whatever it did set is set again one by one.
    Unknown,
    /// Each has to be looked at.
    Doubtful(TransportError),
}

impl Remote {
    /// Stores a manifest's exact bytes and points these tags at it; without a tag it is known by
    /// its digest alone. What it needs must be there: blobs before images, images before indexes.
    ///
    /// One request for one tag or none. Several tags travel in one request (`?tag=`) where the
    /// registry offers that, and otherwise in one each. By sha512 a manifest is stored by its
    /// digest first, since under a tag registries name it by sha256.
    ///
    /// Where the manifest has a subject and the registry does not keep referrers itself, the
    /// referrers tag is kept up to date.
    ///
    /// A registry that says it stored the manifest is believed, unless it names another digest, or
    /// [`verify_pushes`](crate::ClientBuilder::verify_pushes) asks to see it. What it serves is
    /// verified by whoever reads it.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Integrity`] where it stored something else;
    /// [`Error::TagConflict`] where an answer was lost and the tag is somebody else's now.
    pub async fn put_manifest_tags(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        let keeps_referrers = self.put_tags(&Raw::of(manifest), tags).await?;
        match manifest.subject() {
            Some(_) if keeps_referrers => {
                self.learn(|learnt| learnt.keeps_referrers = Some(true));
                Ok(())
            }
            Some(_) => self.keep_referrer(manifest).await,
            None => Ok(()),
        }
    }

    /// Stores any bytes as a manifest, under these tags: a type that nobody has heard of, or a
    /// manifest of somebody else's making. `media_type` becomes the `Content-Type`; without one,
    /// what the bytes say, else Docker's schema 2.
    ///
    /// # Errors
    ///
    /// As [`put_manifest_tags`](Self::put_manifest_tags).
    pub async fn put_raw(
        &self,
        bytes: impl Into<Bytes>,
        media_type: Option<&str>,
        tags: &[Tag],
    ) -> Result<Descriptor, Error> {
        let bytes = bytes.into();
        if let Ok(manifest) = Manifest::new(bytes.clone(), media_type, "what is pushed")
            && media_type.is_none_or(|media_type| media_type == manifest.media_type())
        {
            self.put_manifest_tags(&manifest, tags).await?;
            let mut stored = manifest.descriptor().clone();
            stored.digest = manifest.name().clone();
            return Ok(stored);
        }
        let media_type = media_type.unwrap_or(media_type::DOCKER_MANIFEST);
        let digest = verify::digest(Algorithm::Sha256, &bytes);
        let replaces = Replaces::Anything;
        let raw = Raw { bytes: &bytes, media_type, digest: &digest, manifest: None, replaces };
        self.put_tags(&raw, tags).await?;
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }

    /// Puts a manifest in the place of this, and of nothing else where the registry knows conditions
    /// (RFC 9110, section 13.1): that somebody else was faster is then an error of kind
    /// [`Conflict`](crate::ErrorKind::Conflict).
    pub(super) async fn put_over(
        &self,
        name: &Identifier,
        manifest: &Manifest,
        replaces: Replaces<'_>,
    ) -> Result<(), Error> {
        let raw = Raw { replaces, ..Raw::of(manifest) };
        self.put_one(name, &raw, None).await.map(drop)
    }

    async fn put_tags(&self, raw: &Raw<'_>, tags: &[Tag]) -> Result<bool, Error> {
        let mut subject = false;
        let mut left = tags.to_vec();
        // A tag alone makes the manifest known by its sha256 as well, and by nothing else.
        let mut by_digest = !tags.is_empty() && raw.digest.algorithm() == Algorithm::Sha256;
        let mut doubt = None;
        if tags.len() > 1 && self.learnt().many_tags != Some(false) {
            for tags in tags.chunks(MANY) {
                match self.put_many(raw, tags).await? {
                    Many::Stored(receipt) => {
                        by_digest = true;
                        subject |= receipt.subject;
                        left.retain(|tag| !receipt.tags.contains(tag));
                        if receipt.tags.is_empty() {
                            break;
                        }
                    }
                    Many::Unknown => break,
                    Many::Doubtful(error) => {
                        doubt = Some(error);
                        break;
                    }
                }
            }
        }
        if !by_digest {
            let name = Identifier::Digest(raw.digest.clone());
            subject |= self.put_one(&name, raw, doubt.clone()).await?.subject;
        }
        for tag in left {
            subject |= self.put_one(&Identifier::Tag(tag), raw, doubt.clone()).await?.subject;
        }
        if self.client.verifies_pushes() {
            self.upstream().get(&Identifier::Digest(raw.digest.clone())).await?;
        }
        Ok(subject)
    }

    /// Several tags in one request.
    async fn put_many(&self, raw: &Raw<'_>, tags: &[Tag]) -> Result<Many, Error> {
        let query: Vec<_> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let route = format!("manifests/{}?{}", raw.digest, query.join("&"));
        let budget = Budget::new();
        let sent = self.client.transport().send(self.putting(&route, raw, &budget)).await;
        let what = self.name(&Identifier::Digest(raw.digest.clone()));
        let receipt = match sent {
            Ok(response) => judge(&response, raw, &what)?,
            Err(error) if error.is_doubtful() => {
                return self.calm_down(error, &budget, &what).await.map(Many::Doubtful);
            }
            Err(error) if is_misunderstood(&error) => {
                self.learn(|learnt| learnt.many_tags = Some(false));
                return Ok(Many::Unknown);
            }
            Err(error) => return Err(failed(&what, error)),
        };
        let known = !receipt.tags.is_empty();
        self.learn(|learnt| learnt.many_tags = Some(known));
        for tag in &receipt.tags {
            let name = Identifier::Tag(tag.clone());
            self.client.state().recent.wrote(&self.repository, &name, raw.digest);
        }
        Ok(Many::Stored(receipt))
    }

    /// Puts, and where an answer got lost looks before it puts again: somebody else may have
    /// moved the tag since. `doubt`: one was lost already.
    async fn put_one(
        &self,
        name: &Identifier,
        raw: &Raw<'_>,
        mut doubt: Option<TransportError>,
    ) -> Result<Receipt, Error> {
        let recent = &self.client.state().recent;
        let (what, route) = (self.name(name), format!("manifests/{name}"));
        let budget = Budget::new();
        let mut before = recent.last(&self.repository, name);
        let mut puts = 0;
        loop {
            if let Some(source) = doubt.take() {
                let found = self.upstream().head_manifest(name).await?.map(|found| found.digest);
                if found.as_ref().is_some_and(|found| raw.is_named(found)) {
                    return Ok(Receipt::default());
                }
                if before.is_some_and(|before| before.0 != found) {
                    let ours = raw.digest.clone();
                    return Err(Error::TagConflict { name: what, ours, found, source });
                }
                before = Some(Seen(found));
            }
            puts += 1;
            match self.client.transport().send(self.putting(&route, raw, &budget)).await {
                Ok(response) => {
                    let receipt = judge(&response, raw, &what)?;
                    recent.wrote(&self.repository, name, raw.digest);
                    return Ok(receipt);
                }
                Err(error) if error.is_doubtful() && puts < MAX_PUTS => {
                    doubt = Some(self.calm_down(error, &budget, &what).await?);
                }
                Err(error) => return Err(failed(&what, error)),
            }
        }
    }

    /// Waits after a failure, before anybody is asked what became of it; if that is worth the while.
    async fn calm_down(
        &self,
        error: TransportError,
        budget: &Budget,
        what: &str,
    ) -> Result<TransportError, Error> {
        let waited = self.client.transport().resume_after(error.clone(), 0, budget).await;
        waited.map(|()| error).map_err(|error| failed(what, error))
    }

    fn putting(&self, route: &str, raw: &Raw<'_>, budget: &Budget) -> Request {
        let request = self
            .request(Method::PUT, route, self.push())
            .header(CONTENT_TYPE, raw.media_type)
            .body(Body::bytes(raw.bytes.clone()))
            .replay(Replay::Unsent)
            .budget(budget)
            .expect(&[200, 201, 202]);
        match raw.replaces {
            Replaces::Anything => request,
            Replaces::Nothing => request.header(IF_NONE_MATCH, "*"),
            Replaces::Only(etag) => request.header(IF_MATCH, etag),
        }
    }
}

fn failed(what: &str, error: TransportError) -> Error {
    Error::registry(|| format!("push the manifest of {what}"))(error)
}

/// A registry that takes the query for a mistake.
fn is_misunderstood(error: &TransportError) -> bool {
    let understood = [ErrorCode::ManifestBlobUnknown, ErrorCode::ManifestInvalid];
    let says = |code: &ErrorCode| error.diagnostics().iter().any(|said| said.code == *code);
    let kinds = [ErrorKind::Unsupported, ErrorKind::Rejected, ErrorKind::NotFound];
    kinds.contains(&error.kind()) && !understood.iter().any(says)
}

/// Compares what the registry says it stored, and sees what else it says.
fn judge(response: &Response, raw: &Raw<'_>, what: &str) -> Result<Receipt, Error> {
    if let Some(stored) = announced(response)
        && !raw.is_named(&stored)
    {
        let ours = match stored.algorithm() {
            same if same == raw.digest.algorithm() => raw.digest.clone(),
            other => verify::digest(other, raw.bytes),
        };
        let mismatch = Mismatch::Digest { expected: ours, actual: stored };
        return Err(Error::Integrity { what: format!("{what}, as stored"), mismatch });
    }
    let lines = response.headers().get_all(TAG).iter().map(HeaderValue::to_str);
    let tags = lines.filter_map(Result::ok).flat_map(|line| line.split(','));
    let tags = tags.filter_map(|tag| tag.trim().parse().ok()).collect();
    Ok(Receipt { subject: response.header(SUBJECT).is_some(), tags })
}
