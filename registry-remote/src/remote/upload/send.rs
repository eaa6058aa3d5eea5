//! A session is filled: send, see what arrived, go on from there, commit.

use registry_name::{Algorithm, Digest};
use registry_transport::{Budget, Error as TransportError, ErrorCode, ErrorKind};

use super::{
    Session,
    outgoing::Outgoing,
    progress::{Next, Progress, Way, may_shrink},
    requests::{ask, has_code, is_there, names, patch, patched, put},
};
use crate::{Error, learnt::Learnt, remote::Remote};

/// The codes by which a registry says that it has other bytes than were promised.
const DISPUTES: &[ErrorCode] = &[ErrorCode::DigestInvalid, ErrorCode::SizeInvalid];

/// Commits of one blob that may have been done and were not, at most: the pieces that are sent
/// between them are no progress in this.
const MAX_COMMITS: u32 = 6;

/// What became of a session.
pub(super) enum Filled {
    Stored,
    /// It is of no use any more; another one may do.
    Lost(Error),
}

/// The sending of one blob, over all its sessions.
pub(super) struct Sending<'a> {
    remote: &'a Remote,
    content: &'a dyn Outgoing,
    budget: Budget,
    /// "push blob sha256:… to ghcr.io/a/b"
    name: String,
    /// Whether a whole body of it did not get through.
    cut: bool,
    /// The commits that may have been done, and were not.
    commits: u32,
}

/// What one request brought about.
enum Step {
    Stored,
    Next(Next),
    Lost(Error),
}

/// A request that failed.
struct Failed {
    error: TransportError,
    /// Whether it was the commit, with or without bytes: the blob may be there although no answer
    /// came.
    commit: bool,
    /// How many bytes it carried.
    size: u64,
}

impl<'a> Sending<'a> {
    pub(super) fn new(remote: &'a Remote, content: &'a dyn Outgoing, name: String) -> Self {
        let budget = Budget::for_blob(content.size().unwrap_or(u64::MAX));
        Self { remote, content, budget, name, cut: false, commits: 0 }
    }

    /// Sends to a session and commits it; goes on after an interruption as long as the registry
    /// remembers where it was. A session that is not committed is deleted.
    pub(super) async fn fill(&mut self, mut session: Session) -> Result<Filled, Error> {
        // Interruptions are counted over all sessions; the requests of this one owe nothing yet.
        self.budget.begin_anew();
        let filled = self.run(&mut session).await;
        match &filled {
            Ok(Filled::Stored) => session.close(),
            _ => session.abandon().await,
        }
        filled
    }

    async fn run(&mut self, session: &mut Session) -> Result<Filled, Error> {
        let mut progress = Progress::default();
        loop {
            let next = match self.step(session, &mut progress).await? {
                Step::Stored => return Ok(Filled::Stored),
                Step::Lost(error) => return Ok(Filled::Lost(error)),
                Step::Next(Next::Ask) => {
                    ask(self.remote, session, &mut progress, &self.budget).await
                }
                Step::Next(next) => next,
            };
            if let Next::Lost(reason) = next {
                let what =
                    format!("cannot {}: its session is of no use, since {reason}", self.name);
                return Ok(Filled::Lost(Error::Unsupported { what }));
            }
        }
    }

    /// One request, in the way that this registry takes it.
    async fn step(
        &mut self,
        session: &mut Session,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let learnt = self.remote.learnt();
        if learnt.chunks == Some(false) {
            self.content.complete().await?;
        }
        let most = match Way::choose(&learnt, self.content.size(), self.cut) {
            Way::Whole if progress.is_fresh() => {
                let body = self.content.body(0, u64::MAX).await?;
                return self.commit(session, progress, body).await;
            }
            // What is left after an interruption.
            Way::Whole => u64::MAX,
            Way::Chunks(most) => most,
        };
        let offset = progress.offset();
        let Some(body) = self.content.body(offset, most).await? else {
            return self.commit(session, progress, None).await;
        };
        let size = body.size();
        progress.sending(offset + size);
        match patch(self.remote, session.url(), offset, body, &self.budget).await {
            Ok(response) => {
                if response.status().is_success() {
                    self.remote.learn(|learnt| learnt.chunks = Some(true));
                }
                let next = patched(session, progress, &response, offset + size);
                self.budget.advanced(progress.offset().saturating_sub(offset));
                Ok(Step::Next(next))
            }
            Err(error) => {
                let failed = Failed { error, commit: false, size };
                self.judge(failed, session, progress).await
            }
        }
    }

    async fn commit(
        &mut self,
        session: &mut Session,
        progress: &mut Progress,
        body: Option<registry_transport::Body>,
    ) -> Result<Step, Error> {
        let size = body.as_ref().map_or(0, registry_transport::Body::size);
        progress.sending(size);
        let Some(digest) = self.content.digest() else {
            return Err(self.unsupported("it was not read to its end"));
        };
        let whole = progress.offset() + size;
        match put(self.remote, session.url(), &digest, whole, body, &self.budget).await {
            Ok(response) => {
                let named = names(&response, &digest);
                self.committed(named, &digest).await
            }
            Err(error) => {
                let failed = Failed { error, commit: true, size };
                self.judge(failed, session, progress).await
            }
        }
    }

