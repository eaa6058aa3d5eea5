//! Upload sessions: a blob that arrives in one request or in many.
//!
//! What has arrived stays, also when the request that brought it is cut: the client asks for the
//! offset and goes on there. A session has one writer, the newest: a request that is still waiting
//! for bytes on a dead connection gives way to the one that replaces it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use registry_name::Algorithm;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::hash::Hasher;
use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::store::{Store, Upload, UploadId};
use crate::work::blocking;

mod writer;

pub(crate) use writer::Writer;

type Open = HashMap<(Name, UploadId), Arc<Session>>;

/// The sessions that this process has touched. Those of an earlier process are found in the store.
#[derive(Debug)]
pub(crate) struct Sessions {
    store: Arc<dyn Store>,
    open: Mutex<Open>,
    opening: tokio::sync::Mutex<()>,
    bounds: Bounds,
    room: Arc<Semaphore>,
}

/// How many uploads there may be, and how long each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Each holds a file descriptor.
    pub(crate) sessions: usize,
    pub(crate) bytes: u64,
    /// An upload that nobody has continued for this long gives way to a new one when there are too
    /// many: clients that went away must not lock out those that come.
    pub(crate) patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { sessions: 256, bytes: u64::MAX, patience: Duration::from_secs(60) }
    }
}

/// One upload.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: Name,
    pub(crate) id: UploadId,
    store: Arc<dyn Store>,
    state: Mutex<State>,
    /// Bytes received; for status requests, which need not wait for a writer.
    offset: AtomicU64,
    /// Counts the writers.
    newest: watch::Sender<u64>,
    limit: u64,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct State {
    /// `None`: committed, cancelled or expired.
    upload: Option<Upload>,
    offset: u64,
    /// Of all bytes so far; `None`: to be computed from them at the end.
    hash: Option<Hasher>,
    touched: Instant,
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn Store>, bounds: Bounds) -> Self {
        let room = Arc::new(Semaphore::new(bounds.sessions.min(Semaphore::MAX_PERMITS)));
        let (open, opening) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { store, open, opening, bounds, room }
    }

    /// How many there are now.
    pub(crate) fn open(&self) -> usize {
        self.bounds.sessions.saturating_sub(self.room.available_permits())
    }

    async fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let enter = || Arc::clone(&self.room).try_acquire_owned();
        if let Ok(room) = enter() {
            return Ok(room);
        }
        self.make_room().await?;
        enter().map_err(|_| {
            let message = "there are too many uploads at once; finish or cancel some";
            Problem::too_many(message, Duration::from_secs(10))
        })
    }

    /// Ends the upload that nobody has continued for the longest time, if that is long enough.
    async fn make_room(&self) -> Result<(), Problem> {
        let sessions: Vec<Arc<Session>> = self.lock().values().cloned().collect();
        let longest = blocking(move || {
            let idle = |session: Arc<Session>| {
                let idle = session.lock().touched.elapsed();
                (idle, session)
            };
            Ok(sessions.into_iter().map(idle).max_by_key(|(idle, _)| *idle))
        });
        match longest.await? {
            Some((idle, session)) if idle >= self.bounds.patience => self.cancel(&session).await,
            _ => Ok(()),
        }
    }

    /// Begins an upload that later requests can find.
    pub(crate) async fn begin(
        &self,
        name: &Name,
        algorithm: Algorithm,
    ) -> Result<Arc<Session>, Problem> {
        let session = self.begin_alone(name, algorithm).await?;
        self.lock().insert((name.clone(), session.id.clone()), Arc::clone(&session));
        Ok(session)
    }

    /// Begins an upload that is over with the request that brings it.
    pub(crate) async fn begin_alone(
        &self,
        name: &Name,
        algorithm: Algorithm,
    ) -> Result<Arc<Session>, Problem> {
        let (room, limit) = (self.enter().await?, self.bounds.bytes);
        let (store, name) = (Arc::clone(&self.store), name.clone());
        blocking(move || {
            let id = UploadId::random()?;
            let upload = store.create_upload(&name, &id)?;
            let hash = Hasher::new(algorithm);
            let state = State::new(0, upload, hash);
            Ok(Session::new(store, (name, id), state, limit, room))
        })
        .await
    }

    /// A session that this process, or one before it, has begun in this repository.
    pub(crate) async fn find(
        &self,
        name: &Name,
        id: &UploadId,
    ) -> Result<Option<Arc<Session>>, Problem> {
        let key = (name.clone(), id.clone());
        if let Some(session) = self.lock().get(&key) {
            return Ok(Some(Arc::clone(session)));
        }
        // One after the other: a session must not be opened twice.
        let _opening = self.opening.lock().await;
        if let Some(session) = self.lock().get(&key) {
            return Ok(Some(Arc::clone(session)));
        }
        let (room, limit) = (self.enter().await?, self.bounds.bytes);
        let (store, (name, id)) = (Arc::clone(&self.store), key.clone());
        let opened = blocking(move || {
            let upload = match store.open_upload(&name, &id) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(taken()),
                upload => upload?,
            };
            let Some(upload) = upload else { return Ok(None) };
            let state = State::new(upload.len()?, upload, None);
            Ok(Some(Session::new(store, (name, id), state, limit, room)))
        });
        let opened = opened.await?;
        if let Some(session) = &opened {
            self.lock().insert(key, Arc::clone(session));
        }
        Ok(opened)
    }

    pub(crate) fn forget(&self, session: &Session) {
        self.lock().remove(&(session.name.clone(), session.id.clone()));
    }

    /// Ends an upload and removes what has arrived of it.
    pub(crate) async fn cancel(&self, session: &Arc<Session>) -> Result<(), Problem> {
        self.forget(session);
        session.newest.send_modify(|newest| *newest += 1);
        let session = Arc::clone(session);
        blocking(move || {
            session.lock().upload = None;
            Ok(session.store.remove_upload(&session.name, &session.id)?)
        })
        .await
    }

    /// Ends the uploads that nobody has continued for `age`.
    pub(crate) async fn expire(&self, age: Duration) -> Result<(), Problem> {
        let sessions: Vec<Arc<Session>> = self.lock().values().cloned().collect();
        let idle = move |session: &Arc<Session>| session.lock().touched.elapsed() >= age;
        let idle = blocking(move || Ok(sessions.into_iter().filter(idle).collect::<Vec<_>>()));
        for session in idle.await? {
            self.cancel(&session).await?;
        }
        let open = self.lock().keys().map(|(_, id)| id.clone()).collect();
        let store = Arc::clone(&self.store);
        blocking(move || Ok(store.expire(age, &open)?)).await
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn new(
        store: Arc<dyn Store>,
        (name, id): (Name, UploadId),
        state: State,
        limit: u64,
        room: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let offset = AtomicU64::new(state.offset);
        let newest = watch::Sender::new(0);
        let state = Mutex::new(state);
        Arc::new(Self { name, id, store, state, offset, newest, limit, _room: room })
    }

    /// How many bytes have arrived.
    pub(crate) fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// Held for one write at most, and only on the blocking pool.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn taken() -> Problem {
    let message = "another process is receiving this upload";
    Problem::new(StatusCode::CONFLICT, Code::BlobUploadInvalid, message)
}

impl State {
    fn new(offset: u64, upload: Upload, hash: Option<Hasher>) -> Self {
        Self { upload: Some(upload), offset, hash, touched: Instant::now() }
    }
}

#[cfg(test)]
mod tests;
