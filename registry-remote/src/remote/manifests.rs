//! Writing manifests to a repository
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pushing manifests").

use http::{
    Method,
    header::{CONTENT_TYPE, HeaderName},
};
use registry_name::{Algorithm, Identifier, Tag};
use registry_transport::{Body, Replay, Response};

use super::{Remote, fetch::announced};
use crate::{Error, Manifest, Mismatch, verify};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// How often a manifest is put where the outcome of a request stays unknown.
const MAX_PUTS: usize = 3;

impl Remote {
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
            if now.as_ref().is_some_and(|now| manifest.is_named(now)) {
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

/// Compares what the registry says it stored, and sees whether it keeps referrers.
fn judge_put(response: &Response, manifest: &Manifest, what: &str) -> Result<bool, Error> {
    if let Some(stored) = announced(response)
        && !manifest.is_named(&stored)
    {
        let ours = match stored.algorithm() {
            same if same == manifest.digest().algorithm() => manifest.digest().clone(),
            other => verify::digest(other, manifest.bytes()),
        };
        let mismatch = Mismatch::Digest { expected: ours, actual: stored };
        return Err(Error::Integrity { what: format!("{what}, as stored"), mismatch });
    }
    Ok(response.header(SUBJECT).is_some())
}
