use super::*;
use crate::hosts::Host;

fn with_authorities(pem: &[u8]) -> Result<(), Error> {
    check(&Host::new().ca_certificates(pem).connection)
}

#[test]
fn certificates_that_are_none_are_an_error_at_once() {
    // T07
    for pem in [
        &b""[..],
        b"\xef\xbb\xbf",
        b"garbage",
        b"\x30\x82\x01\x0a",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(with_authorities(pem).is_err(), "{pem:?}");
    }
    assert!(check(&Host::new().connection).is_ok());
}

#[test]
fn a_broken_authority_is_an_error_even_where_nothing_is_verified() {
    let host = Host::new().dangerous_accept_any_certificate();
    assert!(check(&host.connection).is_ok());
    assert!(check(&host.ca_certificates("garbage").connection).is_err());
}

#[test]
fn a_client_key_that_is_none_is_an_error_that_does_not_show_it() {
    // T08
    let host = Host::new().client_certificate("canary-certificate", "canary-key");
    let error = check(&host.connection).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}
