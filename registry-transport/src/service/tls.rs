//! Certificates: the system's, and those that are trusted beside them.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder};

use crate::error::{Error, ErrorKind};

/// Certificate authorities to trust beside the system's own.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(super) struct Roots(Vec<reqwest::Certificate>);

/// Without a TLS feature there is nothing to trust.
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
pub(super) struct Roots;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
impl Roots {
    pub(super) fn read(pems: &[Arc<[u8]>]) -> Result<Self, Error> {
        let mut roots = Vec::new();
        for pem in pems {
            let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
            let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|cause| {
                let what = "the configured CA certificates are not PEM";
                Error::new(ErrorKind::Config, what).with_cause(cause)
            })?;
            if found.is_empty() {
                let what = "the configured CA certificates hold none";
                return Err(Error::new(ErrorKind::Config, what));
            }
            roots.extend(found);
        }
        Ok(Self(roots))
    }

    /// Finishes a client, with certificates if it needs any. A machine without certificates still talks to registries over plain HTTP, and to those whose
    /// authority was configured; any other certificate is refused in the handshake.
    pub(super) fn build(
        &self,
        tls: bool,
        builder: impl Fn() -> ClientBuilder,
    ) -> reqwest::Result<Client> {
        let roots = || self.0.iter().cloned();
        // With both backends in the program reqwest would take the other one.
        #[cfg(feature = "rustls")]
        let builder = || builder().tls_backend_rustls();
        if !tls {
            return builder().tls_certs_only([]).build();
        }
        builder()
            .tls_certs_merge(roots())
            .build()
            .or_else(|error| builder().tls_certs_only(roots()).build().map_err(|_| error))
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
impl Roots {
    pub(super) fn read(pems: &[Arc<[u8]>]) -> Result<Self, Error> {
        if pems.is_empty() {
            return Ok(Self);
        }
        let what = "certificates are configured, but this program was built without TLS support";
        Err(Error::new(ErrorKind::Config, what))
    }

    #[allow(clippy::unused_self, reason = "the same call with and without TLS")]
    pub(super) fn build(
        &self,
        _: bool,
        builder: impl Fn() -> ClientBuilder,
    ) -> reqwest::Result<Client> {
        builder().build()
    }
}

#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_none_are_an_error_at_once() {
        // T07
        for pem in [
            &b""[..],
            b"\xef\xbb\xbf",
            b"garbage",
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Roots::read(&[pem.into()]).is_err(), "{pem:?}");
        }
        assert!(Roots::read(&[]).is_ok());
    }
}
