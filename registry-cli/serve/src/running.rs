//! A registry that serves.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

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

    /// `http://127.0.0.1:5000`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
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
