//! How a transport is set up.

use std::fmt;
use std::sync::Arc;

use registry_authn::{Anonymous, Keychain};
use registry_name::Registry;

use super::{Inner, Transport};
use crate::authorize::Memory;
use crate::cancellation::Cancellation;
use crate::caps::Caps;
use crate::clock::{Clock, SystemClock};
use crate::deadlines::Deadlines;
use crate::error::Error;
use crate::event::{Event, Listener, Listeners, Tally};
use crate::hosts::{Hosts, Servers};
use crate::retry::RetryPolicy;
use crate::scheme::{Scheme, Schemes};
use crate::service::{HttpService, Reqwest};
use crate::token::Shelf;
#[cfg(feature = "token-cache")]
use crate::token::TokenCache;

/// Builds a [`Transport`].
#[derive(Default)]
pub struct Builder {
    service: Option<Arc<dyn HttpService>>,
    keychain: Option<Arc<dyn Keychain>>,
    hosts: Hosts,
    schemes: Schemes,
    shelf: Option<Arc<dyn Shelf>>,
    policy: RetryPolicy,
    deadlines: Deadlines,
    caps: Caps,
    clock: Option<Arc<dyn Clock>>,
    listener: Option<Arc<Listener>>,
    user_agent: Option<String>,
    finished: bool,
}

impl Builder {
    /// Where credentials come from. Anonymous unless set.
    #[must_use]
    pub fn keychain(mut self, keychain: Arc<dyn Keychain>) -> Self {
        self.keychain = Some(keychain);
        self
    }

    /// Answers challenges of this name (`negotiate`, in any case) by a scheme of the caller's, before Bearer and Basic.
    #[must_use]
    pub fn scheme(mut self, name: &str, scheme: Arc<dyn Scheme>) -> Self {
        self.schemes.name(name, scheme);
        self
    }

    /// Authenticates at this registry by this scheme, from the first request on and whatever its challenges say.
    #[must_use]
    pub fn scheme_for(mut self, registry: Registry, scheme: Arc<dyn Scheme>) -> Self {
        self.schemes.set(registry, scheme);
        self
    }

    /// Keeps tokens and challenges for later processes. Nothing is kept unless set.
    #[cfg(feature = "token-cache")]
    #[must_use]
    pub fn token_cache(mut self, cache: TokenCache) -> Self {
        self.shelf = Some(Arc::new(cache));
        self
    }

    /// How registries are reached.
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// How often and how patiently failed requests are sent again.
    #[must_use]
    pub fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How long to wait for what.
    #[must_use]
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// How much of a small body is read.
    #[must_use]
    pub fn caps(mut self, caps: Caps) -> Self {
        self.caps = caps;
        self
    }

    /// The caller's part of the user agent, such as `tool/1.0`; this crate's own is added behind it.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Is told what happens while requests run.
    #[must_use]
    pub fn events(mut self, listener: Arc<dyn Fn(&Event<'_>) + Send + Sync>) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Sends the requests instead of the built-in client.
    #[must_use]
    pub fn service(mut self, service: Arc<dyn HttpService>) -> Self {
        self.service = Some(service);
        self
    }

    /// Sends the requests through a finished transport of the caller's, which is used as it is: it logs in, retries, logs and
    /// names itself, and none of that is added. A failing call makes exactly one request. Redirects are still followed by the
    /// origin rule.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use registry_transport::{Error, Transport, service::HttpService};
    ///
    /// fn through(finished: Arc<dyn HttpService>) -> Result<Transport, Error> {
    ///     Transport::builder().finished(finished).build()
    /// }
    /// ```
    #[must_use]
    pub fn finished(mut self, service: Arc<dyn HttpService>) -> Self {
        self.finished = true;
        self.service(service)
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Builds it. Fails on configuration that cannot work, such as a file of certificates that holds none.
    pub fn build(self) -> Result<Transport, Error> {
        let servers = Arc::new(Servers::new(self.hosts.clone(), self.user_agent.as_deref())?);
        let tally = Arc::new(Tally::default());
        let service = match self.service {
            Some(service) => service,
            None => Arc::new(Reqwest::new(
                self.deadlines.connect,
                Arc::clone(&servers),
                Arc::clone(&tally),
            )?),
        };
        let inner = Inner {
            service,
            keychain: self.keychain.unwrap_or_else(|| Arc::new(Anonymous)),
            hosts: self.hosts,
            policy: self.policy,
            deadlines: self.deadlines,
            caps: self.caps,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            listeners: Listeners(self.listener),
            tally,
            servers,
            memory: Memory::default(),
            schemes: self.schemes,
            warnings: Arc::default(),
            finished: self.finished,
            shelf: self.shelf,
            gates: Arc::default(),
            distrusted: super::Distrusted::default(),
            spoken: super::insecure::Spoken::default(),
            localities: Arc::default(),
        };
        Ok(Transport { inner: Arc::new(inner), cancellation: Cancellation::new() })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
