//! How each registry is reached: endpoint, certificates, proxy, mirrors, and which token realms are trusted.

#[cfg(feature = "files")]
pub mod files;
mod host;
mod mirror;
mod prefix;
mod proxy;
mod server;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use registry_name::Registry;
use url::Url;

pub(crate) use self::host::Connection;
pub use self::host::Host;
pub use self::mirror::Mirror;
pub(crate) use self::mirror::Place;
pub use self::prefix::{Prefix, PrefixError};
pub use self::proxy::Proxy;
pub(crate) use self::server::{Server, Servers};
use crate::error::{Error, ErrorKind};
use crate::origin::is_local_name;

/// Connection policy per registry. A reference never says how to connect; this does.
///
/// Registries on this machine (`localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`) speak plain HTTP unless told otherwise;
/// every other one speaks HTTPS unless told otherwise.
///
/// ```
/// use registry_transport::{Host, Hosts, Mirror, Transport};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mirror = Mirror::new("https://mirror.corp.example".parse()?).digest_only();
/// let hosts = Hosts::default()
///     .host("docker.io".parse()?, Host::new().mirror(mirror))
///     .host("old.corp.example/team".parse()?, Host::new().location("new.corp.example/team".parse()?))
///     .plain_http("registry.lab:5000".parse()?);
/// let transport = Transport::builder().hosts(hosts).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    known: BTreeMap<Prefix, Host>,
    fallback: Host,
    realms: BTreeSet<(Registry, String)>,
    strict_realms: bool,
    private: BTreeSet<String>,
    #[cfg(feature = "files")]
    files: Option<files::HostFiles>,
}

impl Hosts {
    /// How the registry, or the part of it, that `prefix` names is reached. It replaces what was said about the same
    /// prefix before.
    ///
    /// For a repository, the longest prefix that says anything about mirrors, location or blocking decides about these
    /// alone. How to connect belongs to the server, whichever repository is asked for: it is said about the registry as a
    /// whole, or in the [`fallback`](Self::fallback).
    #[must_use]
    pub fn host(mut self, prefix: Prefix, host: Host) -> Self {
        self.known.insert(prefix, host);
        self
    }

    /// What counts for every registry, where nothing else was said about it.
    #[must_use]
    pub fn fallback(mut self, host: Host) -> Self {
        self.fallback = host;
        self
    }

    /// `registry` speaks plain HTTP: what is sent there, passwords too, can be read on the way.
    #[must_use]
    pub fn plain_http(self, registry: Registry) -> Self {
        self.change(registry, Host::plain_http)
    }

    /// `registry` speaks HTTPS although it is on this machine.
    #[must_use]
    pub fn tls(self, registry: Registry) -> Self {
        self.change(registry, Host::tls)
    }

    /// Credentials for `registry` may also go to token realms at `host` (a host name, any port).
    #[must_use]
    pub fn trust_realm(mut self, registry: Registry, host: impl Into<String>) -> Self {
        self.realms.insert((registry, host.into().to_ascii_lowercase()));
        self
    }

    /// Credentials go to token realms on the registry's own host name and to those that were
    /// [trusted](Self::trust_realm), not to others of the same operator: a realm at the same registrable domain, or in a
    /// pair such as `registry.hub.docker.com` and `auth.docker.io`, is asked as anybody.
    #[must_use]
    pub fn strict_realms(mut self) -> Self {
        self.strict_realms = true;
        self
    }

    /// A public registry may send us to `host` although that is on a private network, as an internal mirror of its storage is.
    #[must_use]
    pub fn allow_private(mut self, host: impl Into<String>) -> Self {
        self.private.insert(host.into().to_ascii_lowercase());
        self
    }

