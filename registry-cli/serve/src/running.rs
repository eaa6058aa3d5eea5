//! A registry that serves.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::fault::Fault;
use crate::garbage::Collected;
use crate::request_log::{RequestLog, RequestRecord};
use crate::server::Server;

/// A registry that serves until it is shut down or dropped.
#[derive(Debug)]
#[must_use = "dropping it stops the registry"]
pub struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) server: Arc<Server>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) secure: bool,
    pub(crate) ca: Option<String>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How references name it: `127.0.0.1:5000`. An address that means every interface is given as
    /// loopback.
    pub fn host(&self) -> String {
        reachable(self.address).to_string()
    }

    /// `http://127.0.0.1:5000`, without a slash at the end; `https` where TLS is spoken.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.host())
    }

    /// The CA of a certificate that was made at the start, in PEM: what clients have to trust.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Lets something go wrong from now on.
    pub fn inject(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// Removes the blobs that have had no manifest in their repository for this long, and the
    /// uploads that have expired. A push that is under way is safe as long as it takes less time:
    /// a blob counts from its upload, or from the last time that a client looked whether it is
    /// there or mounted it.
    pub async fn collect_garbage(&self, older_than: Duration) -> Result<Collected, Error> {
        self.server.collect_garbage(older_than).await
    }

    /// The requests that were answered so far, oldest first; empty unless
    /// [`Builder::record_requests`](crate::Builder::record_requests) asked for them.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.server.log.as_ref().map(RequestLog::all).unwrap_or_default()
    }

    /// Stops: takes no more connections, finishes the requests that are being answered (for ten
    /// seconds at most), closes.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // An error means that the task is gone already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address that a client on this machine can connect to.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}
