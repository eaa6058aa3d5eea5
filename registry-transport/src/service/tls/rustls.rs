//! A rustls client for a host that has certificate settings of its own.

use std::sync::Arc;

use ::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ::rustls::client::{WebPkiServerVerifier, verify_server_name};
use ::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use ::rustls::pki_types::pem::PemObject as _;
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::pem;
use crate::error::{Error, ErrorKind};
use crate::hosts::Connection;

/// How to shake hands with a host. Versions below TLS 1.2 do not exist here.
pub(super) fn config(connection: &Connection, bulk: bool) -> Result<ClientConfig, Error> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let verifier = verifier(connection, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| fault("TLS cannot be set up", cause))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &connection.client_certificate {
        Some(own) => {
            let (chain, key) = identity(&own.chain, own.key.expose())?;
            builder.with_client_auth_cert(chain, key).map_err(|cause| {
                fault("the configured client certificate and its key do not belong together", cause)
            })?
        }
        None => builder.with_no_client_auth(),
    };
    if cfg!(feature = "http2") && !bulk {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

fn verifier(
    connection: &Connection,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    // Also read where nothing is verified: a broken file is an error, whatever else is said.
    let configured = authorities(connection)?;
    if connection.any_certificate == Some(true) {
        return Ok(Arc::new(Anything(Arc::clone(provider))));
    }
    let system = Verifier::new(Arc::clone(provider));
    if configured.is_empty() {
        let system = system.map_err(|cause| {
            fault("this machine has no certificate authorities that could be trusted", cause)
        })?;
        return Ok(Arc::new(system));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &configured {
        roots.add(certificate.clone()).map_err(|cause| {
            fault("one of the configured CA certificates is not a certificate", cause)
        })?;
    }
    let own = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|cause| fault("the configured CA certificates cannot be used", cause))?;
    Ok(Arc::new(Private { configured, own, system: system.ok() }))
}

/// All configured authorities; a file that holds none is an error.
fn authorities(connection: &Connection) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut all = Vec::new();
    for bytes in &connection.certificates {
        let found = certificates(bytes)
            .map_err(|cause| fault("the configured CA certificates are not PEM", cause))?;
        if found.is_empty() {
            let what = "the configured CA certificates hold none";
            return Err(Error::new(ErrorKind::Config, what));
        }
        all.extend(found);
    }
    Ok(all)
}

fn identity(
    chain: &[u8],
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = certificates(chain)
        .map_err(|cause| fault("the configured client certificate is not PEM", cause))?;
    if chain.is_empty() {
        let what = "the configured client certificate holds none";
        return Err(Error::new(ErrorKind::Config, what));
    }
    // The cause is left out: nobody needs to know more about a key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        Error::new(ErrorKind::Config, "the configured client key is not a private key in PEM")
            .with_hint("a key that is encrypted has to be decrypted first")
    })?;
    Ok((chain, key))
}

fn certificates(
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = pem(bytes)?;
    Ok(CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>()?)
}

fn fault(what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    match cause.downcast::<Error>() {
        // It says more precisely what is wrong.
        Ok(error) => *error,
        Err(cause) => Error::new(ErrorKind::Config, what).with_boxed_cause(cause),
    }
}

/// Trusts the configured authorities, and the system's beside them.
#[derive(Debug)]
struct Private {
    configured: Vec<CertificateDer<'static>>,
    own: Arc<WebPkiServerVerifier>,
    system: Option<Verifier>,
}

impl ServerCertVerifier for Private {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let error = match self.own.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        // A self-signed certificate that may issue others is refused as a server's (RFC 5280, section 4.2.1.9), after its
        // dates were found right. When it was configured itself, the name is all that is left to check.
        if is_authority(&error) && self.configured.iter().any(|own| own == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = error == TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        match &self.system {
            Some(system) if unknown => system.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            _ => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.own.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.own.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own.supported_verify_schemes()
    }
}

/// Whether a certificate was refused as a server's for the one reason that it is an authority's. The verifier below rustls
/// has no public type of its own here, only its name for the failure.
fn is_authority(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    other.to_string().contains("CaUsedAsEndEntity")
}

/// Accepts whatever the server shows; that it holds the key is still checked.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
