//! TLS in front of an origin: certificates of every kind, and servers that shake hands badly.
//!
//! A [`Front`] listens on a port of its own, and what arrives there is passed on, decrypted, to the origin behind it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::background::Background;
use crate::http2::{self, Act, Acts};

/// Whoever signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Valid {
    /// Now.
    Now,
    /// No longer.
    Past,
    /// Not yet.
    Future,
}

impl Authority {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let mut params = params(&[], Valid::Now)?;
        // Certificates and those who sign them find each other by name.
        let name = format!("authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(io::Error::other)
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these host names and addresses.
    pub fn issue(&self, names: &[&str], valid: Valid) -> io::Result<Identity> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let made = params(names, valid)?.signed_by(&key, &*self.0).map_err(io::Error::other)?;
        Ok(Identity { certificate: made.pem(), key: key.serialize_pem() })
    }
}

impl Identity {
    /// A certificate that signed itself. As an authority, it is what private registries have.
    pub fn self_signed(names: &[&str], valid: Valid, authority: bool) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = params(names, valid)?;
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let made = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { certificate: made.pem(), key: key.serialize_pem() })
    }
}

fn params(names: &[&str], valid: Valid) -> io::Result<CertificateParams> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    (params.not_before, params.not_after) = match valid {
        Valid::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1)),
        Valid::Past => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
        Valid::Future => (date_time_ymd(2119, 1, 1), date_time_ymd(2120, 1, 1)),
    };
    Ok(params)
}

/// How a front shakes hands.
#[derive(Clone, Debug)]
pub enum Handshake {
    /// With this certificate.
    Honest(Identity),
    /// With this certificate, and only with clients whose own was signed by this authority (PEM).
    ClientCertificate(Identity, String),
    /// With this certificate, and then HTTP/2 of its own, request by request; who asks for HTTP/1.1 gets to the origin.
    Http2(Identity, Vec<Act>),
    /// Never: it accepts the connection and says nothing.
    Stall,
    /// It only knows versions that nobody should use any more (the alert `protocol_version`, RFC 8446, section 6.2).
    OldVersions,
}

/// A running front; dropping it closes its port.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    acts: Arc<Acts>,
    _running: Background,
}

impl Front {
    /// Starts one in front of `origin` (`127.0.0.1:PORT`).
    pub fn start(handshake: Handshake, origin: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let acceptor = acceptor(&handshake)?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let origin = origin.to_owned();
        let acts = Arc::new(Acts::new(match &handshake {
            Handshake::Http2(_, acts) => acts,
            _ => &[],
        }));
        let play = Arc::clone(&acts);
        let running = Background::start("tls", async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (acceptor, origin, play) =
                    (acceptor.clone(), origin.clone(), Arc::clone(&play));
                let old = matches!(handshake, Handshake::OldVersions);
                tokio::spawn(
                    async move { serve(stream, acceptor, old, &origin, &play).await.ok() },
                );
            }
        })?;
        Ok(Self { address, accepted, acts, _running: running })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many requests came over HTTP/2.
    pub fn http2_requests(&self) -> usize {
        self.acts.requests()
    }
}

async fn serve(
    mut stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    old: bool,
    origin: &str,
    acts: &Acts,
) -> io::Result<()> {
    let Some(acceptor) = acceptor else {
        let mut hello = [0; 1024];
        if old && stream.read(&mut hello).await? > 0 {
            return stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46").await;
        }
        while stream.read(&mut hello).await? > 0 {}
        return Ok(());
    };
    let mut inside = acceptor.accept(stream).await?;
    if inside.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2::serve(inside, acts).await;
    }
    let mut behind = TcpStream::connect(origin).await?;
    copy_bidirectional(&mut inside, &mut behind).await.map(drop)
}

fn acceptor(handshake: &Handshake) -> io::Result<Option<TlsAcceptor>> {
    let (identity, clients) = match handshake {
        Handshake::Honest(identity) | Handshake::Http2(identity, _) => (identity, None),
        Handshake::ClientCertificate(identity, clients) => (identity, Some(clients)),
        Handshake::Stall | Handshake::OldVersions => return Ok(None),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            let authority =
                CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
            roots.add(authority).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(io::Error::other)?;
            config.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(io::Error::other)?;
    let mut config = config
        .with_single_cert(vec![chain.map_err(io::Error::other)?], key)
        .map_err(io::Error::other)?;
    if matches!(handshake, Handshake::Http2(..)) {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}
