//! A blob on its way to a registry: begin, send, finish; resume or begin anew
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pushing blobs").
//!
//! No `HEAD` comes first: the request that begins an upload also asks whether the blob is there,
//! by naming something to mount. What a registry turns out not to do is not tried again in this
//! process.

mod identity;
mod made;
mod outgoing;
mod places;
mod progress;
mod requests;
mod send;
mod session;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use registry_name::Repository;
use registry_transport::Error as TransportError;

use self::{
    outgoing::Described,
    places::Known,
    requests::{Begun, post_mount, post_plain, post_whole},
    send::{Filled, Sending},
};
pub(crate) use self::{places::Places, session::OpenUploads};
pub(super) use self::{
    requests::{is_there, post},
    session::Session,
};
use super::Remote;
use crate::{
    Descriptor, Error, ErrorKind, Manifest, Source, Stored, media_type, read_blob, select,
};

/// Blobs up to this size are sent in the very request that begins their upload, bytes.
const SINGLE_POST: u64 = 64 << 10;
/// Upload sessions of one blob, at most.
const MAX_SESSIONS: u32 = 3;

/// Makes a blob available in `remote`. One that this client has brought to the same registry, or
/// is just bringing there, is mounted.
pub(super) async fn put_blob(
    remote: &Remote,
    descriptor: &Descriptor,
    source: &Arc<dyn Source>,
) -> Result<Stored, Error> {
    let mut upload = Upload { remote, descriptor, source, known: None };
    let mut first = None;
    // A source in the same registry can be mounted from, whatever others do.
    if upload.mountable().is_none() {
        let places = &remote.client.state().places;
        match places.find(&remote.registry, &descriptor.digest).await {
            Known::In(repository) => upload.known = Some(repository),
            Known::Nowhere(turn) => first = Some(turn),
        }
    }
    let begin = match upload.small().await? {
        Some(bytes) => Begin::With(bytes),
        None => Begin::Asking,
    };
    let stored = upload.run(begin).await?;
    if let Some(mut place) = first {
        *place = Some(remote.repository.clone());
    }
    Ok(stored)
}

/// Sends the blobs of a manifest again that the registry does not have after all; where it claims
/// to have every one of them, all.
pub(super) async fn repair(
    remote: &Remote,
    manifest: &Manifest,
    source: &Arc<dyn Source>,
) -> Result<(), Error> {
    let blobs = manifest.children().filter(|child| {
        !child.is_manifest() && !media_type::is_nondistributable(&child.media_type)
    });
    let uploads: Vec<_> =
        blobs.map(|descriptor| Upload { remote, descriptor, source, known: None }).collect();
    let mut missing = Vec::new();
    for upload in &uploads {
        let Descriptor { digest, size, .. } = upload.descriptor;
        if !is_there(remote, digest, Some(*size)).await? {
            missing.push(upload);
        }
    }
    if missing.is_empty() {
        missing.extend(&uploads);
    }
    for upload in missing {
        // Of an index, it may be a manifest of a type that is not known.
        if manifest.is_index()
            && select::may_be_foreign(upload.descriptor)
            && let Err(error) = source.describe_blob(&upload.descriptor.digest).await
            && error.kind() == ErrorKind::NotFound
        {
            continue;
        }
        tracing::info!(blob = %upload.descriptor.digest, "the registry misses it; sending it again");
        remote.client.state().places.forget(&remote.registry, &upload.descriptor.digest).await;
        upload.run(Begin::Plain).await?;
    }
    Ok(())
}

/// One blob, its source and its target.
struct Upload<'a> {
    remote: &'a Remote,
    descriptor: &'a Descriptor,
    source: &'a Arc<dyn Source>,
    /// A repository of the same registry that this client knows to have it.
    known: Option<Repository>,
}

/// How an upload is begun.
enum Begin {
    /// With all its bytes.
    With(Bytes),
    /// Asking whether it is there, or can be mounted.
    Asking,
    /// Just so.
    Plain,
}

/// How it then stands.
enum Begins {
    Stored(Stored),
    Session(Session),
}

