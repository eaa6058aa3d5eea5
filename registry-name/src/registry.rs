//! Registries: a host, perhaps with a port.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::error::{Component, Fault, ParseError, Quoted};
use crate::reference::{no_user, scheme};
use crate::scan::{not_allowed, run};

pub(crate) const DOCKER_HUB: &str = "docker.io";

/// Where repositories live: `docker.io`, `ghcr.io`, `localhost:5000`, `[::1]:5000`.
///
/// The host is lower-cased, and Docker Hub's names `docker.io`, `index.docker.io` and
/// `registry-1.docker.io` are one registry, `docker.io`. There is no scheme and no path: how to connect
/// is another question.
///
/// A host is a domain name, an IPv4 address or an IPv6 address in brackets. It has a dot or a port, or is
/// `localhost`: `myhost/app` means the repository `myhost/app` on Docker Hub, so `myhost` alone could
/// never be told apart from a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(pub(crate) String);

impl Registry {
    /// Docker Hub, `docker.io`.
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB.to_owned())
    }

    /// Host and port, as they stand in a reference.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without the port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        split_port(&self.0).0
    }

    /// The port, if the name has one.
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1.and_then(|port| port.parse().ok())
    }

    /// Whether this is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        self.0 == DOCKER_HUB
    }
}

/// Host and port of a registry, checked but not yet in canonical form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn scan(text: &'a str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new(Component::Registry, 0, "the registry is missing"));
        }
        if text.bytes().filter(|&b| b == b':').count() > 1 && text.parse::<Ipv6Addr>().is_ok() {
            return Err(Fault::new(Component::Registry, 0, "an IPv6 address stands in brackets")
                .hint(format!("write \"[{text}]\"")));
        }
        let (host, port) = split_port(text);
        let check = if host.starts_with('[') { ipv6 } else { domain };
        check(host)?;
        let port = match port {
            Some(port) => Some(number(port).map_err(|fault| fault.shift(host.len() + 1))?),
            None => None,
        };
        if port.is_none() && !looks_like_host(host) {
            return Err(Fault::new(
                Component::Registry,
                0,
                "a registry has a dot or a port, or is \"localhost\"",
            )
            .hint(format!(
                "write a port, {}",
                Quoted(&format!("{}:443", host.to_ascii_lowercase()))
            )));
        }
        Ok(Self { host, port })
    }

    pub(crate) fn is_docker_hub(&self) -> bool {
        const NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];
        self.port.is_none() && NAMES.iter().any(|name| self.host.eq_ignore_ascii_case(name))
    }

    /// Appends the canonical form.
    pub(crate) fn write(&self, out: &mut String) {
        if self.is_docker_hub() {
            return out.push_str(DOCKER_HUB);
        }
        let start = out.len();
        out.push_str(self.host);
        out[start..].make_ascii_lowercase();
        if let Some(port) = self.port {
            // Through `format!` this would be one more allocation.
            let _ = fmt::Write::write_fmt(out, format_args!(":{port}"));
        }
    }
}

/// Whether the text in front of a reference's first slash names a registry, as Docker decides it.
pub(crate) fn looks_like_host(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
}

/// Splits at the colon before the port, which is not one of an IPv6 address's own.
fn split_port(text: &str) -> (&str, Option<&str>) {
    let host =
        if text.starts_with('[') { text.find(']').map_or(text.len(), |end| end + 1) } else { 0 };
    match text[host..].find(':') {
        Some(colon) => (&text[..host + colon], Some(&text[host + colon + 1..])),
        None => (text, None),
    }
}

/// Labels of letters, digits and inner dashes, joined by dots.
fn domain(host: &str) -> Result<(), Fault> {
    let fault = |at, reason: String| Fault::new(Component::Registry, at, reason);
    let bytes = host.as_bytes();
    let mut at = 0;
    loop {
        let label = run(&bytes[at..], |b| b.is_ascii_alphanumeric() || b == b'-');
        let end = at + label;
        match bytes.get(end) {
            None | Some(b'.') if label == 0 => {
                return Err(fault(at, "a label of the host is empty".to_owned()));
            }
            None | Some(b'.') => {}
            Some(_) => return Err(alien(host, end)),
        }
        if bytes[at] == b'-' {
            return Err(fault(at, "a label of the host starts with a dash".to_owned()));
        }
        if bytes[end - 1] == b'-' {
            return Err(fault(end - 1, "a label of the host ends in a dash".to_owned()));
        }
        if end == bytes.len() {
            return address(host, &host[at..]);
        }
        at = end + 1;
    }
}

/// A host whose last label is a number is an IPv4 address to everything that opens connections (URL
/// standard, "ends in a number"); `127.1` would quietly become another host than the one in the name.
fn address(host: &str, last: &str) -> Result<(), Fault> {
    let number = last.bytes().all(|b| b.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .or_else(|| last.strip_prefix("0X"))
            .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if !number || host.parse::<Ipv4Addr>().is_ok() {
        return Ok(());
    }
    Err(Fault::new(
        Component::Registry,
        host.len() - last.len(),
        "a host that ends in a number is an IPv4 address, four numbers up to 255",
    ))
}

fn ipv6(host: &str) -> Result<(), Fault> {
    let fault = |at, reason: String| Fault::new(Component::Registry, at, reason);
    let Some(end) = host.find(']') else {
        return Err(fault(host.len(), "the bracket of the IPv6 address is not closed".to_owned()));
    };
    if end + 1 < host.len() {
        return Err(fault(end + 1, not_allowed(&host[end + 1..], "after the IPv6 address")));
    }
    let inner = &host[1..end];
    let good = run(inner.as_bytes(), |b| b.is_ascii_hexdigit() || b == b':');
    if good < inner.len() {
        return Err(fault(1 + good, not_allowed(&inner[good..], "in an IPv6 address")));
    }
    match inner.parse::<Ipv6Addr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(fault(1, format!("{} is not an IPv6 address", Quoted(inner)))),
    }
}

fn number(port: &str) -> Result<u16, Fault> {
    let fault = |at, reason: String| Fault::new(Component::Port, at, reason);
    let digits = run(port.as_bytes(), |b| b.is_ascii_digit());
    if port.is_empty() {
        return Err(fault(0, "the port is missing".to_owned()));
    }
    if digits < port.len() {
        return Err(fault(digits, not_allowed(&port[digits..], "in a port"))
            .hint("what stands before the first slash is a registry, its port after a colon"));
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(fault(0, "a port is a number from 1 to 65535".to_owned())),
    }
}

/// A byte that no host has.
fn alien(host: &str, at: usize) -> Fault {
    let rest = &host[at..];
    let fault = Fault::new(Component::Registry, at, not_allowed(rest, "in a host"));
    match rest.bytes().next() {
        Some(b'%' | b'?' | b'#') => {
            fault.hint("a reference is not a URL: no query, no fragment, no percent-encoding")
        }
        Some(b' ' | b'\t' | b'\r' | b'\n') => fault.hint("remove the white space"),
        Some(b'/') => fault.hint("a registry has no path"),
        Some(0x80..) => fault.hint("write an international domain name in its \"xn--\" form"),
        _ => fault,
    }
}

impl FromStr for Registry {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let no_user = || text.find('@').map(no_user);
        let authority = match scheme(text).or_else(no_user) {
            Some(fault) => Err(fault),
            None => Authority::scan(text),
        }
        .map_err(|fault| fault.of(text))?;
        let mut name = String::with_capacity(text.len());
        authority.write(&mut name);
        Ok(Self(name))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