    /// Trusts these certificate authorities (PEM, one or more) beside the system's own, at every registry that has none of
    /// its own. They are read when the transport is built.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.fallback = self.fallback.ca_certificates(pem);
        self
    }

    /// These, and where they leave a setting open, what `others` say about the same prefix.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (prefix, other) in others.known {
            let own = self.known.remove(&prefix).unwrap_or_default();
            self.known.insert(prefix, own.or(&other));
        }
        self.fallback = self.fallback.or(&others.fallback);
        self.realms.extend(others.realms);
        self.private.extend(others.private);
        #[cfg(feature = "files")]
        {
            self.files = self.files.or(others.files);
        }
        self
    }

    /// Where these leave a setting open, what files say. Everything here counts more, but for the
    /// [`fallback`](Self::fallback).
    #[cfg(feature = "files")]
    #[must_use]
    pub fn files(mut self, files: files::HostFiles) -> Self {
        for (registry, realm) in files.trusted_realms() {
            self = self.trust_realm(registry, realm);
        }
        for host in files.private_hosts() {
            self = self.allow_private(host);
        }
        self.files = Some(files);
        self
    }

    /// What was said about exactly this prefix.
    pub fn get(&self, prefix: &Prefix) -> Option<&Host> {
        self.known.get(prefix)
    }

    /// Whether `registry` is spoken to without TLS.
    pub fn is_plain(&self, registry: &Registry) -> bool {
        self.endpoint(registry).is_ok_and(|endpoint| endpoint.scheme() == "http")
    }

    /// Where `registry` is reached. Docker Hub's API lives at `registry-1.docker.io`.
    pub fn endpoint(&self, registry: &Registry) -> Result<Url, Error> {
        endpoint_of(registry, &self.connection_to(registry)?)
    }

    /// How to connect to a registry itself, mirrors left aside.
    pub(crate) fn connection_to(&self, registry: &Registry) -> Result<Host, Error> {
        self.reach(registry, "").map(|(_, host)| host)
    }

    /// All that is known about the repository of this path at a registry, or with an empty path about the registry itself.
    /// The prefix is what the mirrors and the location of the host stand for.
    #[cfg_attr(
        not(feature = "files"),
        allow(clippy::unnecessary_wraps, reason = "files can be broken")
    )]
    pub(crate) fn reach(&self, registry: &Registry, path: &str) -> Result<(Prefix, Host), Error> {
        let whole = Prefix::from(registry.clone());
        let covering = self
            .known
            .iter()
            .filter(|(prefix, host)| host.decides() && prefix.rest(registry, path).is_some());
        let (prefix, mut host) = covering
            .max_by_key(|(prefix, _)| prefix.rank())
            .map_or_else(|| (whole.clone(), Host::new()), |(p, host)| (p.clone(), host.clone()));
        if let Some(registry) = self.known.get(&whole) {
            host = host.or_connection(registry);
        }
        #[cfg(feature = "files")]
        let (prefix, host) = match &self.files {
            None => (prefix, host),
            Some(files) => {
                let (theirs, found) = files.host(registry, path)?;
                if host.mirrors.is_empty() && host.location.is_none() {
                    (theirs, host.or(&found))
                } else {
                    // Mirrors and locations for another prefix would be misread here.
                    (prefix, host.or_connection(&found))
                }
            }
        };
        if host.decides() {
            return Ok((prefix, host.or_connection(&self.fallback)));
        }
        Ok((prefix, host.or(&self.fallback)))
    }

    pub(crate) fn has_strict_realms(&self) -> bool {
        self.strict_realms
    }

    pub(crate) fn trusts_realm(&self, registry: &Registry, host: &str) -> bool {
        self.realms.contains(&(registry.clone(), host.to_owned()))
    }

    pub(crate) fn allows_private(&self, host: &str) -> bool {
        self.private.contains(host)
    }

    fn change(mut self, registry: Registry, change: impl FnOnce(Host) -> Host) -> Self {
        let prefix = Prefix::from(registry);
        let host = self.known.remove(&prefix).unwrap_or_default();
        self.known.insert(prefix, change(host));
        self
    }
}

/// Where `registry` is reached when `host` is what is known about it.
pub(crate) fn endpoint_of(registry: &Registry, host: &Host) -> Result<Url, Error> {
    if let Some(endpoint) = &host.endpoint {
        return Ok(endpoint.clone());
    }
    let name = if registry.is_docker_hub() { "registry-1.docker.io" } else { registry.as_str() };
    let usually = || !host.may_be_plain() && is_this_machine(registry.host());
    let plain = host.plain.unwrap_or_else(usually);
    let scheme = if plain { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{name}/")).map_err(|cause| {
        Error::new(ErrorKind::Config, format!("{registry} cannot be part of a URL"))
            .with_cause(cause)
    })
}

/// The registry whose settings and credential belong to a server.
pub(crate) fn registry_at(endpoint: &Url) -> Result<Registry, Error> {
    let host = endpoint.host_str().unwrap_or_default();
    let name = match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    // A host without a dot is a registry once it has a port.
    let with_port = || format!("{host}:{}", endpoint.port_or_known_default().unwrap_or_default());
    name.parse().or_else(|_| with_port().parse()).map_err(|cause| {
        Error::new(ErrorKind::Config, format!("{name} is not a registry")).with_cause(cause)
    })
}

/// The URL that a repository's name is put behind at a mirror; it ends with a slash.
pub(crate) fn mirror_endpoint(hosts: &Hosts, mirror: &Mirror) -> Result<Url, Error> {
    let (mut url, below) = match &mirror.place {
        Place::Url { url, whole: true } => (url.clone(), String::new()),
        Place::Url { url, whole: false } => (url.clone(), "v2/".to_owned()),
        Place::Location(location) => {
            let Some(registry) = location.registry() else {
                let what = format!("{location} is a whole domain, and no place to read from");
                return Err(Error::new(ErrorKind::Config, what));
            };
            let own = mirror.host.as_deref().cloned().unwrap_or_default();
            let endpoint =
                endpoint_of(registry, &own.or_connection(&hosts.connection_to(registry)?))?;
            let path = location.path();
            let slash = if path.is_empty() { "" } else { "/" };
            (endpoint, format!("v2/{path}{slash}"))
        }
    };
    let path = format!("{}/{below}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Whether a host name or address is this machine by the way it is written.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => address.is_loopback(),
        Err(_) => is_local_name(host),
    }
}
