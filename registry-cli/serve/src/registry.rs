//! How a registry is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::access::{Access, Guard};
use crate::connections::{self, Door};
use crate::error::Error;
use crate::fault::{Fault, Faults};
use crate::metrics::Metrics;
use crate::rate::RateLimit;
use crate::request_log::{RequestLog, RequestRecord, Sink};
use crate::running::{Running, reachable};
use crate::server::{Limits, Server};
use crate::sessions::Sessions;
use crate::store::{Disk, Memory, Store};
#[cfg(feature = "tls")]
use crate::tls::Tls;

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
            sink: None,
            rate: None,
            warning: None,
            faults: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
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
    sink: Option<Sink>,
    rate: Option<NonZeroU32>,
    warning: Option<String>,
    faults: Vec<Fault>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
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

    /// The largest blob that is accepted, in bytes; by default as much as there is room for. Larger
    /// ones get 413.
    pub fn blob_limit(mut self, bytes: u64) -> Self {
        self.limits.uploads.bytes = bytes;
        self
    }

    /// How many uploads there may be at once, each with one file descriptor; 256 by default. One
    /// more ends the upload that rested for the longest time, if that is a minute at least, or
    /// gets 429.
    pub fn upload_limit(mut self, uploads: usize) -> Self {
        self.limits.uploads.sessions = uploads;
        self
    }

    /// How many connections there may be at once; 512 by default. More wait until one ends.
    pub fn connection_limit(mut self, connections: NonZeroUsize) -> Self {
        self.limits.connections = connections.get().min(Semaphore::MAX_PERMITS);
        self
    }

    /// How many requests each client, known by its address, may send in a minute, in whatever
    /// rhythm. More get 429 with `Retry-After`. No limit by default.
    pub fn rate_limit(mut self, per_minute: NonZeroU32) -> Self {
        self.rate = Some(per_minute);
        self
    }

    /// The largest head of a request, in bytes; 32 KiB by default. Larger ones get 431.
    pub fn header_limit(mut self, bytes: usize) -> Self {
        self.limits.headers = bytes;
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

    /// Calls this with each request that was answered, for a log. It has to return quickly.
    pub fn log(mut self, sink: impl Fn(&RequestRecord) + Send + Sync + 'static) -> Self {
        self.sink = Some(Sink(Arc::new(sink)));
        self
    }

    /// Whether `/metrics` shows counters, in the text format of Prometheus, to everybody who may
    /// ask for `/v2/`. Off by default.
    pub fn metrics(mut self, metrics: bool) -> Self {
        self.limits.metrics = metrics;
        self
    }

    /// Sends a `Warning` with every answer below `/v2/` (distribution specification, "Warnings"):
    /// at most 256 characters of printable ASCII.
    pub fn warning(mut self, text: impl Into<String>) -> Self {
        self.warning = Some(text.into());
        self
    }

    /// Lets something go wrong, for tests of clients. May be called for several faults; see also
    /// [`Running::inject`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Removes blobs that have had no manifest in their repository for this long: at the start,
    /// and then every hour. Never, by default. See [`Running::collect_garbage`].
    pub fn collect_garbage(mut self, older_than: Duration) -> Self {
        self.limits.garbage = Some(older_than);
        self
    }

    /// Speaks HTTPS. By default it is HTTP, without TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Starts to serve, on the current tokio runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime that has I/O and time enabled.
    pub async fn spawn(self) -> Result<Running, Error> {
        let failed = |source| Error::Listen { address: self.address, source };
        let warning = self.warning.as_deref().map(warning).transpose()?;
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        #[cfg(feature = "tls")]
        let door = match self.tls {
            Some(tls) => Door::Tls(tls.acceptor(address.ip())?),
            None => Door::Plain,
        };
        #[cfg(not(feature = "tls"))]
        let door = Door::Plain;
        let store = open(self.directory).await?;
        let faults = Faults::default();
        self.faults.into_iter().for_each(|fault| faults.add(fault));
        let authority = reachable(address).to_string();
        let server = Arc::new(Server {
            sessions: Sessions::new(Arc::clone(&store), self.limits.uploads),
            guard: Guard::new(self.access, authority, door.scheme()),
            store,
            room: Arc::new(Semaphore::new(self.limits.connections)),
            limits: self.limits,
            log: self.record.map(RequestLog::new),
            sink: self.sink,
            metrics: Metrics::default(),
            faults,
            rate: self.rate.map(RateLimit::new),
            warning,
        });
        Ok(connections::start(listener, address, server, door))
    }
}

/// `299 - "…"`, with `-` for a registry that has no name of its own.
fn warning(text: &str) -> Result<HeaderValue, Error> {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !printable || text.len() > 256 {
        return Err(Error::Warning);
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::try_from(format!("299 - \"{quoted}\"")).map_err(|_| Error::Warning)
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
