//! Deleting: a manifest, one tag of it, or a blob
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Deleting manifests", "Deleting tags").
//!
//! Deletes are idempotent: one whose answer was lost is sent again, and that nothing is there then
//! is success. That nothing was there in the first place is an error.

use futures_util::stream::{self, StreamExt as _};
use http::Method;
use registry_authn::Scopes;
use registry_name::{Digest, Identifier, Tag};
use registry_transport::{ErrorKind, Replay};

use super::{
    Remote,
    upload::{Session, post},
};
use crate::{Error, Manifest};

/// Tags whose manifest is looked up to say what else a digest is known as, at most.
const MAX_LOOKUPS: usize = 1000;
const PARALLEL_LOOKUPS: usize = 8;

impl Remote {
    /// Deletes a manifest, and with it every tag that names it. Where it refers to another one
    /// and the registry does not keep referrers itself, it is taken off that one's list.
    ///
    /// # Errors
    ///
    /// What the registry said; many allow no deletes unless they are set up to.
    pub async fn delete_manifest(&self, digest: &Digest) -> Result<(), Error> {
        let identifier = Identifier::Digest(digest.clone());
        let referring = self.referring(&identifier).await?;
        let attempt = || format!("delete {}", self.name(&identifier));
        match self.delete(&identifier).await {
            Err(error) if is_done(&error) => self.gone(&identifier),
            deleted => deleted.map_err(Error::registry(attempt))?,
        }
        match referring {
            Some(manifest) => self.forget_referrer(&manifest).await,
            None => Ok(()),
        }
    }

    /// The manifest, if it refers to another one and this registry leaves the list of referrers to
    /// its clients, and to this one. What is there and broken, or not to be read by whoever may
    /// delete it, may go.
    async fn referring(&self, identifier: &Identifier) -> Result<Option<Manifest>, Error> {
        let keeps_referrers = self.learnt().keeps_referrers == Some(true);
        if keeps_referrers || !self.client.uses_referrers_tag() {
            return Ok(None);
        }
        match self.get_manifest(identifier).await {
            Ok(manifest) => Ok(manifest.subject().is_some().then_some(manifest)),
            Err(Error::Manifest { .. } | Error::Integrity { .. }) => Ok(None),
            Err(error) if is_unreadable(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes one tag; the manifest stays, and so do its other tags.
    ///
    /// # Errors
    ///
    /// [`Error::TagDelete`] where the registry does not offer it; otherwise what it said. The
    /// manifest is never deleted instead.
    pub async fn delete_tag(&self, tag: &Tag) -> Result<(), Error> {
        let identifier = Identifier::Tag(tag.clone());
        let error = match self.delete(&identifier).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // The specification lets a registry refuse with 400 or 405; some answer 404 for a tag
        // that is plainly there.
        let refused = matches!(
            error.kind(),
            ErrorKind::Unsupported | ErrorKind::Rejected | ErrorKind::NotFound
        );
        let found = if refused { self.upstream().head_manifest(&identifier).await? } else { None };
        match found {
            Some(found) => Err(self.tag_stays(tag, found.digest).await),
            None if is_done(&error) => {
                self.gone(&identifier);
                Ok(())
            }
            // What the registry said is about deletes, and the tag is not there.
            None if refused && error.kind() != ErrorKind::NotFound => Err(Error::NotFound {
                location: self.repository.to_string(),
                what: format!("tag {tag}"),
            }),
            None => Err(Error::registry(|| format!("delete {}", self.name(&identifier)))(error)),
        }
    }

    /// Deletes a blob of this repository, whether or not a manifest needs it. Few registries allow
    /// it, and those that collect garbage do it by themselves. A delete whose answer was lost is
    /// sent again, and succeeds where the blob is gone by then.
    ///
    /// # Errors
    ///
    /// What the registry said.
    pub async fn delete_blob(&self, digest: &Digest) -> Result<(), Error> {
        self.client.state().places.forget(&self.registry, digest).await;
        match self.delete_at(&format!("blobs/{digest}")).await {
            Err(error) if is_done(&error) => Ok(()),
            deleted => {
                let attempt = || format!("delete blob {digest} of {}", self.repository);
                deleted.map_err(Error::registry(attempt))
            }
        }
    }

    /// Whether these credentials may push here: begins an upload, and deletes it.
    ///
    /// # Errors
    ///
    /// What the registry said, in the words of which a push would fail.
    pub async fn check_push(&self) -> Result<(), Error> {
        let sent = Session::open(self, post(self, &[], self.push())).await;
        let (_, session) =
            sent.map_err(Error::registry(|| format!("push to {}", self.repository)))?;
        if let Some(session) = session {
            session.abandon().await;
        }
        Ok(())
    }

    async fn delete(&self, identifier: &Identifier) -> Result<(), registry_transport::Error> {
        self.delete_at(&format!("manifests/{identifier}")).await?;
        self.gone(identifier);
        Ok(())
    }

    fn gone(&self, identifier: &Identifier) {
        self.client.state().recent.deleted(&self.repository, identifier);
    }

    async fn delete_at(&self, route: &str) -> Result<(), registry_transport::Error> {
        let request = self
            .request(Method::DELETE, route, Scopes::delete(&self.repository))
            .replay(Replay::Safe)
            .expect(&[200, 202, 204]);
        self.client.transport().send(request).await.map(drop)
    }

    async fn tag_stays(&self, tag: &Tag, digest: Digest) -> Error {
        let others = self.tags().all().await.unwrap_or_default();
        let others = others.into_iter().filter(|other| other != tag).take(MAX_LOOKUPS);
        let upstream = &self.upstream();
        let lookups = stream::iter(others.map(|other| async move {
            let found = upstream.head_manifest(&Identifier::Tag(other.clone())).await;
            found.ok().flatten().map(|found| (other, found.digest))
        }));
        let same = lookups.buffered(PARALLEL_LOOKUPS).filter_map(|found| {
            let same = found.filter(|(_, found)| *found == digest).map(|(other, _)| other);
            std::future::ready(same)
        });
        let also = same.collect().await;
        Error::TagDelete { registry: self.registry.to_string(), tag: tag.clone(), digest, also }
    }
}

/// Whether it is gone since an earlier attempt, whose answer was lost, may have done it.
fn is_done(error: &registry_transport::Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.is_doubtful()
}

/// Whether another attempt to read it would fail like this one.
fn is_unreadable(error: &Error) -> bool {
    let is_too_large =
        matches!(error, Error::Registry { source, .. } if source.kind() == ErrorKind::TooLarge);
    is_too_large || matches!(error.kind(), crate::ErrorKind::NotFound | crate::ErrorKind::Denied)
}
