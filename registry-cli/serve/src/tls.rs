//! HTTPS: certificates from files, or made on the spot.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

use crate::error::Error;

/// The certificate that a registry shows (TLS 1.2 and 1.3, with HTTP/2 by ALPN).
#[derive(Clone)]
pub struct Tls(Kind);

#[derive(Clone)]
enum Kind {
    Files { certificates: PathBuf, key: PathBuf },
    SelfSigned { names: Vec<String> },
}

impl Tls {
    /// From two PEM files: the certificate with what is between it and the CA, and its key.
    pub fn files(certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self(Kind::Files { certificates: certificates.into(), key: key.into() })
    }

    /// A CA and a certificate, made at each start, for `localhost`, loopback, the address that is
    /// listened on, and these further host names or IP addresses. The CA is at
    /// [`Running::ca`](crate::Running::ca); its key is forgotten at once.
    pub fn self_signed<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(Kind::SelfSigned { names: names.into_iter().map(Into::into).collect() })
    }

    /// Blocks, to read files.
    pub(crate) fn acceptor(self, listening: IpAddr) -> Result<Acceptor, Error> {
        let (chain, key, ca) = match self.0 {
            Kind::Files { certificates, key } => {
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_file_iter(&certificates).and_then(Iterator::collect);
                let chain = chain.ok().filter(|chain| !chain.is_empty());
                let chain = chain.ok_or_else(|| Error::Certificate {
                    path: certificates.clone(),
                    source: io::Error::other("it holds no certificate in PEM, or cannot be read"),
                })?;
                let key = PrivateKeyDer::from_pem_file(&key).map_err(|_| Error::Certificate {
                    path: key.clone(),
                    source: io::Error::other("it holds no private key in PEM, or cannot be read"),
                })?;
                (chain, key, None)
            }
            Kind::SelfSigned { names } => {
                let made = self_signed(listening, names)
                    .map_err(|error| Error::Https { source: io::Error::other(error) })?;
                (made.chain, made.key, Some(made.ca))
            }
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config =
            config.map_err(|error| Error::Https { source: io::Error::other(error) })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Acceptor { tls: TlsAcceptor::from(Arc::new(config)), ca })
    }
}

/// Ready to greet clients.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) tls: TlsAcceptor,
    /// In PEM; only of a certificate that was made here.
    pub(crate) ca: Option<String>,
}

struct Made {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ca: String,
}

fn self_signed(listening: IpAddr, mut names: Vec<String>) -> Result<Made, rcgen::Error> {
    names.push("localhost".to_owned());
    names.push(Ipv4Addr::LOCALHOST.to_string());
    names.push(Ipv6Addr::LOCALHOST.to_string());
    if !listening.is_unspecified() {
        names.push(listening.to_string());
    }
    names.sort_unstable();
    names.dedup();

    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "registry serve, made at its start");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate()?;
    let mut own = CertificateParams::new(names)?;
    own.distinguished_name.push(DnType::CommonName, "registry serve");
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    own.use_authority_key_identifier_extension = true;
    let certificate = own.signed_by(&key, &issuer)?;
    Ok(Made {
        chain: vec![certificate.der().clone(), ca_certificate.der().clone()],
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        ca: ca_certificate.pem(),
    })
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Files { certificates, key } => {
                f.debug_struct("Tls").field("certificates", certificates).field("key", key).finish()
            }
            Kind::SelfSigned { names } => f.debug_struct("Tls").field("names", names).finish(),
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}
