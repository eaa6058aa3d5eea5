//! What configuration can say about a registry, and where it was said.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use url::Url;

use crate::hosts::Prefix;

use super::document::{Table, Written};

/// One thing that configuration says about a registry or a mirror.
///
/// `Display` is the value for people; passwords and header values are left out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Where the registry is reached, if not at its name: everything before `/v2/`, or with `exact` the place of `/v2/`
    /// itself.
    Endpoint {
        /// The URL.
        url: Url,
        /// Whether the URL is used as it is, without `/v2` behind it.
        exact: bool,
        /// Whether requests there say which registry they are for, where that has another name.
        ns: bool,
    },
    /// Where the repositories below a prefix are read from instead.
    Location(Prefix),
    /// Plain HTTP or HTTPS.
    PlainHttp(bool),
    /// HTTPS whose certificate is not checked, and plain HTTP where there is no HTTPS.
    Insecure(bool),
    /// The certificate of the other side is not checked.
    SkipVerify(bool),
    /// A proxy; `None` is no proxy whatever the environment says.
    Proxy(Option<Url>),
    /// Files of certificate authorities to trust beside the system's own, in PEM.
    Ca(Vec<PathBuf>),
    /// A client certificate.
    Client {
        /// The file of the certificate, in PEM.
        certificate: PathBuf,
        /// The file of its key, in PEM; the same file where there is none of its own.
        key: Option<PathBuf>,
    },
    /// Headers for every request to this registry and to nobody else.
    Headers(Vec<(String, String)>),
    /// Requests at a time.
    Concurrency(NonZeroUsize),
    /// The caller's part of the user agent.
    UserAgent(String),
    /// Hosts of token realms that may see credentials.
    TrustedRealms(Vec<String>),
    /// Hosts on a private network that the registry may send us to.
    PrivateHosts(Vec<String>),
    /// What is written goes to the registry's own origin and to no other.
    StrictUploads(bool),
    /// Nothing is asked of this registry.
    Blocked(bool),
    /// Who is asked before the registry itself, in this order.
    Mirrors(Vec<MirrorSetting>),
}

/// A mirror, as a file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorSetting {
    /// Where it is. `Location` settings name a registry and a path, `Endpoint` settings a URL.
    pub target: Box<Setting>,
    /// Whether a tag may be resolved here.
    pub resolve: bool,
    /// Whether content may be read by its digest.
    pub pull: bool,
    /// Whether requests say for which registry they are, in the query parameter `ns`.
    pub ns: bool,
    /// What else is said about it.
    pub settings: Vec<Statement>,
    /// Where it was said.
    pub place: Place,
}

/// A setting and where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// What is said.
    pub setting: Setting,
    /// Where.
    pub place: Place,
}

/// Something in a file that has no effect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What it is.
    pub what: String,
    /// Why it has no effect.
    pub why: String,
    /// Where it is.
    pub place: Place,
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The kind of file.
    pub family: Family,
    /// The file or directory; for [`Family::Flags`] the flag.
    pub file: PathBuf,
    /// The line, counted from 1, where the file has lines.
    pub line: Option<u32>,
    /// The table, as it is written there.
    pub table: Option<String>,
}

/// The kinds of configuration files, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Family {
    /// No file: what the caller said for this run.
    Flags,
    /// Our own `hosts.toml`.
    Own,
    /// containerd's `certs.d/HOST/hosts.toml`.
    HostsToml,
    /// `certs.d/HOST` of Docker and of the containers tools.
    CertsD,
    /// `registries.conf` of the containers tools, and its drop-in files.
    RegistriesConf,
}

impl Setting {
    /// What it is called: the key in our own file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "endpoint",
            Self::Location(_) => "location",
            Self::PlainHttp(_) => "plain-http",
            Self::Insecure(_) => "insecure",
            Self::SkipVerify(_) => "dangerously-skip-verify",
            Self::Proxy(_) => "proxy",
            Self::Ca(_) => "ca",
            Self::Client { .. } => "client-certificate",
            Self::Headers(_) => "headers",
            Self::Concurrency(_) => "concurrency",
            Self::UserAgent(_) => "user-agent",
            Self::TrustedRealms(_) => "trusted-realms",
            Self::PrivateHosts(_) => "allowed-private-hosts",
            Self::StrictUploads(_) => "strict-uploads",
            Self::Blocked(_) => "blocked",
            Self::Mirrors(_) => "mirror",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { url, .. } | Self::Proxy(Some(url)) => write!(f, "{}", shown(url)),
            Self::Location(location) => write!(f, "{location}"),
            Self::PlainHttp(on)
            | Self::Insecure(on)
            | Self::SkipVerify(on)
            | Self::StrictUploads(on)
            | Self::Blocked(on) => write!(f, "{on}"),
            Self::Proxy(None) => f.write_str("none"),
            Self::Ca(files) => list(f, files.iter().map(|file| file.display())),
            Self::Client { certificate, key } => {
                write!(f, "{}", certificate.display())?;
                match key {
                    Some(key) => write!(f, ", key {}", key.display()),
                    None => Ok(()),
                }
            }
            Self::Headers(headers) => list(f, headers.iter().map(|(name, _)| name)),
            Self::Concurrency(count) => write!(f, "{count}"),
            Self::UserAgent(text) => f.write_str(text),
            Self::TrustedRealms(hosts) | Self::PrivateHosts(hosts) => list(f, hosts),
            Self::Mirrors(mirrors) => list(f, mirrors),
        }
    }
}

impl fmt::Display for MirrorSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.target)
    }
}

/// A header's value may be a secret.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {self}", self.name())
    }
}

impl Family {
    /// What its files are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Own => "registry hosts.toml",
            Self::HostsToml => "containerd hosts.toml",
            Self::CertsD => "certs.d",
            Self::RegistriesConf => "registries.conf",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.table {
            Some(table) => write!(f, " {table}"),
            None => Ok(()),
        }
    }
}

/// A URL without its password.
fn shown(url: &Url) -> String {
    crate::redact::RedactedUrl::from(url).to_string()
}

fn list(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (n, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if n == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// What one table says, as it is collected.
pub(super) struct Said {
    place: Place,
    pub(super) statements: Vec<Statement>,
}

impl Said {
    pub(super) fn at(family: Family, table: &Table<'_>) -> Self {
        let place = Place {
            family,
            file: table.file().to_owned(),
            line: Some(table.line),
            table: Some(table.name.clone()).filter(|name| !name.is_empty()),
        };
        Self { place, statements: Vec::new() }
    }

    /// Something of this table that has no effect.
    pub(super) fn note(&self, line: u32, what: impl Into<String>, why: &str) -> Note {
        let place = Place { line: Some(line), ..self.place.clone() };
        Note { what: what.into(), why: why.to_owned(), place }
    }

    /// The keys that nobody asked for.
    pub(super) fn unknown(&self, table: Table<'_>) -> impl Iterator<Item = Note> {
        let unknown = table.unknown().into_iter();
        unknown.map(|key| self.note(key.line, key.value, "not known here"))
    }

    /// The table itself.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn say<T>(
        &mut self,
        written: Option<Written<T>>,
        setting: impl FnOnce(T) -> Setting,
    ) {
        if let Some(Written { value, line }) = written {
            let place = Place { line: Some(line), ..self.place.clone() };
            self.statements.push(Statement { setting: setting(value), place });
        }
    }
}
