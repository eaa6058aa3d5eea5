//! How a registry is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::access::{Access, Guard};
use crate::connections;
use crate::error::Error;
use crate::request_log::RequestLog;
use crate::running::{Running, reachable};
use crate::server::{Limits, Server};
use crate::sessions::Sessions;
use crate::store::{Disk, Memory, Store};

/// An OCI registry: where it keeps its content and who may use it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Registry;

impl Registry {
    /// A registry in memory, on a free port of 127.0.0.1, open to everybody.
    pub fn builder() -> Builder {
        Builder {
            directory: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            access: Access::Anonymous,
            limits: Limits::default(),
            record: None,
        }
    }
}

/// What a registry is to be like. Every setting has a default.
#[derive(Clone, Debug)]
#[must_use = "nothing is served before `spawn`"]
pub struct Builder {
    directory: Option<PathBuf>,
    address: SocketAddr,
    access: Access,
    limits: Limits,
    record: Option<usize>,
}

impl Builder {
    /// Keeps everything in memory, until the registry stops. The default.
    pub fn memory(mut self) -> Self {
        self.directory = None;
        self
    }

    /// Keeps everything in this directory, which is created if it does not exist.
    ///
    /// What a client was told is stored has been synchronised to disk. The directory must be on a
    /// file system that tells upper from lower case in names, as tags do.
    pub fn disk(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Where to listen. Port 0 is any free port.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// How clients prove who they are.
    pub fn auth(mut self, access: impl Into<Access>) -> Self {
        self.access = access.into();
        self
    }

    /// Refuses every change, with 405. Off by default.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.limits.read_only = read_only;
        self
    }

    /// Whether people find a web page at `/` that shows what is in the registry. On by default.
    pub fn ui(mut self, ui: bool) -> Self {
        self.limits.ui = ui;
        self
    }

    /// The largest manifest that is accepted, in bytes; 4 MiB by default. Larger ones get 413.
    pub fn manifest_limit(mut self, bytes: usize) -> Self {
        self.limits.manifest = bytes;
        self
    }

    /// Lists of tags, repositories and referrers come in pages of at most this many entries, with a
    /// `Link` to the next one. By default everything comes at once, unless a client asks for less.
    pub fn page_limit(mut self, entries: NonZeroUsize) -> Self {
        self.limits.page = entries.get();
        self
    }

    /// Asks clients for chunks of at least this many bytes: `OCI-Chunk-Min-Length` (distribution
    /// specification, "Pushing a blob in chunks"). Not asked for by default, and never enforced.
    pub fn chunk_min_length(mut self, bytes: u64) -> Self {
        self.limits.chunk_min = Some(bytes);
        self
    }

    /// How long an unfinished upload can be continued after its last byte; a day by default.
    pub fn upload_expiry(mut self, expiry: Duration) -> Self {
        self.limits.upload_expiry = expiry;
        self
    }

    /// How long a request may go without sending a byte; a minute by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// Keeps the last requests for [`Running::requests`], at most this many. Off by default.
    pub fn record_requests(mut self, at_most: usize) -> Self {
        self.record = Some(at_most);
        self
    }

    /// Starts to serve, on the current tokio runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime that has I/O and time enabled.
    pub async fn spawn(self) -> Result<Running, Error> {
        let failed = |source| Error::Listen { address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let store = open(self.directory).await?;
        let server = Arc::new(Server {
            sessions: Sessions::new(Arc::clone(&store)),
            guard: Guard::new(self.access, reachable(address).to_string()),
            store,
            limits: self.limits,
            log: self.record.map(RequestLog::new),
        });
        Ok(connections::start(listener, address, server))
    }
}

async fn open(directory: Option<PathBuf>) -> Result<Arc<dyn Store>, Error> {
    let Some(path) = directory else { return Ok(Arc::new(Memory::default())) };
    let root = path.clone();
    let opened = tokio::task::spawn_blocking(move || Disk::open(&root)).await;
    let opened = opened.map_err(std::io::Error::other).flatten();
    match opened {
        Ok(disk) => Ok(Arc::new(disk)),
        Err(source) => Err(Error::Storage { path, source }),
    }
}
