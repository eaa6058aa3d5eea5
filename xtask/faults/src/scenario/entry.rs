//! How a client gets to a scenario's registry: in the clear, or over TLS, HTTP/2 or a proxy that may all misbehave.

use std::io;

use crate::http2::Act;
use crate::proxy::{Conduct, Proxy};
use crate::tls::{Authority, Front, Handshake, Identity, Valid};

/// The password that a client has for the proxy: a canary that no registry may ever hold.
pub const PROXY_PASSWORD: &str = "canary-proxy";

/// The way to the registry.
#[derive(Clone, Debug, Default)]
pub enum Entry {
    /// In the clear.
    #[default]
    Plain,
    /// Over TLS with this certificate.
    Tls(Certificate),
    /// Over TLS, to a client that shows this certificate of its own.
    Client(Shown),
    /// To a server that says nothing when hands are to be shaken.
    Stall,
    /// To a server that only speaks versions of TLS that nobody should use any more.
    OldVersions,
    /// To a certificate that is as it should be, with this in place of its authority.
    Authority(&'static [u8]),
    /// Over HTTP/2, to which this happens, request by request.
    Http2(Vec<Act>),
    /// Over TLS through a proxy that passes everything on.
    Proxy,
    /// Over TLS through a proxy that does this instead.
    BadProxy(Conduct),
}

/// The certificate of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One by the authority that the client was told of.
    Signed(Valid),
    /// The same, for another host.
    OtherName,
    /// One by an authority that the client was not told of.
    Stranger,
    /// One that signed itself, and which the client was told of.
    Itself,
}

/// The certificate that a client shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// None.
    Nothing,
    /// The one that is asked for.
    Right,
    /// One by somebody else.
    Wrong,
}

/// What a client has to be told about the registry's server. Its values are for this server only.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose certificates to trust, PEM.
    pub authority: Vec<u8>,
    /// The certificate to show.
    pub client: Option<Identity>,
    /// The proxy to use, with its login.
    pub proxy: Option<String>,
}

/// An entry that is open; dropping it closes its ports.
#[derive(Debug)]
pub(super) struct Open {
    /// `127.0.0.1:PORT`, the name of the registry.
    pub(super) registry: String,
    pub(super) settings: Option<Settings>,
    proxy: Option<Proxy>,
    _front: Option<Front>,
}

const HERE: &[&str] = &["127.0.0.1"];

impl Entry {
    /// Opens it in front of `origin` (`127.0.0.1:PORT`).
    pub(super) fn open(&self, origin: &str) -> io::Result<Open> {
        if matches!(self, Self::Plain) {
            let registry = origin.to_owned();
            return Ok(Open { registry, settings: None, proxy: None, _front: None });
        }
        let authority = Authority::new()?;
        let mut settings =
            Settings { authority: authority.pem().into_bytes(), client: None, proxy: None };
        let good = || authority.issue(HERE, Valid::Now);
        let handshake = match self {
            Self::Stall => Handshake::Stall,
            Self::OldVersions => Handshake::OldVersions,
            Self::Http2(acts) => Handshake::Http2(good()?, acts.clone()),
            Self::Tls(certificate) => {
                let identity = certificate.make(&authority)?;
                if *certificate == Certificate::Itself {
                    settings.authority = identity.certificate.clone().into_bytes();
                }
                Handshake::Honest(identity)
            }
            Self::Client(shown) => {
                let (clients, strangers) = (Authority::new()?, Authority::new()?);
                settings.client = match shown {
                    Shown::Nothing => None,
                    Shown::Right => Some(clients.issue(&["me"], Valid::Now)?),
                    Shown::Wrong => Some(strangers.issue(&["me"], Valid::Now)?),
                };
                Handshake::ClientCertificate(good()?, clients.pem())
            }
            Self::Authority(bytes) => {
                settings.authority = bytes.to_vec();
                Handshake::Honest(good()?)
            }
            Self::Plain | Self::Proxy | Self::BadProxy(_) => Handshake::Honest(good()?),
        };
        let front = Front::start(handshake, origin)?;
        let registry = format!("127.0.0.1:{}", front.port());
        let proxy = match self {
            Self::Proxy => Some(Proxy::start(Conduct::Relay(registry.clone()))?),
            Self::BadProxy(conduct) => Some(Proxy::start(conduct.clone())?),
            _ => None,
        };
        settings.proxy =
            proxy.as_ref().map(|proxy| format!("http://user:{PROXY_PASSWORD}@{}", proxy.host()));
        Ok(Open { registry, settings: Some(settings), proxy, _front: Some(front) })
    }
}

impl Open {
    /// Whether a proxy is there, and nobody asked it for anything.
    pub(super) fn is_passed_by(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.heard().is_empty())
    }
}

impl Certificate {
    fn make(self, authority: &Authority) -> io::Result<Identity> {
        match self {
            Self::Signed(valid) => authority.issue(HERE, valid),
            Self::OtherName => authority.issue(&["elsewhere.example"], Valid::Now),
            Self::Stranger => Authority::new()?.issue(HERE, Valid::Now),
            Self::Itself => Identity::self_signed(HERE, Valid::Now, true),
        }
    }
}
