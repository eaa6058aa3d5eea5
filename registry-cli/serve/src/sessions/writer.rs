//! The one request that writes to a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;
use registry_name::Digest;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Session, State};
use crate::hash::Hasher;
use crate::problem::{Code, Problem};
use crate::route::unknown_upload;
use crate::store::Upload;
use crate::work::{blocking, finished, spawn};

/// How much is handed to a blocking thread at once. One such batch is written while the next one
/// arrives, so an upload holds two of them in memory.
const BATCH: usize = 512 << 10;

/// The right to write, until a newer request takes it.
#[derive(Debug)]
pub(crate) struct Writer {
    session: Arc<Session>,
    mine: u64,
    newest: watch::Receiver<u64>,
}

impl Writer {
    /// Takes the session from whoever had it.
    pub(crate) fn claim(session: &Arc<Session>) -> Self {
        let mut mine = 0;
        session.newest.send_modify(|newest| {
            *newest += 1;
            mine = *newest;
        });
        let newest = session.newest.subscribe();
        Self { session: Arc::clone(session), mine, newest }
    }

    /// How many bytes have arrived, now that nobody else adds any.
    pub(crate) async fn offset(&self) -> Result<u64, Problem> {
        self.run(|state, _| Ok(state.offset)).await
    }

    /// Appends a body. `exactly`: how long it has to be; another length leaves the session as it
    /// was. A body that is cut leaves what has arrived of it.
    pub(crate) async fn append<B>(
        &mut self,
        body: &mut B,
        exactly: Option<u64>,
        idle: Duration,
    ) -> Result<(), Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let start = self.offset().await?;
        let limit = self.session.limit;
        if body.size_hint().lower() > limit.saturating_sub(start) {
            return Err(too_large(limit));
        }
        let mut writing: Option<JoinHandle<Result<(), Problem>>> = None;
        let (mut batch, mut batched, mut received) = (Vec::new(), 0, 0);
        let end = loop {
            let frame = tokio::select! {
                biased;
                _ = self.newest.wait_for(|newest| *newest != self.mine) => {
                    break Err(superseded());
                }
                frame = tokio::time::timeout(idle, body.frame()) => frame,
            };
            match frame {
                Err(_) => break Err(too_slow()),
                Ok(None) => break Ok(()),
                Ok(Some(Err(_))) => break Err(cut_short()),
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    let Ok(data) = frame.into_data() else { continue };
                    received += data.len() as u64;
                    if received > limit.saturating_sub(start) {
                        break Err(too_large(limit));
                    }
                    batched += data.len();
                    batch.push(data);
                }
            }
            if exactly.is_some_and(|length| received > length) {
                break Ok(());
            }
            if batched >= BATCH {
                finish(writing.take()).await?;
                writing = Some(self.write(std::mem::take(&mut batch)));
                batched = 0;
            }
        };
        finish(writing).await?;
        finish(Some(self.write(batch))).await?;
        end?;
        match exactly {
            Some(length) if length != received => {
                self.run(move |state, _| state.roll_back(start)).await?;
                Err(wrong_length(length))
            }
            _ => Ok(()),
        }
    }

    /// Makes the upload a blob, if it is what `digest` says. If not, the upload is over too.
    pub(crate) async fn commit(&self, digest: &Digest) -> Result<(), Problem> {
        let digest = digest.clone();
        self.run(move |state, session| {
            let mut upload = state.upload.take().ok_or_else(unknown_upload)?;
            let hash = state.hash.take();
            let actual = hash_of(&mut upload, hash, &digest)?.and_then(Hasher::finish);
            if actual.as_ref() != Some(&digest) {
                session.store.remove_upload(&session.name, &session.id)?;
                let message = format!("the content that was uploaded is not {digest}");
                return Err(Problem::invalid(Code::DigestInvalid, message));
            }
            Ok(session.store.commit_upload(&session.name, &session.id, upload, &digest)?)
        })
        .await
    }

    fn write(&self, batch: Vec<Bytes>) -> JoinHandle<Result<(), Problem>> {
        let (session, mine) = (Arc::clone(&self.session), self.mine);
        spawn(move || {
            let mut state = session.lock();
            check(&session, mine)?;
            state.write(&batch)?;
            session.offset.store(state.offset, Ordering::Release);
            Ok(())
        })
    }

    /// Does something to the session, unless a newer writer has it.
    async fn run<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut State, &Session) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (session, mine) = (Arc::clone(&self.session), self.mine);
        blocking(move || {
            let mut state = session.lock();
            check(&session, mine)?;
            let outcome = action(&mut state, &session);
            session.offset.store(state.offset, Ordering::Release);
            outcome
        })
        .await
    }
}

impl State {
    fn write(&mut self, batch: &[Bytes]) -> Result<(), Problem> {
        let upload = self.upload.as_mut().ok_or_else(unknown_upload)?;
        if let Err(error) = upload.append(batch) {
            // A batch counts as a whole: what a full disk has taken of it is given back.
            self.roll_back(self.offset)?;
            return Err(error.into());
        }
        for piece in batch {
            self.offset += piece.len() as u64;
            if let Some(hash) = &mut self.hash {
                hash.update(piece);
            }
        }
        self.touched = Instant::now();
        Ok(())
    }

    fn roll_back(&mut self, offset: u64) -> Result<(), Problem> {
        let upload = self.upload.as_mut().ok_or_else(unknown_upload)?;
        self.hash = None;
        self.offset = offset;
        Ok(upload.truncate(offset)?)
    }
}

/// The hash of all bytes by the digest's algorithm: the running one, or computed now. `None`: an
/// algorithm that this registry does not know.
fn hash_of(
    upload: &mut Upload,
    running: Option<Hasher>,
    digest: &Digest,
) -> Result<Option<Hasher>, Problem> {
    let running = running.filter(|hash| hash.algorithm() == digest.algorithm());
    if running.is_some() {
        return Ok(running);
    }
    let Some(fresh) = Hasher::new(digest.algorithm()) else { return Ok(None) };
    Ok(Some(upload.hash(fresh)?))
}

async fn finish(writing: Option<JoinHandle<Result<(), Problem>>>) -> Result<(), Problem> {
    match writing {
        Some(writing) => finished(writing).await,
        None => Ok(()),
    }
}

fn check(session: &Session, mine: u64) -> Result<(), Problem> {
    if *session.newest.borrow() == mine { Ok(()) } else { Err(superseded()) }
}

fn superseded() -> Problem {
    let message = "a newer request has taken over this upload";
    Problem::new(StatusCode::CONFLICT, Code::BlobUploadInvalid, message)
}

fn too_large(limit: u64) -> Problem {
    let message = format!("a blob has at most {limit} bytes here");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
}

fn too_slow() -> Problem {
    let message = "no bytes for too long; what has arrived is kept";
    Problem::new(StatusCode::REQUEST_TIMEOUT, Code::BlobUploadInvalid, message)
}

fn cut_short() -> Problem {
    Problem::invalid(Code::BlobUploadInvalid, "the body was cut short; what has arrived is kept")
}

fn wrong_length(announced: u64) -> Problem {
    let message = format!("Content-Range announced {announced} bytes, the body has another length");
    Problem::invalid(Code::SizeInvalid, message)
}
