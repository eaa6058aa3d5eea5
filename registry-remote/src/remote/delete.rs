//! Deleting: a manifest, or one tag of it
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Deleting manifests", "Deleting tags").

use futures_util::stream::{self, StreamExt as _};
use http::Method;
use registry_authn::Scopes;
use registry_name::{Digest, Identifier, Tag};
use registry_transport::{ErrorKind, Replay};

use super::Remote;
use crate::Error;

/// Tags whose manifest is looked up to say what else a digest is known as, at most.
const MAX_LOOKUPS: usize = 1000;
const PARALLEL_LOOKUPS: usize = 8;

impl Remote {
    /// Deletes a manifest, and with it every tag that names it.
    ///
    /// # Errors
    ///
    /// What the registry said; many allow no deletes unless they are set up to.
    pub async fn delete_manifest(&self, digest: &Digest) -> Result<(), Error> {
        let identifier = Identifier::Digest(digest.clone());
        self.delete(&identifier)
            .await
            .map_err(Error::registry(|| format!("delete {}", self.name(&identifier))))
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
        let found = if refused { self.itself().head_manifest(&identifier).await? } else { None };
        match found {
            Some(found) => Err(self.tag_stays(tag, found.digest).await),
            // What the registry said is about deletes, and the tag is not there.
            None if refused && error.kind() != ErrorKind::NotFound => Err(Error::NotFound {
                location: self.repository.to_string(),
                what: format!("tag {tag}"),
            }),
            None => Err(Error::registry(|| format!("delete {}", self.name(&identifier)))(error)),
        }
    }

    async fn delete(&self, identifier: &Identifier) -> Result<(), registry_transport::Error> {
        let request = self
            .request(
                Method::DELETE,
                &format!("manifests/{identifier}"),
                Scopes::delete(&self.repository),
            )
            .replay(Replay::Safe)
            .expect(&[200, 202, 204]);
        self.client.transport().send(request).await?;
        self.client.state().recent.deleted(&self.repository, identifier);
        Ok(())
    }

    async fn tag_stays(&self, tag: &Tag, digest: Digest) -> Error {
        let others = self.tags().all().await.unwrap_or_default();
        let others = others.into_iter().filter(|other| other != tag).take(MAX_LOOKUPS);
        let itself = &self.itself();
        let lookups = stream::iter(others.map(|other| async move {
            let found = itself.head_manifest(&Identifier::Tag(other.clone())).await;
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
