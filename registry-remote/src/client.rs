//! One client a process, one remote a repository.

mod builder;

use std::{fmt, sync::Arc};

use registry_name::{Registry, Repository};
use registry_transport::Transport;
use tokio::sync::Semaphore;

pub use self::builder::Builder as ClientBuilder;
use crate::{
    CopyOptions, Error, Platform, Remote,
    learnt::{Learnt, Lessons},
    limits::EXTRA_CONNECTIONS,
    remote::{OpenUploads, Recent, Repositories},
};

/// A client for any number of registries. Cheap to clone; clones share connections, tokens and
/// what was learnt about each registry.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    settings: Arc<Settings>,
    state: Arc<State>,
    /// Leave to open a connection beyond the first for a blob.
    extra_connections: Arc<Semaphore>,
}

/// What a caller decides once for everything.
#[derive(Debug)]
struct Settings {
    jobs: usize,
    platform: Platform,
}

/// What all clones of a client share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) lessons: Lessons,
    pub(crate) uploads: OpenUploads,
    pub(crate) recent: Recent,
    /// Held while a list of referrers is changed.
    pub(crate) list_turn: tokio::sync::Mutex<()>,
}

impl Client {
    /// A client with settings of its own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client over a transport, which decides on credentials, hosts, retries and deadlines.
    pub fn new(transport: Transport) -> Self {
        Self::with(transport, Settings::default())
    }

    fn with(transport: Transport, settings: Settings) -> Self {
        let extra_connections = Arc::new(Semaphore::new(EXTRA_CONNECTIONS));
        Self { transport, settings: Arc::new(settings), state: Arc::default(), extra_connections }
    }

    /// A client that asks every registry without credentials.
    ///
    /// # Errors
    ///
    /// Where the machine's TLS set-up cannot be used.
    pub fn anonymous() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A repository of a registry, to read from and to write to.
    pub fn remote(&self, repository: &Repository) -> Remote {
        Remote::new(self.clone(), repository.clone())
    }

    /// The repositories that a registry lists, page by page (`/v2/_catalog`; many registries
    /// offer it to administrators only, or not at all).
    pub fn catalog(&self, registry: &Registry) -> Repositories {
        Repositories::new(self.clone(), registry.clone())
    }

    /// How many blobs move at a time.
    pub fn jobs(&self) -> usize {
        self.settings.jobs
    }

    /// What is taken of an index where nothing else is asked for.
    pub fn platform(&self) -> &Platform {
        &self.settings.platform
    }

    /// Options for a copy with this client's number of jobs.
    pub fn copy_options(&self) -> CopyOptions {
        CopyOptions { jobs: self.jobs(), ..CopyOptions::default() }
    }

    /// The transport underneath, for requests of your own.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn extra_connections(&self) -> &Arc<Semaphore> {
        &self.extra_connections
    }

    /// Deletes the upload sessions that are open still: for a program that ends in the middle of
    /// its work. Takes two seconds at most; a registry forgets what is left in its own time.
    ///
    /// An upload whose future is dropped, or that fails, deletes its session by itself as long as
    /// its runtime runs.
    pub async fn abandon_uploads(&self) {
        self.state.uploads.abandon().await;
    }

    pub(crate) fn learnt(&self, registry: &Registry) -> Learnt {
        self.state.lessons.of(registry)
    }

    pub(crate) fn learn(&self, registry: &Registry, lesson: impl FnOnce(&mut Learnt)) {
        self.state.lessons.learn(registry, lesson);
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
