//! Manifests of a repository: get, head, put
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pulling manifests", "Pushing manifests").

use http::{
    Method,
    header::{CONTENT_TYPE, HeaderName},
};
use registry_name::{Algorithm, Digest, Identifier, Tag};
use registry_transport::{Body, ErrorKind, MANIFEST_CAP, Replay, Response};

use super::Remote;
use crate::{Descriptor, Error, Manifest, Mismatch, media_type, verify};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// How often a manifest is put where the outcome of a request stays unknown.
const MAX_PUTS: usize = 3;

impl Remote {
    /// The manifest that a tag or a digest names, verified: against the digest that was asked
    /// for, or, by tag, against the digest that the registry announces.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Integrity`] for other bytes; [`Error::Manifest`] for
    /// what is no manifest.
    pub async fn get_manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let what = self.name(identifier);
        let attempt = || format!("pull the manifest of {what}");
        let request = self
            .request(Method::GET, &format!("manifests/{identifier}"), self.pull())
            .accept(media_type::MANIFESTS)
            .expect(&[200]);
        let mut response =
            self.client.transport().send(request).await.map_err(Error::registry(attempt))?;
        let content_type = response.header(CONTENT_TYPE).map(str::to_owned);
        let announced = announced(&response);
        let bytes = response.bytes(MANIFEST_CAP).await.map_err(Error::registry(attempt))?;
        match (identifier, announced) {
            (Identifier::Digest(digest), _) => {
                Manifest::verified(bytes, content_type.as_deref(), digest, &what)
            }
            (Identifier::Tag(_), Some(digest)) => {
                Manifest::verified(bytes, content_type.as_deref(), &digest, &what)
            }
            (Identifier::Tag(_), None) => Manifest::new(bytes, content_type.as_deref(), &what),
        }
    }

    /// What a tag or a digest names, without its bytes; `None` where it does not exist. By tag
    /// the digest is the registry's word.
    ///
    /// Costs one `HEAD`; where the registry refuses that or leaves something out, a `GET`.
    ///
    /// # Errors
    ///
    /// What the registry said, other than that it does not exist.
    pub async fn head_manifest(
        &self,
        identifier: &Identifier,
    ) -> Result<Option<Descriptor>, Error> {
        if !self.client.learnt(&self.registry).no_head {
            match self.head(identifier).await? {
                Head::Found(descriptor) => return Ok(Some(*descriptor)),
                Head::Missing => return Ok(None),
                Head::Unusable => self.client.learn(&self.registry, |learnt| learnt.no_head = true),
                Head::Refused => {}
            }
        }
        match self.get_manifest(identifier).await {
            Ok(manifest) => Ok(Some(manifest.descriptor().clone())),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn head(&self, identifier: &Identifier) -> Result<Head, Error> {
        let request = self
            .request(Method::HEAD, &format!("manifests/{identifier}"), self.pull())
            .accept(media_type::MANIFESTS)
            .expect(&[200]);
        let attempt = || format!("look up {}", self.name(identifier));
        let response = match self.client.transport().send(request).await {
            Ok(response) => response,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::NotFound => Ok(Head::Missing),
                    ErrorKind::Unsupported => Ok(Head::Unusable),
                    // The transport asked again for the reason, and was refused again.
                    ErrorKind::Denied if error.method() == Some(&Method::GET) => {
                        Err(Error::registry(attempt)(error))
                    }
                    // A HEAD has no body to say why; the GET that follows has.
                    ErrorKind::Denied | ErrorKind::UnexpectedStatus => Ok(Head::Refused),
                    _ => Err(Error::registry(attempt)(error)),
                };
            }
        };
        let digest = match identifier {
            Identifier::Digest(digest) => Some(digest.clone()),
            Identifier::Tag(_) => announced(&response),
        };
        let media_type = response.header(CONTENT_TYPE).map(media_type::essence);
        Ok(match (digest, response.content_length(), media_type) {
            (Some(digest), Some(size), Some(media_type)) if size > 0 => {
                Head::Found(Box::new(Descriptor::new(media_type, digest, size)))
            }
            _ => Head::Unusable,
        })
    }

    /// Stores a manifest's exact bytes, by its digest or under a tag. What it needs must be
    /// there: blobs before images, images before indexes.
    ///
    /// Under a tag, a registry names the bytes by sha256: where the manifest's own digest is
    /// another, it is stored by that digest first.
    ///
    /// Where the manifest has a subject and the registry does not keep referrers itself, the
    /// referrers tag is kept up to date.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Integrity`] where it stored something else.
    pub async fn put_manifest_as(
        &self,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), Error> {
        let digest = manifest.digest();
        let by_digest = Identifier::Digest(digest.clone());
        let identifier = tag.map_or(by_digest.clone(), |tag| Identifier::Tag(tag.clone()));
        if tag.is_some() && digest.algorithm() != Algorithm::Sha256 {
            self.put(&by_digest, manifest).await?;
        }
        let keeps_referrers = self.put(&identifier, manifest).await?;
        if manifest.subject().is_some() && !keeps_referrers {
            self.keep_referrer(manifest).await?;
        }
        Ok(())
    }

    /// Puts, and where an answer got lost looks before it puts again: somebody else may have
    /// moved the tag since. Says whether the registry keeps referrers itself.
    pub(super) async fn put(
        &self,
        identifier: &Identifier,
        manifest: &Manifest,
    ) -> Result<bool, Error> {
        let what = self.name(identifier);
        let attempt = || format!("push the manifest of {what}");
        let mut seen = None;
        let mut puts = 1;
        loop {
            let request = self
                .request(Method::PUT, &format!("manifests/{identifier}"), self.push())
                .header(CONTENT_TYPE, manifest.media_type())
                .body(Body::bytes(manifest.bytes().clone()))
                .replay(Replay::Unsent)
                .expect(&[200, 201, 202]);
            let error = match self.client.transport().send(request).await {
                Ok(response) => return judge_put(&response, manifest, &what),
                Err(error) if puts < MAX_PUTS && error.is_retryable() => error,
                Err(error) => return Err(Error::registry(attempt)(error)),
            };
            let now = self.head_manifest(identifier).await?.map(|found| found.digest);
            if now.as_ref() == Some(manifest.digest()) {
                return Ok(false);
            }
            if seen.is_some_and(|seen| seen != now) {
                return Err(Error::registry(attempt)(error));
            }
            seen = Some(now);
            puts += 1;
        }
    }
}

/// What a `HEAD` was good for.
enum Head {
    Found(Box<Descriptor>),
    Missing,
    /// This registry does not answer HEAD, or leaves out what is needed.
    Unusable,
    /// An error without a reason.
    Refused,
}

/// The digest that the registry announces; absent where it is empty or of an unknown kind.
fn announced(response: &Response) -> Option<Digest> {
    response.header(DIGEST)?.parse().ok()
}

/// Compares what the registry says it stored, and sees whether it keeps referrers.
fn judge_put(response: &Response, manifest: &Manifest, what: &str) -> Result<bool, Error> {
    if let Some(stored) = announced(response) {
        let ours = match stored.algorithm() {
            same if same == manifest.digest().algorithm() => manifest.digest().clone(),
            other => verify::digest(other, manifest.bytes()),
        };
        if stored != ours {
            let mismatch = Mismatch::Digest { expected: ours, actual: stored };
            return Err(Error::Integrity { what: format!("{what}, as stored"), mismatch });
        }
    }
    Ok(response.header(SUBJECT).is_some())
}
