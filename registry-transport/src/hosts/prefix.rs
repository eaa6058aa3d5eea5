//! A registry, or all of it below a path.

use std::fmt;
use std::str::FromStr;

use registry_name::{ParseError, Registry, Repository};

/// What repositories' names begin with: a registry (`docker.io`), or a path in it (`docker.io/library`); instead of a
/// registry also all below a domain (`*.example.com`). It covers whole components only: `docker.io/lib` does not cover
/// `docker.io/library/alpine`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    domain: Domain,
    /// Without slashes at its ends; empty for all.
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Domain {
    Registry(Registry),
    /// With its leading dot.
    Below(String),
}

/// A text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixError(ParseError);

impl Prefix {
    /// The registry, unless it is a whole domain.
    pub fn registry(&self) -> Option<&Registry> {
        match &self.domain {
            Domain::Registry(registry) => Some(registry),
            Domain::Below(_) => None,
        }
    }

    /// The path in the registry; empty for all of it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is left of a repository's path behind this prefix, without the slash between them; `None` when it is not under
    /// it.
    pub(crate) fn rest<'a>(&self, registry: &Registry, repository: &'a str) -> Option<&'a str> {
        let covers = match &self.domain {
            Domain::Registry(own) => own == registry,
            Domain::Below(_) => self.covers_host(registry.host()),
        };
        let rest = repository.strip_prefix(self.path.as_str()).filter(|_| covers)?;
        if self.path.is_empty() || rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// Whether a host is below the domain that this is.
    pub(crate) fn covers_host(&self, host: &str) -> bool {
        matches!(&self.domain, Domain::Below(domain) if host.ends_with(domain.as_str()))
    }

    /// Of two prefixes that cover a repository, the one with the greater rank decides.
    pub(crate) fn rank(&self) -> (usize, bool, usize) {
        match &self.domain {
            Domain::Registry(_) => (self.path.len(), true, 0),
            Domain::Below(domain) => (self.path.len(), false, domain.len()),
        }
    }
}

impl From<Registry> for Prefix {
    fn from(registry: Registry) -> Self {
        Self { domain: Domain::Registry(registry), path: String::new() }
    }
}

impl From<Repository> for Prefix {
    fn from(repository: Repository) -> Self {
        let path = repository.path().to_owned();
        Self { domain: Domain::Registry(repository.registry()), path }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let bare = host.strip_prefix("*.").unwrap_or(host);
        let registry: Registry = bare.parse().map_err(PrefixError)?;
        if text.contains('/') {
            Repository::new(&registry, path).map_err(PrefixError)?;
        }
        let domain = if host.starts_with("*.") {
            Domain::Below(format!(".{}", registry.host()))
        } else {
            Domain::Registry(registry)
        };
        Ok(Self { domain, path: path.to_owned() })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Domain::Registry(registry) => write!(f, "{registry}")?,
            Domain::Below(domain) => write!(f, "*{domain}")?,
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a registry, or a registry with a path")
    }
}

impl std::error::Error for PrefixError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
