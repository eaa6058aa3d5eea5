//! The origin rule: which server may see a secret, and where a server may send us. Pure functions over URLs.
//!
//! A secret belongs to an origin: scheme, host and port. It is never sent to another one.

mod address;

use std::fmt;

use url::{Host, Url};

pub(crate) use self::address::is_private;

/// Scheme, host and port of a URL, normalised: lower case, default port filled in, no trailing dot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` URL; a name with an empty label is nobody's.
    pub fn of(url: &Url) -> Option<Self> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host_str()?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host.split('.').any(str::is_empty) {
            return None;
        }
        Some(Self { tls, host, port: url.port_or_known_default()? })
    }

    /// Whether it is reached over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host name or address; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether both are on the same host, and on the same port or each on the one of its scheme.
    pub(crate) fn is_same_host(&self, other: &Self) -> bool {
        let usual = |origin: &Self| origin.port == if origin.tls { 443 } else { 80 };
        self.host == other.host && (self.port == other.port || usual(self) && usual(other))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The origin that a request's secrets belong to, and whether it is on a private network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Where the secrets belong.
    pub origin: Origin,
    /// The home is on a private network itself, so it may send us to private addresses.
    pub local: bool,
}

/// The longest URL that is taken from a server, in bytes.
const MAX_URL: usize = 8 << 10;

/// The URL that a `Location` names, relative to the URL that answered (RFC 9110, section 10.2.2). `None`: it names none, or
/// one of more than 8 KiB. Where it leads is for [`judge`] to say.
///
/// ```
/// use registry_transport::Url;
/// use registry_transport::origin::locate;
///
/// let asked: Url = "https://registry.example/v2/a/blobs/uploads/".parse()?;
/// let location = locate(&asked, b"/v2/a/blobs/uploads/7?_state=x").unwrap();
/// assert_eq!(location.as_str(), "https://registry.example/v2/a/blobs/uploads/7?_state=x");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn locate(answered: &Url, location: &[u8]) -> Option<Url> {
    let location = std::str::from_utf8(location).ok()?.trim();
    if location.is_empty() || location.len() > MAX_URL {
        return None;
    }
    answered.join(location).ok().filter(|url| url.as_str().len() <= MAX_URL)
}

/// What may be done with a URL that a server chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The home origin: go there, with the secrets.
    Keep,
    /// Another origin: go there without any secret.
    Strip,
    /// Do not go there.
    Refuse(Refusal),
}

/// Why a URL that a server chose is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Neither `http` nor `https`, or without a host.
    Scheme,
    /// User information in the URL would become a credential.
    UserInformation,
    /// From a registry over TLS to plain HTTP.
    Downgrade,
    /// From a public registry to an address of a private network or of this machine.
    PrivateAddress,
}

/// Judges a URL that a server chose: a redirect, an upload `Location`, a `Link`, a token realm.
///
/// An address is judged as it is written; what a *name* resolves to is judged when the connection is made.
pub fn judge(home: &Home, url: &Url) -> Verdict {
    let Some(origin) = Origin::of(url) else {
        return Verdict::Refuse(Refusal::Scheme);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Verdict::Refuse(Refusal::UserInformation);
    }
    if origin == home.origin {
        return Verdict::Keep;
    }
    if home.origin.is_tls() && !origin.is_tls() {
        return Verdict::Refuse(Refusal::Downgrade);
    }
    if !home.local && is_private_host(url) {
        return Verdict::Refuse(Refusal::PrivateAddress);
    }
    Verdict::Strip
}

/// Whether a URL's host is written as a private address or as this machine's name.
pub(crate) fn is_private_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        Some(Host::Domain(name)) => is_local_name(name),
        None => false,
    }
}

/// `localhost` and everything below it (RFC 6761, section 6.3).
pub(crate) fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it is neither http nor https",
            Self::UserInformation => "it carries a user name",
            Self::Downgrade => "it leads from https to plain http",
            Self::PrivateAddress => "it leads from a public registry to a private address",
        })
    }
}

#[cfg(test)]
mod tests;
