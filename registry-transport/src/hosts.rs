//! How each registry is reached: endpoint, scheme, certificates, trusted token realms.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use registry_name::Registry;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::origin::is_local_name;

/// Connection policy per registry. A reference never says how to connect; this does.
///
/// Registries on this machine (`localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`) speak plain HTTP unless told otherwise;
/// every other one speaks HTTPS unless told otherwise.
#[derive(Clone, Default)]
pub struct Hosts {
    plain: BTreeMap<Registry, bool>,
    realms: BTreeSet<(Registry, String)>,
    private: BTreeSet<String>,
    certificates: Vec<Arc<[u8]>>,
}

impl Hosts {
    /// `registry` speaks plain HTTP: what is sent there, passwords too, can be read on the way.
    #[must_use]
    pub fn plain_http(mut self, registry: Registry) -> Self {
        self.plain.insert(registry, true);
        self
    }

    /// `registry` speaks HTTPS although it is on this machine.
    #[must_use]
    pub fn tls(mut self, registry: Registry) -> Self {
        self.plain.insert(registry, false);
        self
    }

    /// Credentials for `registry` may also go to token realms at `host` (a host name, any port).
    #[must_use]
    pub fn trust_realm(mut self, registry: Registry, host: impl Into<String>) -> Self {
        self.realms.insert((registry, host.into().to_ascii_lowercase()));
        self
    }

    /// A public registry may send us to `host` although that is on a private network, as an internal mirror of its storage is.
    #[must_use]
    pub fn allow_private(mut self, host: impl Into<String>) -> Self {
        self.private.insert(host.into().to_ascii_lowercase());
        self
    }

    /// Trusts these certificate authorities (PEM, one or more) beside the system's own. They are read when the transport
    /// is built.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into().into());
        self
    }

    /// Whether `registry` is spoken to without TLS.
    pub fn is_plain(&self, registry: &Registry) -> bool {
        match self.plain.get(registry) {
            Some(plain) => *plain,
            None => is_this_machine(registry.host()),
        }
    }

    /// Where `registry` is reached. Docker Hub's API lives at `registry-1.docker.io`.
    pub fn endpoint(&self, registry: &Registry) -> Result<Url, Error> {
        let host =
            if registry.is_docker_hub() { "registry-1.docker.io" } else { registry.as_str() };
        let scheme = if self.is_plain(registry) { "http" } else { "https" };
        Url::parse(&format!("{scheme}://{host}/")).map_err(|cause| {
            Error::new(ErrorKind::Config, format!("{registry} cannot be part of a URL"))
                .with_cause(cause)
        })
    }

    pub(crate) fn trusts_realm(&self, registry: &Registry, host: &str) -> bool {
        self.realms.contains(&(registry.clone(), host.to_owned()))
    }

    pub(crate) fn allows_private(&self, host: &str) -> bool {
        self.private.contains(host)
    }

    pub(crate) fn certificates(&self) -> &[Arc<[u8]>] {
        &self.certificates
    }
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

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts")
            .field("plain", &self.plain)
            .field("realms", &self.realms)
            .field("private", &self.private)
            .field("certificates", &self.certificates.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(text: &str) -> Registry {
        text.parse().unwrap()
    }

    #[test]
    fn only_this_machine_speaks_plain_http_unasked() {
        let hosts = Hosts::default();
        for (text, want) in [
            ("localhost:5000", "http://localhost:5000/"),
            ("registry.localhost", "http://registry.localhost/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("127.1.2.3", "http://127.1.2.3/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("docker.io", "https://registry-1.docker.io/"),
            ("index.docker.io", "https://registry-1.docker.io/"),
            ("ghcr.io", "https://ghcr.io/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
            ("localhost.example.com", "https://localhost.example.com/"),
            ("ghcr.io:443", "https://ghcr.io/"),
        ] {
            assert_eq!(hosts.endpoint(&registry(text)).unwrap().as_str(), want, "{text}");
        }
    }

    #[test]
    fn a_registry_can_be_told_otherwise() {
        let hosts = Hosts::default()
            .plain_http(registry("registry.corp:5000"))
            .tls(registry("localhost:5443"));
        assert!(hosts.is_plain(&registry("registry.corp:5000")));
        assert!(!hosts.is_plain(&registry("registry.corp")));
        assert!(!hosts.is_plain(&registry("localhost:5443")));
        assert!(hosts.is_plain(&registry("localhost:5000")));
    }
}
