//! Certificates: whom we trust, and who we are. What was configured is checked when the transport is built.

#[cfg(feature = "rustls")]
mod rustls;
#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests;

use reqwest::{Client, ClientBuilder};

use crate::error::{Error, ErrorKind};
use crate::hosts::Connection;

/// What a connection to a host says about TLS.
fn has_any(connection: &Connection) -> bool {
    !connection.certificates.is_empty()
        || connection.client_certificate.is_some()
        || connection.any_certificate.is_some()
}

/// Checks certificates and keys.
pub(crate) fn check(connection: &Connection) -> Result<(), Error> {
    if !has_any(connection) {
        return Ok(());
    }
    #[cfg(feature = "rustls")]
    return rustls::config(connection, false).map(drop);
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    return native::configure(Client::builder(), connection).map(drop);
    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    {
        let what = "certificates are configured, but this program was built without TLS support";
        Err(Error::new(ErrorKind::Config, what))
    }
}

/// Finishes a client; `bulk` wants HTTP/1.1. A machine without certificates of its own still talks to registries over
/// plain HTTP, and to those whose authority was configured; any other certificate is refused in the handshake.
pub(super) fn build(
    connection: &Connection,
    tls: bool,
    bulk: bool,
    builder: impl Fn() -> ClientBuilder,
) -> Result<Client, Error> {
    let failed = |cause: reqwest::Error| {
        Error::new(ErrorKind::Config, "the HTTP client cannot be set up")
            .with_cause(cause.without_url())
    };
    #[cfg(feature = "rustls")]
    {
        // With both backends in the program reqwest would take the other one.
        let usual = || builder().tls_backend_rustls();
        if !tls {
            return usual().tls_certs_only([]).build().map_err(failed);
        }
        if has_any(connection) {
            let config = rustls::config(connection, bulk)?;
            return builder().tls_backend_preconfigured(config).build().map_err(failed);
        }
        usual().build().or_else(|_| usual().tls_certs_only([]).build()).map_err(failed)
    }
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    {
        let (_, _) = (tls, bulk);
        native::configure(builder(), connection)?.build().map_err(failed)
    }
    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    {
        let (_, _, _) = (connection, tls, bulk);
        builder().build().map_err(failed)
    }
}

/// PEM as it should be, without the mark that some editors put before it.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn pem(bytes: &[u8]) -> Result<&[u8], Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Every certificate and key begins so in DER: an ASN.1 sequence of more than 127 bytes.
    if bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x81]) {
        return Err(Error::new(ErrorKind::Config, "a configured certificate is DER, not PEM")
            .with_hint("convert it: openssl x509 -inform der -in FILE -out FILE.pem"));
    }
    Ok(bytes)
}

/// The system's TLS library decides; on some systems it does not accept a self-signed certificate as its own authority.
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
mod native {
    use reqwest::{Certificate, ClientBuilder, Identity, tls::Version};

    use super::pem;
    use crate::error::{Error, ErrorKind};
    use crate::hosts::Connection;

    pub(super) fn configure(
        builder: ClientBuilder,
        connection: &Connection,
    ) -> Result<ClientBuilder, Error> {
        let mut builder = builder.tls_version_min(Version::TLS_1_2);
        let mut roots = Vec::new();
        for bytes in &connection.certificates {
            let found = Certificate::from_pem_bundle(pem(bytes)?).map_err(|cause| {
                let what = "the configured CA certificates are not PEM";
                Error::new(ErrorKind::Config, what).with_cause(cause)
            })?;
            if found.is_empty() {
                let what = "the configured CA certificates hold none";
                return Err(Error::new(ErrorKind::Config, what));
            }
            roots.extend(found);
        }
        if !roots.is_empty() {
            builder = builder.tls_certs_merge(roots);
        }
        if let Some(own) = &connection.client_certificate {
            let key = own.key.expose().as_bytes();
            let identity = Identity::from_pkcs8_pem(pem(&own.chain)?, key).map_err(|cause| {
                let what = "the configured client certificate and its key cannot be used";
                Error::new(ErrorKind::Config, what).with_cause(cause)
            })?;
            builder = builder.identity(identity);
        }
        if connection.any_certificate == Some(true) {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(builder)
    }
}
