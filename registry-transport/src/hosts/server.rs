//! What was configured for one server, whichever registry leads there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use url::Url;

use super::{Connection, Host, Hosts, Mirror, Prefix, endpoint_of, mirror_endpoint, registry_at};
use crate::error::{Error, ErrorKind};
use crate::limit::Limiter;
use crate::origin::Origin;
use crate::service::user_agent as user_agent_of;

/// A server (scheme, host and port): how to connect to it, what is sent to it alone, and how many requests it wants at once.
pub(crate) struct Server {
    pub(crate) connection: Arc<Connection>,
    pub(crate) headers: HeaderMap,
    pub(crate) user_agent: HeaderValue,
    pub(crate) strict_uploads: bool,
    downloads: Arc<Limiter>,
    uploads: Arc<Limiter>,
}

impl Server {
    /// Where a request with a body of this size waits for its turn. An upload may read what another request downloads from
    /// the same server, so the two never wait for each other.
    pub(crate) fn limiter(&self, size: u64) -> &Arc<Limiter> {
        if size == 0 { &self.downloads } else { &self.uploads }
    }
}

/// Every server that is asked, by its origin.
#[derive(Debug)]
pub(crate) struct Servers {
    hosts: Hosts,
    /// The user agent where a host has none of its own.
    usual: HeaderValue,
    known: Mutex<HashMap<Origin, Arc<Server>>>,
}

/// More servers than this are not remembered: redirects can name any number.
const CROWDED: usize = 1024;

impl Servers {
    /// Fails on what cannot be used: a user agent that is no header value, an endpoint that is no HTTP URL.
    pub(crate) fn new(hosts: Hosts, user_agent: Option<&str>) -> Result<Self, Error> {
        let usual = user_agent_of(user_agent)?;
        for host in hosts.every() {
            user_agent_of(host.user_agent.as_deref())?;
            if let Some(endpoint) = &host.endpoint {
                check(endpoint)?;
            }
        }
        for (prefix, mirror) in hosts.mirrors() {
            check(&mirror_endpoint(&hosts, mirror).map_err(|error| within(prefix, error))?)?;
        }
        Ok(Self { hosts, usual, known: Mutex::default() })
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The server at `origin`, as it is known by its own name. What was configured for a registry that lives elsewhere does
    /// not count.
    pub(crate) fn of(&self, origin: &Origin) -> Result<Arc<Server>, Error> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = lock().get(origin) {
            return Ok(Arc::clone(server));
        }
        let host = Url::parse(&origin.to_string()).ok().and_then(|url| registry_at(&url).ok());
        let host = match host {
            Some(registry) => {
                let host = self.hosts.connection_to(&registry)?;
                let endpoint = endpoint_of(&registry, &host)?;
                // The scheme may be another one, as when a server leads from plain HTTP to TLS.
                let there = Origin::of(&endpoint).is_some_and(|at| at.is_same_host(origin));
                there.then_some(host)
            }
            None => None,
        };
        Ok(self.remember(origin, host.as_ref().unwrap_or(&self.hosts.fallback)))
    }

    /// The server at `origin` is reached as `host` says; what was said first counts.
    pub(crate) fn learn(&self, origin: &Origin, host: &Host) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).contains_key(origin);
        if !known {
            self.remember(origin, host);
        }
    }

    fn remember(&self, origin: &Origin, host: &Host) -> Arc<Server> {
        let own = host.user_agent.as_deref().and_then(|own| user_agent_of(Some(own)).ok());
        let server = Server {
            user_agent: own.unwrap_or_else(|| self.usual.clone()),
            connection: Arc::new(host.connection.clone()),
            headers: host.headers.clone(),
            strict_uploads: host.strict_uploads == Some(true),
            downloads: Limiter::new(host.concurrency),
            uploads: Limiter::new(host.concurrency),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CROWDED && !known.contains_key(origin) {
            return Arc::new(server);
        }
        Arc::clone(known.entry(origin.clone()).or_insert_with(|| Arc::new(server)))
    }
}

impl Hosts {
    fn every(&self) -> impl Iterator<Item = &Host> {
        let mirrors = self.mirrors().filter_map(|(_, mirror)| mirror.host.as_deref());
        self.known.values().chain([&self.fallback]).chain(mirrors)
    }

    /// Every different way to connect.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.every().map(|host| &host.connection)
    }

    fn mirrors(&self) -> impl Iterator<Item = (Option<&Prefix>, &Mirror)> {
        let known = self.known.iter().map(|(prefix, host)| (Some(prefix), host));
        known
            .chain([(None, &self.fallback)])
            .flat_map(|(prefix, host)| host.mirrors.iter().map(move |mirror| (prefix, mirror)))
    }
}

fn within(prefix: Option<&Prefix>, error: Error) -> Error {
    match prefix {
        Some(prefix) => {
            Error::new(ErrorKind::Config, format!("a mirror of {prefix} has no address"))
                .with_cause(error)
        }
        None => error,
    }
}

fn check(endpoint: &Url) -> Result<(), Error> {
    let fault = match Origin::of(endpoint) {
        None => "is no http or https URL",
        Some(_) if !endpoint.username().is_empty() || endpoint.password().is_some() => {
            "carries a user name; credentials come from the keychain"
        }
        Some(_) if endpoint.query().is_some() || endpoint.fragment().is_some() => {
            "has more than a path"
        }
        Some(_) => return Ok(()),
    };
    let endpoint = crate::redact::RedactedUrl::from(endpoint);
    Err(Error::new(ErrorKind::Config, format!("the endpoint {endpoint} {fault}")))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connection", &self.connection).finish_non_exhaustive()
    }
}
