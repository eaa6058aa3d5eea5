//! A blob whose size and digest are known only when all of it was read, which can be done once.
//!
//! It is hashed while it is uploaded, piece by piece. The piece at hand is in memory; what went
//! out before is in an unnamed temporary file that only this user can read, so that a registry
//! that lost the upload can be given all of it again.

use std::{
    io,
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use registry_name::Digest;
use registry_transport::Body;
use tokio::sync::Mutex;

use super::{
    MAX_SESSIONS, Session,
    identity::Identity,
    outgoing::Outgoing,
    progress::{CHUNK, MAX_CHUNK},
    requests::{Begun, post_plain},
    send::{Filled, Sending},
};
use crate::{
    ByteStream, Descriptor, Error,
    compose::Content,
    image::DiffHasher,
    local::{blocking, pour::Slot},
    remote::Remote,
};

/// What is read of the file for one piece of a body, bytes.
const BLOCK: u64 = 64 << 10;

/// Uploads bytes of unknown size and digest, and says what they are; of a layer whose content
/// `diff` looks at, its diff id too.
pub(super) async fn put_stream(
    remote: &Remote,
    stream: ByteStream,
    diff: Option<DiffHasher>,
) -> Result<Identified, Error> {
    let name = format!("push a stream to {}", remote.repository);
    let what = format!("what is pushed to {}", remote.repository);
    let content = Stream::new(stream, Identity::new(diff, what));
    content.read(CHUNK).await?;
    if let Some(bytes) = content.whole().await {
        let known = content.identified(&name)?;
        remote.put_content(&known.0, Content::Bytes(bytes)).await?;
        return Ok(known);
    }
    let mut sending = Sending::new(remote, &content, name.clone());
    let mut last = None;
    for _ in 0..MAX_SESSIONS {
        match sending.fill(begin(remote, &name).await?).await? {
            Filled::Stored => return content.identified(&name),
            Filled::Lost(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::Unsupported { what: format!("cannot {name}") }))
}

async fn begin(remote: &Remote, name: &str) -> Result<Session, Error> {
    let attempt = || name.to_owned();
    match post_plain(remote, None).await.map_err(Error::registry(attempt))? {
        Begun::Session(session) => Ok(session),
        Begun::Refused(error) => Err(Error::registry(attempt)(error)),
        Begun::Stored => Err(Error::Unsupported {
            what: format!("cannot {name}: the registry claims to have it already"),
        }),
    }
}

/// What it turned out to be, and its diff id where it is a layer.
type Identified = (Descriptor, Option<Digest>);

/// The stream, as far as it was read.
struct Stream {
    state: Mutex<State>,
    known: StdMutex<Option<Identified>>,
}

struct State {
    source: Option<ByteStream>,
    /// What the source gave beyond the piece at hand.
    rest: Bytes,
    /// Until all was read.
    identity: Option<Identity>,
    /// The piece at hand, and where it begins.
    piece: Bytes,
    start: u64,
    spool: Option<Slot>,
}

impl Stream {
    fn new(source: ByteStream, identity: Identity) -> Self {
        let state = State {
            source: Some(source),
            rest: Bytes::new(),
            identity: Some(identity),
            piece: Bytes::new(),
            start: 0,
            spool: None,
        };
        Self { state: Mutex::new(state), known: StdMutex::new(None) }
    }

    /// Reads the first piece.
    async fn read(&self, most: u64) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        state.advance(0, most).await?;
        self.note(&mut state)
    }

    /// All of it, where it fits into the first piece.
    async fn whole(&self) -> Option<Bytes> {
        let state = self.state.lock().await;
        (state.source.is_none() && state.start == 0).then(|| state.piece.clone())
    }

    fn identified(&self, name: &str) -> Result<Identified, Error> {
        self.known().clone().ok_or_else(|| Error::Unsupported {
            what: format!("cannot {name}: it was not read to its end"),
        })
    }

    fn note(&self, state: &mut State) -> Result<(), Error> {
        if state.source.is_none()
            && let Some(identity) = state.identity.take()
        {
            *self.known() = Some(identity.finish()?);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Option<Identified>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.piece.len() as u64
    }

    /// Sees to it that `most` bytes from `offset` on can be had, or all that there are: puts away what
    /// the piece at hand has before them, and reads on.
    async fn advance(&mut self, offset: u64, most: u64) -> Result<(), Error> {
        let end = offset.saturating_add(most.min(MAX_CHUNK));
        if self.source.is_none() || end <= self.end() {
            return Ok(());
        }
        self.put_away(offset).await?;
        let most = usize::try_from(end - self.start).unwrap_or(usize::MAX);
        let mut piece = BytesMut::from(&std::mem::take(&mut self.piece)[..]);
        while piece.len() < most {
            if self.rest.is_empty() {
                let Some(source) = &mut self.source else { break };
                match source.next().await {
                    Some(next) => self.rest = next?,
                    None => self.source = None,
                }
                continue;
            }
            let next = self.rest.split_to(self.rest.len().min(most - piece.len()));
            if let Some(identity) = &mut self.identity {
                identity.update(&next)?;
            }
            piece.extend_from_slice(&next);
        }
        self.piece = piece.freeze();
        Ok(())
    }

    /// Writes what the piece at hand has before `offset` to the file.
    async fn put_away(&mut self, offset: u64) -> Result<(), Error> {
        let before = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let bytes = self.piece.split_to(before.min(self.piece.len()));
        if bytes.is_empty() {
            return Ok(());
        }
        let (at, length, spool) = (self.start, bytes.len() as u64, self.spool.take());
        let spool = blocking(move || {
            let spool = spool.map_or_else(temporary, Ok)?;
            spool.write_at(at, &bytes).map(|()| spool)
        });
        self.spool = Some(spool.await?);
        self.start += length;
        Ok(())
    }
}

#[async_trait]
impl Outgoing for Stream {
    fn size(&self) -> Option<u64> {
        self.known().as_ref().map(|known| known.0.size)
    }

    fn digest(&self) -> Option<Digest> {
        self.known().as_ref().map(|known| known.0.digest.clone())
    }

    async fn body(&self, offset: u64, most: u64) -> Result<Option<Body>, Error> {
        if most > MAX_CHUNK {
            self.complete().await?;
        }
        let mut state = self.state.lock().await;
        state.advance(offset, most).await?;
        self.note(&mut state)?;
        let length = state.end().saturating_sub(offset).min(most);
        if length == 0 {
            return Ok(None);
        }
        if offset >= state.start {
            let first = usize::try_from(offset - state.start).unwrap_or(usize::MAX);
            let last = first.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            return Ok(Some(Body::bytes(state.piece.slice(first..last))));
        }
        // Again, from what was put away and then from the piece at hand.
        let Some(spool) = state.spool.clone() else { return Ok(None) };
        let (piece, start) = (state.piece.clone(), state.start);
        let open = move || {
            let state = (spool.clone(), piece.clone(), offset, offset + length);
            let read = stream::try_unfold(state, move |(spool, piece, at, end)| async move {
                if at >= end {
                    return Ok(None);
                }
                let bytes = if at < start {
                    let (slot, block) = (spool.clone(), at..end.min(start).min(at + BLOCK));
                    blocking(move || slot.read_at(block)).await.map_err(io::Error::other)?
                } else {
                    let first = usize::try_from(at - start).unwrap_or(usize::MAX);
                    let last = usize::try_from(end - start).unwrap_or(usize::MAX);
                    piece.slice(first..last)
                };
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let next = at + bytes.len() as u64;
                Ok(Some((bytes, (spool, piece, next, end))))
            });
            Box::pin(read) as registry_transport::ByteStream
        };
        Ok(Some(Body::stream(length, Arc::new(open))))
    }

    fn failure(&self) -> Option<Error> {
        None
    }

    /// The digest is of the very bytes that were sent: there is nothing to compare it with.
    async fn judge(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn complete(&self) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        while state.source.is_some() {
            let end = state.end();
            state.advance(end, CHUNK).await?;
        }
        self.note(&mut state)
    }
}

fn temporary() -> Result<Slot, Error> {
    let path = std::env::temp_dir().join("an upload's temporary file");
    let file = tempfile::tempfile().map_err(Error::local("create", &path))?;
    Ok(Slot::new(Arc::new(file), 0, &path))
}