    /// `named`: the answer to the commit is about this very blob.
    async fn committed(&self, named: bool, digest: &Digest) -> Result<Step, Error> {
        if !named && !is_there(self.remote, digest, self.content.size()).await? {
            return Ok(Step::Lost(self.unsupported("the registry stored something else")));
        }
        if let Some(size) = self.content.size().filter(|_| self.cut) {
            self.remote.learn(|learnt| learnt.refuse(size));
        }
        Ok(Step::Stored)
    }

    /// What a failed request means for the session.
    async fn judge(
        &mut self,
        failed: Failed,
        session: &mut Session,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let Failed { error, commit, size } = failed;
        if let Some(failure) = self.content.failure() {
            return Err(failure);
        }
        let learnt = self.remote.learnt();
        let kind = error.kind();
        match kind {
            ErrorKind::TooLarge if may_shrink(&learnt, size) => {
                self.remote.learn(|learnt| learnt.refuse(size));
                return Ok(Step::Next(Next::On));
            }
            _ if !commit && refuses_pieces(&learnt, &error) => {
                self.remote.learn(|learnt| learnt.chunks = Some(false));
                let unused = progress.offset() == 0;
                *progress = Progress::default();
                let lost = || Step::Lost(self.error(error));
                return Ok(if unused { Step::Next(Next::On) } else { lost() });
            }
            _ if kind == ErrorKind::Body || (commit && is_disputed(&error)) => {
                return self.say_who_is_wrong(error).await;
            }
            ErrorKind::NotFound if !commit => return Ok(Step::Lost(self.error(error))),
            ErrorKind::NotFound => {}
            // What it did not look at was sent often enough by now, or may not be sent again yet.
            _ if !error.is_doubtful() => return Err(self.refused(error)),
            _ => {}
        }
        if let Some(digest) = self.content.digest().filter(|_| commit)
            && is_there(self.remote, &digest, self.content.size()).await?
        {
            return Ok(Step::Stored);
        }
        if kind == ErrorKind::NotFound {
            return Ok(Step::Lost(self.error(error)));
        }
        self.commits += u32::from(commit);
        if self.commits == MAX_COMMITS {
            return Err(self.error(error));
        }
        self.go_on(error, commit && size > 0, session, progress).await
    }

    /// After an interruption: where the session stands, and whether there may be another attempt.
    async fn go_on(
        &mut self,
        error: TransportError,
        whole: bool,
        session: &mut Session,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let before = progress.offset();
        let pieces = self.remote.learnt().chunks != Some(false);
        let next = if pieces {
            ask(self.remote, session, progress, &self.budget).await
        } else {
            Next::Lost("this registry takes no blob in pieces")
        };
        let gained = progress.offset().saturating_sub(before);
        let transport = self.remote.client.transport();
        transport
            .resume_after(error.clone(), gained, &self.budget)
            .await
            .map_err(|error| self.error(error))?;
        Ok(match next {
            Next::Lost(reason) => {
                tracing::debug!(reason, "the upload session is lost");
                self.cut |= whole;
                Step::Lost(self.error(error))
            }
            next => {
                tracing::info!(at = progress.offset(), "resuming: {}", self.name);
                Step::Next(next)
            }
        })
    }

    /// A registry that refuses a commit for its digest has other bytes than were promised: our own
    /// are read again to see whose fault that is.
    async fn say_who_is_wrong(&self, error: TransportError) -> Result<Step, Error> {
        self.content.judge().await?;
        let once_more = error.kind() != ErrorKind::Body && has_code(&error, DISPUTES);
        let error = self.refused(error);
        if once_more { Ok(Step::Lost(error)) } else { Err(error) }
    }

    /// A refusal of a commit, and what it may be about.
    fn refused(&self, error: TransportError) -> Error {
        let by_sha512 =
            self.content.digest().is_some_and(|digest| digest.algorithm() == Algorithm::Sha512);
        let about_name = has_code(&error, &[ErrorCode::DigestInvalid, ErrorCode::Unsupported]);
        let hint = if by_sha512 && about_name {
            " (it seems to take no blobs that are named by sha512)"
        } else {
            ""
        };
        Error::registry(|| format!("{}{hint}", self.name))(error)
    }

    fn error(&self, error: TransportError) -> Error {
        Error::registry(|| self.name.clone())(error)
    }

    fn unsupported(&self, reason: &str) -> Error {
        Error::Unsupported { what: format!("cannot {}: {reason}", self.name) }
    }
}

/// Registries that know no `PATCH`, or not this one.
fn refuses_pieces(learnt: &Learnt, error: &TransportError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    learnt.chunks.is_none() && matches!(status, Some(400 | 405 | 411 | 501))
}

/// Whether a refused commit may mean that the bytes are not those of the digest: it says so, or it
/// says nothing of use.
fn is_disputed(error: &TransportError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    let unclear = |code: &ErrorCode| {
        use ErrorCode::{BlobUploadInvalid, Other, Unknown};
        matches!(code, BlobUploadInvalid | Unknown | Other(_))
    };
    let is_unclear = error.diagnostics().iter().all(|said| unclear(&said.code));
    has_code(error, DISPUTES) || (matches!(status, Some(400 | 416 | 422)) && is_unclear)
}
