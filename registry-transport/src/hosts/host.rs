//! What is known about one registry, or about a part of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use registry_authn::Secret;
use url::Url;

use super::{Mirror, Prefix, Proxy};

/// How one registry is reached. Everything is optional; what is not said is as usual.
///
/// Certificates, keys and addresses are checked when the transport is built: one that cannot be used is an error there and
/// never left aside. `Debug` shows neither headers nor keys.
///
/// ```
/// use registry_transport::{Host, Proxy, header::HeaderName};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (ca, certificate, key) = ("", "", "");
/// let host = Host::new()
///     .endpoint("https://registry.internal.example:8443".parse()?)
///     .ca_certificates(ca)
///     .client_certificate(certificate, key)
///     .proxy("http://user:password@proxy.example:3128".parse::<Proxy>()?)
///     .header(HeaderName::from_static("x-meta-tenant"), "blue".parse()?)
///     .concurrency(4.try_into()?)
///     .user_agent("robot/7");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Host {
    pub(crate) endpoint: Option<Url>,
    pub(crate) plain: Option<bool>,
    /// The endpoint's path is the root of the API.
    pub(crate) whole: bool,
    /// Requests say for which registry they are.
    pub(crate) ns: bool,
    pub(crate) connection: Connection,
    pub(crate) headers: HeaderMap,
    pub(crate) concurrency: Option<NonZeroUsize>,
    pub(crate) user_agent: Option<String>,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) location: Option<Prefix>,
    /// How to connect to the location, in place of what is known about its registry.
    pub(crate) there: Option<Box<Host>>,
    /// Over HTTPS with any certificate, or without TLS where there is none.
    pub(crate) insecure: Option<bool>,
    pub(crate) blocked: Option<bool>,
    /// What is written goes to the registry's own origin and to no other.
    pub(crate) strict_uploads: Option<bool>,
}

/// What a connection is made with. Requests share connections where this is the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) proxy: Option<Proxy>,
    /// Certificate authorities beside the system's own, PEM.
    pub(crate) certificates: Vec<Arc<[u8]>>,
    pub(crate) client_certificate: Option<ClientCertificate>,
    pub(crate) any_certificate: Option<bool>,
}

/// Who we are to the server, PEM.
#[derive(Clone)]
pub(crate) struct ClientCertificate {
    pub(crate) chain: Arc<[u8]>,
    pub(crate) key: Secret,
}

impl Host {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the registry is reached, an `http` or `https` URL. `/v2/` is added to its path. Without it, the registry's own
    /// name over HTTPS.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Url) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// The endpoint's path is the root of the API: `/v2` is not added to it.
    #[must_use]
    pub fn override_path(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Whether each request names the registry that it is meant for, as `?ns=docker.io`: for an endpoint that serves several.
    #[must_use]
    pub fn ns(mut self, ns: bool) -> Self {
        self.ns = ns;
        self
    }

    /// It speaks plain HTTP: what is sent there, passwords too, can be read on the way. An [`endpoint`](Self::endpoint)
    /// says so itself.
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.plain = Some(true);
        self
    }

