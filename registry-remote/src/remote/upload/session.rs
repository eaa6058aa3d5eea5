//! Upload sessions at a registry: none is left behind by an upload that failed or was dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use http::Method;
use registry_transport::Cancellation;
use url::Url;

use crate::Remote;

/// How long the deletion of a session may take: an attempt, and no more.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// The upload sessions of a client that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenUploads(Arc<Mutex<Uploads>>);

#[derive(Debug, Default)]
struct Uploads {
    sessions: HashMap<u64, (Arc<Remote>, Url)>,
    last: u64,
}

/// An open session. Dropping it deletes it, unless it was closed.
#[derive(Debug)]
pub(in crate::remote) struct Session {
    open: OpenUploads,
    remote: Arc<Remote>,
    id: u64,
    url: Url,
}

impl Session {
    pub(in crate::remote) fn new(remote: &Remote, url: Url) -> Self {
        let open = remote.client.state().uploads.clone();
        let remote = Arc::new(remote.clone());
        let mut uploads = open.lock();
        uploads.last += 1;
        let id = uploads.last;
        uploads.sessions.insert(id, (Arc::clone(&remote), url.clone()));
        drop(uploads);
        Self { open, remote, id, url }
    }

    /// Where the registry wants the next request.
    pub(in crate::remote) fn url(&self) -> &Url {
        &self.url
    }

    /// The registry said where to go on.
    pub(in crate::remote) fn moves_to(&mut self, url: Url) {
        if let Some((_, known)) = self.open.lock().sessions.get_mut(&self.id) {
            known.clone_from(&url);
        }
        self.url = url;
    }

    /// It was committed, or the registry has lost it: there is nothing to delete.
    pub(in crate::remote) fn close(self) {
        self.open.lock().sessions.remove(&self.id);
    }

    /// Deletes it. Whether the registry minds is of no interest.
    pub(in crate::remote) async fn abandon(self) {
        let (remote, url) = (Arc::clone(&self.remote), self.url.clone());
        self.close();
        delete(remote, url).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some((remote, url)) = self.open.lock().sessions.remove(&self.id) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(delete(remote, url));
        }
    }
}

impl OpenUploads {
    /// Deletes all of them.
    pub(crate) async fn abandon(&self) {
        let sessions = std::mem::take(&mut self.lock().sessions);
        join_all(sessions.into_values().map(|(remote, url)| delete(remote, url))).await;
    }

    fn lock(&self) -> MutexGuard<'_, Uploads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn delete(remote: Arc<Remote>, session: Url) {
    let request = remote
        .request(Method::DELETE, "blobs/uploads/", remote.push())
        .to(session)
        .expect(&[200, 202, 204]);
    // What was cancelled is to be cleaned up all the same.
    let transport = remote.client.transport().with_cancellation(&Cancellation::new());
    let _ = tokio::time::timeout(CLEAN_UP, transport.send(request)).await;
}
