//! A blob on its way to a registry: begin, send, finish; resume or begin anew
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pushing blobs").
//!
//! No `HEAD` comes first: the request that begins an upload also asks whether the blob is there,
//! by naming something to mount.

mod requests;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use registry_transport::{Error as TransportError, ErrorKind};
use url::Url;

use super::Remote;
use crate::{Descriptor, Error, Manifest, Source, Stored, media_type, read_blob, verified_blob};

/// Blobs up to this size are sent in the very request that begins their upload, bytes.
const SINGLE_POST: u64 = 64 << 10;
/// Upload sessions of one blob, at most.
const MAX_SESSIONS: u32 = 3;
/// Attempts to go on within one session, at most.
const MAX_RESUMES: u32 = 5;

/// Makes a blob available in `remote`.
pub(super) async fn put_blob(
    remote: &Remote,
    descriptor: &Descriptor,
    source: &Arc<dyn Source>,
) -> Result<Stored, Error> {
    let upload = Upload { remote, descriptor, source, unread: Arc::default() };
    let begin = match upload.small().await? {
        Some(bytes) => Begin::With(bytes),
        None => Begin::Asking,
    };
    upload.run(begin).await
}

/// Whether `remote` has a blob.
pub(super) async fn has_blob(remote: &Remote, descriptor: &Descriptor) -> Result<bool, Error> {
    let source: Arc<dyn Source> = Arc::new(remote.clone());
    Upload { remote, descriptor, source: &source, unread: Arc::default() }.is_there().await
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
    let uploads: Vec<_> = blobs
        .map(|descriptor| Upload { remote, descriptor, source, unread: Arc::default() })
        .collect();
    let mut missing = Vec::new();
    for upload in &uploads {
        if !upload.is_there().await? {
            missing.push(upload);
        }
    }
    if missing.is_empty() {
        missing.extend(&uploads);
    }
    for upload in missing {
        tracing::info!(blob = %upload.descriptor.digest, "the registry misses it; sending it again");
        upload.run(Begin::Plain).await?;
    }
    Ok(())
}

/// One blob, its source and its target.
struct Upload<'a> {
    remote: &'a Remote,
    descriptor: &'a Descriptor,
    source: &'a Arc<dyn Source>,
    /// Why the source could not be read, where that is what ended a request.
    unread: Arc<Mutex<Option<Error>>>,
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

enum Begun {
    Stored(Stored),
    Session(Url),
}

enum Filled {
    Stored,
    /// The session is of no use any more.
    Lost(TransportError),
}

impl Upload<'_> {
    /// Session after session, until one is closed with the blob in place.
    async fn run(&self, mut begin: Begin) -> Result<Stored, Error> {
        let mut sessions = 1;
        loop {
            let location = match self.begin(begin).await? {
                Begun::Stored(stored) => return Ok(stored),
                Begun::Session(location) => location,
            };
            match self.fill(location).await? {
                Filled::Stored => return Ok(Stored::Written),
                Filled::Lost(error) if sessions == MAX_SESSIONS => return Err(self.error(error)),
                Filled::Lost(error) => {
                    tracing::info!(blob = %self.descriptor.digest, %error, "uploading from the start");
                }
            }
            sessions += 1;
            begin = Begin::Plain;
        }
    }

    /// The verified bytes of a small blob, where the registry may take it in one request and
    /// cannot mount it.
    async fn small(&self) -> Result<Option<Bytes>, Error> {
        let learnt = self.remote.client.learnt(&self.remote.registry);
        let refused = learnt.single_post == Some(false) || self.mountable().is_some();
        if refused || self.descriptor.size > SINGLE_POST {
            return Ok(None);
        }
        read_blob(self.source.as_ref(), self.descriptor, SINGLE_POST).await.map(Some)
    }

    async fn begin(&self, begin: Begin) -> Result<Begun, Error> {
        match begin {
            Begin::With(bytes) => {
                let begun = self.post_whole(bytes).await?;
                let took = matches!(begun, Begun::Stored(_));
                let registry = &self.remote.registry;
                self.remote.client.learn(registry, |learnt| learnt.single_post = Some(took));
                Ok(begun)
            }
            Begin::Asking if !self.remote.client.learnt(&self.remote.registry).no_mount => {
                match self.post_mount().await? {
                    Some(begun) => Ok(begun),
                    None => self.post_plain().await,
                }
            }
            Begin::Asking | Begin::Plain => self.post_plain().await,
        }
    }

    /// Sends the bytes to a session and closes it; goes on after an interruption as long as the
    /// registry remembers where it was.
    async fn fill(&self, location: Url) -> Result<Filled, Error> {
        let (mut session, mut offset, mut resumes) = (location, 0, 0);
        loop {
            let sent = match offset {
                0 => self.put_whole(&session).await,
                _ => self.put_rest(&session, offset).await,
            };
            let Err(error) = sent else { return Ok(Filled::Stored) };
            if let Some(refused) = self.judge_refusal(&error).await {
                self.cancel(session).await;
                return Err(refused);
            }
            // A session that is not found was lost by the registry; a new one may do.
            if error.kind() != ErrorKind::NotFound && !error.is_retryable() {
                self.cancel(session).await;
                return Err(self.error(error));
            }
            // The answer may be all that was lost.
            if self.is_there().await? {
                return Ok(Filled::Stored);
            }
            match self.ask_offset(&session).await {
                Some((next, at)) if self.can_resume(at) && resumes < MAX_RESUMES => {
                    tracing::info!(blob = %self.descriptor.digest, at, "resuming the upload");
                    (session, offset) = (next, at);
                    resumes += 1;
                }
                _ => {
                    self.cancel(session).await;
                    return Ok(Filled::Lost(error));
                }
            }
        }
    }

    fn can_resume(&self, at: u64) -> bool {
        at > 0 && at <= self.descriptor.size
    }

    /// A registry that refuses a commit for its digest has other bytes than were promised: the
    /// source's own are read again to say who is wrong.
    async fn judge_refusal(&self, error: &TransportError) -> Option<Error> {
        let disputed = error.diagnostics().iter().any(|diagnostic| {
            matches!(diagnostic.code.as_str(), "DIGEST_INVALID" | "SIZE_INVALID")
        });
        if !disputed {
            return None;
        }
        let mut stream = match verified_blob(self.source.as_ref(), self.descriptor).await {
            Ok(stream) => stream,
            Err(error) => return Some(error),
        };
        while let Some(chunk) = stream.next().await {
            if let Err(error) = chunk {
                return Some(error);
            }
        }
        None
    }
}