    /// It speaks HTTPS although it is on this machine.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.plain = Some(false);
        self
    }

    /// How to get there: a [`Proxy`], or past the one that the environment names.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.connection.proxy = Some(proxy);
        self
    }

    /// Certificate authorities (PEM, one or more) that are trusted here beside the system's own. A self-signed certificate
    /// of the server is accepted as its own authority. May be called several times.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.connection.certificates.push(pem.into().into());
        self
    }

    /// The certificate that is shown to a server which asks for one, with those that lead up to its authority, and its
    /// private key; both PEM.
    #[must_use]
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Secret>) -> Self {
        let certificate = ClientCertificate { chain: chain.into().into(), key: key.into() };
        self.connection.client_certificate = Some(certificate);
        self
    }

    /// Accepts whatever certificate the server shows. Anyone on the way can then read and change everything, passwords
    /// included; [`ca_certificates`](Self::ca_certificates) is nearly always what is wanted.
    #[must_use]
    pub fn dangerous_accept_any_certificate(mut self) -> Self {
        self.connection.any_certificate = Some(true);
        self
    }

    /// Accepts whatever certificate the server shows, and speaks plain HTTP where the server speaks no HTTPS, which is found
    /// out once: the setting `insecure` of registries.conf(5). Anyone on the way can choose plain HTTP, and then read and
    /// change everything, passwords included. An [`endpoint`](Self::endpoint), [`plain_http`](Self::plain_http) or
    /// [`tls`](Self::tls) settles the scheme.
    #[must_use]
    pub fn dangerous_insecure(mut self) -> Self {
        self.insecure = Some(true);
        self.dangerous_accept_any_certificate()
    }

    /// Sent with every request to this registry and to no other origin; counts as a secret.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.append(name, value);
        self
    }

    /// How many requests may run there at once, their bodies included. Downloads and uploads are counted apart, so that a
    /// copy within one registry cannot wait for itself.
    #[must_use]
    pub fn concurrency(mut self, requests: NonZeroUsize) -> Self {
        self.concurrency = Some(requests);
        self
    }

    /// The caller's part of the user agent here, in place of [`Builder::user_agent`](crate::Builder::user_agent).
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// One more place to read content from, asked before the registry itself and after the mirrors that were added before.
    #[must_use]
    pub fn mirror(mut self, mirror: Mirror) -> Self {
        self.mirrors.push(mirror);
        self
    }

    /// Content is read from here in place of the prefix that this host is given for: what follows the prefix in a
    /// repository's name is put behind the location. The registry there is reached, and its credential is looked up, under
    /// its own name. Writing, and listing tags, is not redirected.
    #[must_use]
    pub fn location(mut self, location: Prefix) -> Self {
        self.location = Some(location);
        self
    }

    /// Nothing is asked of it: neither it nor a mirror of it.
    #[must_use]
    pub fn blocked(mut self) -> Self {
        self.blocked = Some(true);
        self
    }

    /// What is written stays at the registry's own origin: an upload that its answers send to another one, as registries do
    /// that keep blobs in an object store, is refused. Without this such an upload goes there, and no secret goes along.
    #[must_use]
    pub fn strict_uploads(mut self) -> Self {
        self.strict_uploads = Some(true);
        self
    }

    /// This, and where it leaves open how to connect, what `other` says.
    pub(crate) fn or_connection(self, other: &Self) -> Self {
        let connection = Self {
            mirrors: Vec::new(),
            location: None,
            there: None,
            blocked: None,
            ..other.clone()
        };
        self.or(&connection)
    }

    /// This, and where it leaves a setting open, what `other` says. Lists are taken whole from one of the two.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        if self.endpoint.is_none() && self.plain.is_none() {
            self.endpoint.clone_from(&other.endpoint);
            self.plain = other.plain;
            (self.whole, self.ns) = (other.whole, other.ns);
        }
        self.connection = self.connection.or(&other.connection);
        if self.headers.is_empty() {
            self.headers.clone_from(&other.headers);
        }
        self.concurrency = self.concurrency.or(other.concurrency);
        self.user_agent = self.user_agent.or_else(|| other.user_agent.clone());
        if self.mirrors.is_empty() {
            self.mirrors.clone_from(&other.mirrors);
        }
        if self.location.is_none() {
            self.location.clone_from(&other.location);
            self.there.clone_from(&other.there);
        }
        self.insecure = self.insecure.or(other.insecure);
        self.blocked = self.blocked.or(other.blocked);
        self.strict_uploads = self.strict_uploads.or(other.strict_uploads);
        self
    }

    /// Whether the scheme is to be found out.
    pub(crate) fn may_be_plain(&self) -> bool {
        self.insecure == Some(true) && self.plain.is_none() && self.endpoint.is_none()
    }

    /// How to connect to the location, and what belongs to it.
    #[cfg(feature = "files")]
    pub(crate) fn there(mut self, host: Self) -> Self {
        self.there = Some(Box::new(host));
        self
    }

    /// Whether it says where content comes from.
    pub(crate) fn decides(&self) -> bool {
        !self.mirrors.is_empty() || self.location.is_some() || self.blocked.is_some()
    }
}

impl Connection {
    fn or(mut self, other: &Self) -> Self {
        self.proxy = self.proxy.or_else(|| other.proxy.clone());
        if self.certificates.is_empty() {
            self.certificates.clone_from(&other.certificates);
        }
        self.client_certificate =
            self.client_certificate.or_else(|| other.client_certificate.clone());
        self.any_certificate = self.any_certificate.or(other.any_certificate);
        self
    }
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key.expose() == other.key.expose()
    }
}

impl Eq for ClientCertificate {}

/// Cheap, since it is looked up for every request: connections that differ only in their certificates are few.
impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.proxy.hash(state);
        self.certificates.len().hash(state);
        self.client_certificate.is_some().hash(state);
        self.any_certificate.hash(state);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("endpoint", &self.endpoint.as_ref().map(crate::RedactedUrl::from))
            .field("plain", &self.plain)
            .field("whole", &self.whole)
            .field("ns", &self.ns)
            .field("connection", &self.connection)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("concurrency", &self.concurrency)
            .field("user_agent", &self.user_agent)
            .field("mirrors", &self.mirrors)
            .field("location", &self.location)
            .field("there", &self.there)
            .field("insecure", &self.insecure)
            .field("blocked", &self.blocked)
            .field("strict_uploads", &self.strict_uploads)
            .finish()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("proxy", &self.proxy)
            .field("certificates", &self.certificates.len())
            .field("client_certificate", &self.client_certificate.is_some())
            .field("any_certificate", &self.any_certificate)
            .finish()
    }
}
