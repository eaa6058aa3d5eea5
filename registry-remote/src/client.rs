//! One client a process, one remote a repository.

mod builder;

use std::{fmt, sync::Arc};

use registry_name::{Registry, Repository};
use registry_transport::{Cancellation, Transport};
use tokio::sync::Semaphore;

pub use self::builder::Builder as ClientBuilder;
use crate::{
    CopyOptions, Error, Platform, Remote,
    learnt::Lessons,
    remote::{OpenUploads, Places, Recent, Repositories, Turns},
    tuning::RANGED_CONNECTIONS,
};

/// A client for any number of registries. Cheap to clone; clones share connections, tokens and
/// what was learnt about each registry.
///
/// It remembers where it has brought a blob, too: what several repositories of one registry need
/// is uploaded to one of them, and mounted by the others, even where all are written at the same
/// time.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use registry_name::{Repository, Tag};
/// # use registry_remote::{Client, Error, Sink, Source, copy};
/// # async fn example(images: Arc<dyn Source>) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::anonymous()?;
/// let v1: Tag = "v1".parse()?;
/// let (from, options) = (v1.clone().into(), client.copy_options());
/// let writes = ["registry.example/team/app", "registry.example/mirror/app"].map(|name| {
///     let (client, images, from, v1, options) = (&client, &images, &from, &v1, &options);
///     async move {
///         let repository: Repository = name.parse().expect("a repository's name");
///         let sink: Arc<dyn Sink> = Arc::new(client.remote(&repository));
///         copy(images, from, &sink, Some(v1), options).await
///     }
/// });
/// for report in futures_util::future::try_join_all(writes).await? {
///     println!("{} blobs uploaded, {} mounted", report.written, report.mounted);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    settings: Arc<Settings>,
    state: Arc<State>,
    /// Leave to open a connection beyond the first for a blob.
    ranged_connections: Arc<Semaphore>,
}

/// What a caller decides once for everything.
#[derive(Debug)]
struct Settings {
    jobs: usize,
    platform: Platform,
    cancellation: Option<Cancellation>,
    verify_pushes: bool,
    referrers_tag: bool,
}

/// What all clones of a client share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) lessons: Lessons,
    pub(crate) uploads: OpenUploads,
    pub(crate) places: Places,
    pub(crate) recent: Recent,
    /// Held while a list of referrers is changed.
    pub(crate) list_turns: Turns,
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
        let ranged_connections = Arc::new(Semaphore::new(RANGED_CONNECTIONS));
        Self { transport, settings: Arc::new(settings), state: Arc::default(), ranged_connections }
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

    /// Whether manifests are read back that were pushed.
    pub(crate) fn verifies_pushes(&self) -> bool {
        self.settings.verify_pushes
    }

    /// Whether the referrers tag stands in for a referrers API that a registry lacks.
    pub(crate) fn uses_referrers_tag(&self) -> bool {
        self.settings.referrers_tag
    }

    /// What is read of an index where nothing else is asked for.
    pub fn platform(&self) -> &Platform {
        &self.settings.platform
    }

    /// Options for a copy with this client's number of jobs, which ends when the client is
    /// cancelled.
    pub fn copy_options(&self) -> CopyOptions {
        let Settings { jobs, cancellation, .. } = &*self.settings;
        CopyOptions { jobs: *jobs, cancellation: cancellation.clone(), ..CopyOptions::default() }
    }

    /// The transport underneath, for requests of your own.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn ranged_connections(&self) -> &Arc<Semaphore> {
        &self.ranged_connections
    }

    /// Deletes the upload sessions that are open still, and waits for the deletions that are under
    /// way: for a program that ends in the middle of its work. Takes two seconds at most; a registry
    /// forgets what is left in its own time.
    ///
    /// An upload whose future is dropped, or that fails, deletes its session by itself as long as
    /// its runtime runs.
    pub async fn abandon_uploads(&self) {
        self.state.uploads.abandon().await;
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
