//! One client a process, one remote a repository.

mod builder;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use registry_name::{Registry, Repository};
use registry_transport::Transport;
use tokio::sync::Semaphore;

pub use self::builder::Builder as ClientBuilder;
use crate::{
    CopyOptions, Error, Platform, Remote, limits::EXTRA_CONNECTIONS, remote::Repositories,
};

/// A client for any number of registries. Cheap to clone; clones share connections, tokens and
/// what was learnt about each registry.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    settings: Arc<Settings>,
    learnt: Arc<Mutex<HashMap<Registry, Learnt>>>,
    /// Leave to open a connection beyond the first for a blob.
    extra_connections: Arc<Semaphore>,
}

/// What a caller decides once for everything.
#[derive(Debug)]
struct Settings {
    jobs: usize,
    platform: Platform,
}

/// What a registry turned out to do or not to do, for as long as the process lives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Learnt {
    /// A blob in the very request that begins an upload: taken, ignored, or not tried yet.
    pub(crate) single_post: Option<bool>,
    /// It answers an upload that names something to mount with an error.
    pub(crate) no_mount: bool,
    /// It answers `HEAD` of a manifest with an error, or with less than is needed.
    pub(crate) no_head: bool,
    /// It sends a manifest whole although it is the one that the request knows of.
    pub(crate) no_condition: bool,
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
        Self { transport, settings: Arc::new(settings), learnt: Arc::default(), extra_connections }
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

    pub(crate) fn learnt(&self, registry: &Registry) -> Learnt {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.get(registry).copied().unwrap_or_default()
    }

    pub(crate) fn learn(&self, registry: &Registry, lesson: impl FnOnce(&mut Learnt)) {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        lesson(learnt.entry(registry.clone()).or_default());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
