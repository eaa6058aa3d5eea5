//! How servers are reached: TLS, proxies, mirrors and limits, over real sockets on loopback.

#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[cfg(feature = "http2")]
mod http2;
mod limits;
mod mirrors;
mod nginx;
mod proxies;
mod tls;

use std::sync::Arc;

use registry_authn::{Chain, Credential, Fixed, Keychain};
use registry_name::Registry;
use registry_transport::{
    Deadlines, Error, Host, Hosts, Method, Request, Response, RetryPolicy, Transport,
};

fn registry(text: &str) -> Registry {
    text.parse().unwrap()
}

/// That one registry is reached like this.
fn hosts(name: &str, host: Host) -> Hosts {
    Hosts::default().host(registry(name).into(), host)
}

/// With deadlines and waits that suit loopback, and these logins.
fn transport(hosts: Hosts, logins: &[(&str, &str)]) -> Transport {
    let keychain = logins.iter().fold(Chain::new(), |chain, (name, password)| {
        chain.then(Fixed::for_registry(registry(name), Credential::basic("user", *password)))
    });
    Transport::builder()
        .hosts(hosts)
        .keychain(Arc::new(keychain) as Arc<dyn Keychain>)
        .deadlines(Deadlines::default().divided_by(10))
        .policy(RetryPolicy::default().divided_by(100))
        .build()
        .unwrap()
}

async fn get(transport: &Transport, name: &str, path: &str) -> Result<Response, Error> {
    transport.send(Request::new(Method::GET, &registry(name), path)).await
}

/// The error, its hint and all its causes.
fn told(error: &Error) -> String {
    let mut told = format!("{error} | {}", error.hint().unwrap_or_default());
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told = format!("{told} | {next}");
        cause = next.source();
    }
    told
}
