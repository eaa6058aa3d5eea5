//! Upload sessions at a registry: none is left behind by an upload that failed or was dropped.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, Fuse, FusedFuture as _, FutureExt as _};
use http::{Method, StatusCode};
use registry_transport::{Cancellation, Error as TransportError, Request, Response};
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle, time::timeout};
use url::Url;

use crate::Remote;

/// How long the deletion of a session may take: an attempt, and no more.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// The upload sessions of a client that are open, or on their way to it or from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenUploads(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    uploads: Mutex<Uploads>,
    /// There are fewer of them now.
    fewer: Notify,
}

#[derive(Debug, Default)]
struct Uploads {
    open: HashMap<u64, (Arc<Remote>, Url)>,
    last: u64,
    /// Requests that may open one.
    asked: usize,
    /// Deletions.
    ending: usize,
}

/// An open session. Dropping it deletes it, unless it was closed.
#[derive(Debug)]
pub(in crate::remote) struct Session {
    uploads: OpenUploads,
    id: u64,
    url: Url,
}

impl Session {
    /// Sends a request that may open a session. Where this is dropped before the answer is there,
    /// what the answer opens is deleted.
    pub(in crate::remote) async fn open(
        remote: &Remote,
        request: Request,
    ) -> Result<(Response, Option<Self>), TransportError> {
        let mut opening = Opening::new(remote, request);
        let response = (&mut opening.sent).await?;
        let session = opened_at(&response)?.map(|url| Self::new(remote, url));
        Ok((response, session))
    }

    fn new(remote: &Remote, url: Url) -> Self {
        let uploads = remote.client.state().uploads.clone();
        let mut held = uploads.lock();
        held.last += 1;
        let id = held.last;
        held.open.insert(id, (Arc::new(remote.clone()), url.clone()));
        drop(held);
        Self { uploads, id, url }
    }

    /// Where the registry wants the next request.
    pub(in crate::remote) fn url(&self) -> &Url {
        &self.url
    }

    /// The registry said where to go on.
    pub(in crate::remote) fn moves_to(&mut self, url: Url) {
        if let Some((_, known)) = self.uploads.lock().open.get_mut(&self.id) {
            known.clone_from(&url);
        }
        self.url = url;
    }

    /// It was committed, or the registry has lost it: there is nothing to delete.
    pub(in crate::remote) fn close(self) {
        self.uploads.lock().open.remove(&self.id);
        self.uploads.0.fewer.notify_waiters();
    }

    /// Deletes it. Whether the registry minds is of no interest.
    pub(in crate::remote) async fn abandon(self) {
        // It goes on where nobody waits for it any more.
        if let Some(deletion) = self.uploads.delete(self.id) {
            let _ = deletion.await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.uploads.delete(self.id);
    }
}

impl OpenUploads {
    /// Deletes all of them.
    pub(crate) async fn abandon(&self) {
        let open: Vec<_> = self.lock().open.keys().copied().collect();
        for id in open {
            self.delete(id);
        }
        self.until(|held| held.open.is_empty() && held.asked + held.ending == 0).await;
    }

    /// Waits for the deletions that are under way.
    pub(crate) async fn settle(&self) {
        self.until(|held| held.ending == 0).await;
    }

    async fn until(&self, is_done: impl Fn(&Uploads) -> bool) {
        let done = async {
            loop {
                let fewer = self.0.fewer.notified();
                if is_done(&self.lock()) {
                    break;
                }
                fewer.await;
            }
        };
        let _ = timeout(CLEAN_UP, done).await;
    }

    /// Deletes one, if it is open. Where no runtime is there to do that, it stays so.
    fn delete(&self, id: u64) -> Option<JoinHandle<()>> {
        let runtime = Handle::try_current().ok()?;
        let mut held = self.lock();
        let (remote, url) = held.open.remove(&id)?;
        let ending = self.ending(&mut held);
        drop(held);
        Some(runtime.spawn(async move {
            delete(&remote, url).await;
            drop(ending);
        }))
    }

    fn ending(&self, held: &mut Uploads) -> Ending {
        held.ending += 1;
        Ending(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Uploads> {
        self.0.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deletion that is under way.
struct Ending(OpenUploads);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ending -= 1;
        self.0.0.fewer.notify_waiters();
    }
}

/// A request that may open a session, and was not answered yet.
struct Opening {
    uploads: OpenUploads,
    remote: Arc<Remote>,
    sent: Fuse<BoxFuture<'static, Result<Response, TransportError>>>,
}

impl Opening {
    fn new(remote: &Remote, request: Request) -> Self {
        let uploads = remote.client.state().uploads.clone();
        uploads.lock().asked += 1;
        let transport = remote.client.transport().clone();
        let sent = async move { transport.send(request).await }.boxed().fuse();
        Self { uploads, remote: Arc::new(remote.clone()), sent }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut held = self.uploads.lock();
        held.asked -= 1;
        let ending = (!self.sent.is_terminated()).then(|| self.uploads.ending(&mut held));
        drop(held);
        self.uploads.0.fewer.notify_waiters();
        let (Some(ending), Ok(runtime)) = (ending, Handle::try_current()) else { return };
        let sent = mem::replace(&mut self.sent, Fuse::terminated());
        let remote = Arc::clone(&self.remote);
        runtime.spawn(async move {
            if let Ok(Ok(response)) = timeout(CLEAN_UP, sent).await
                && let Ok(Some(url)) = opened_at(&response)
            {
                delete(&remote, url).await;
            }
            drop(ending);
        });
    }
}

/// Where the session is that this answer speaks of.
fn opened_at(response: &Response) -> Result<Option<Url>, TransportError> {
    (response.status() == StatusCode::ACCEPTED).then(|| response.location()).transpose()
}

async fn delete(remote: &Remote, session: Url) {
    let request = remote
        .request(Method::DELETE, "blobs/uploads/", remote.push())
        .to(session)
        .expect(&[200, 202, 204]);
    // What was cancelled is to be cleaned up all the same.
    let transport = remote.client.transport().with_cancellation(&Cancellation::new());
    let _ = timeout(CLEAN_UP, transport.send(request)).await;
}