impl Upload<'_> {
    /// Session after session, until one is closed with the blob in place.
    async fn run(&self, mut begin: Begin) -> Result<Stored, Error> {
        let content = Described::new(self.source, self.descriptor);
        if let Begin::With(bytes) = &begin {
            content.begins_with(bytes.clone());
        }
        let mut sending = Sending::new(self.remote, &content, self.name());
        let mut sessions = 1;
        loop {
            let session = match self.begin(begin).await? {
                Begins::Stored(stored) => return Ok(stored),
                Begins::Session(session) => session,
            };
            match sending.fill(session).await? {
                Filled::Stored => return Ok(Stored::Written),
                Filled::Lost(error) if sessions == MAX_SESSIONS => return Err(error),
                Filled::Lost(error) => {
                    tracing::info!(blob = %self.descriptor.digest, %error, "uploading from the start");
                }
            }
            sessions += 1;
            begin = Begin::Plain;
        }
    }

    /// The verified bytes of a small blob, where the registry may take it in one request, and need
    /// not be asked whether it has it.
    async fn small(&self) -> Result<Option<Bytes>, Error> {
        let learnt = self.remote.learnt();
        let from = self.source.mount_from(&self.descriptor.digest);
        let is_home = from == Some(&self.remote.repository);
        let asks = is_home || self.known.is_some() || self.mountable().is_some();
        if asks || learnt.single_post == Some(false) || self.descriptor.size > SINGLE_POST {
            return Ok(None);
        }
        read_blob(self.source.as_ref(), self.descriptor, SINGLE_POST).await.map(Some)
    }

    async fn begin(&self, begin: Begin) -> Result<Begins, Error> {
        match begin {
            Begin::With(bytes) => {
                let begun = post_whole(self.remote, self.descriptor, bytes).await;
                let begun = begun.map_err(|error| self.error(error))?;
                let took = matches!(begun, Begun::Stored);
                self.remote.learn(|learnt| learnt.single_post = Some(took));
                match begun {
                    Begun::Stored => Ok(Begins::Stored(Stored::Written)),
                    Begun::Session(session) => Ok(Begins::Session(session)),
                    Begun::Refused(_) => self.ask().await,
                }
            }
            Begin::Asking => self.ask().await,
            Begin::Plain => self.plain().await,
        }
    }

    /// One request that mounts the blob, finds it in place, or begins its upload. A refusal says
    /// something about the source, or about the registry; either is remembered.
    async fn ask(&self) -> Result<Begins, Error> {
        let target = &self.remote.repository;
        let learnt = self.remote.learnt();
        if learnt.no_mount {
            return self.plain().await;
        }
        let source = self.mountable().filter(|from| !learnt.no_mount_from.contains(from));
        let (from, stored) = match source {
            Some(from) => (Some(from), Stored::Mounted),
            None if learnt.finds_mounts => (None, Stored::Mounted),
            None if learnt.no_question => return self.plain().await,
            None => (Some(target), Stored::Present),
        };
        let refused = match self.mount(from).await? {
            Begun::Stored => return Ok(Begins::Stored(stored)),
            Begun::Session(session) => return Ok(Begins::Session(session)),
            Begun::Refused(error) => error,
        };
        tracing::debug!(blob = %self.descriptor.digest, error = %refused, "not mounted");
        let about_source =
            matches!(refused.status().map(|status| status.as_u16()), None | Some(401 | 403 | 404));
        let Some(from) = source.filter(|_| about_source) else {
            self.remote.learn(|learnt| {
                if source.is_some() {
                    learnt.no_mount = true;
                } else {
                    // That says nothing of mounts from elsewhere.
                    (learnt.no_question, learnt.finds_mounts) = (true, false);
                }
            });
            return self.plain().await;
        };
        self.remote.learn(|learnt| {
            learnt.no_mount_from.insert(from.clone());
        });
        // The upload has to be begun in any case; perhaps the registry knows where else to look.
        match self.mount(None).await? {
            Begun::Stored => {
                self.remote.learn(|learnt| learnt.finds_mounts = true);
                Ok(Begins::Stored(Stored::Mounted))
            }
            Begun::Session(session) => Ok(Begins::Session(session)),
            Begun::Refused(_) => self.plain().await,
        }
    }

    /// A mount; where the registry says that it did something else, whether the blob is there.
    async fn mount(&self, from: Option<&Repository>) -> Result<Begun, Error> {
        let Descriptor { digest, size, .. } = self.descriptor;
        let begun = post_mount(self.remote, digest, from).await;
        match begun.map_err(|error| self.error(error))? {
            Begun::Refused(error) if error.status().is_none() && error.is_retryable() => {
                let found = is_there(self.remote, digest, Some(*size)).await?;
                Ok(if found { Begun::Stored } else { Begun::Refused(error) })
            }
            begun => Ok(begun),
        }
    }

    async fn plain(&self) -> Result<Begins, Error> {
        let Descriptor { digest, size, .. } = self.descriptor;
        let begun = post_plain(self.remote, Some(digest)).await;
        match begun.map_err(|error| self.error(error))? {
            Begun::Session(session) => Ok(Begins::Session(session)),
            // It says that the blob is there already.
            _ if is_there(self.remote, digest, Some(*size)).await? => {
                Ok(Begins::Stored(Stored::Present))
            }
            Begun::Refused(error) => Err(self.error(error)),
            Begun::Stored => Err(Error::Unsupported {
                what: format!(
                    "cannot {}: the registry claims to have it and does not",
                    self.name()
                ),
            }),
        }
    }

    /// Where the registry could take the blob from.
    fn mountable(&self) -> Option<&Repository> {
        let from = self.source.mount_from(&self.descriptor.digest).into_iter().chain(&self.known);
        let mut elsewhere = from.filter(|from| {
            from.registry_str() == self.remote.repository.registry_str()
                && **from != self.remote.repository
        });
        elsewhere.next()
    }

    fn name(&self) -> String {
        format!("push blob {} to {}", self.descriptor.digest, self.remote.repository)
    }

    fn error(&self, error: TransportError) -> Error {
        Error::registry(|| self.name())(error)
    }
}
