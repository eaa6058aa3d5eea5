//! What a credential is wanted for.

use std::fmt;

use registry_name::{Registry, Repository};

/// What a credential is wanted for: a registry as a whole (catalog, ping, login), or one repository.
///
/// `Display` is the name that the resource has as a key of a config file: `ghcr.io`, `ghcr.io/acme/app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a registry has repositories and nothing else")]
pub enum Resource {
    /// A registry as a whole.
    Registry(Registry),
    /// One repository.
    Repository(Repository),
}

impl Resource {
    /// The registry, or the one that the repository is at.
    pub fn registry(&self) -> Registry {
        match self {
            Self::Registry(registry) => registry.clone(),
            Self::Repository(repository) => repository.registry(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Registry(registry) => registry.as_str(),
            Self::Repository(repository) => repository.as_str(),
        }
    }

    /// The keys that this resource may be found under, the longest first: `h/a/b`, `h/a`, `h`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |key| Some(key.rsplit_once('/')?.0))
    }
}

impl From<Registry> for Resource {
    fn from(registry: Registry) -> Self {
        Self::Registry(registry)
    }
}

impl From<Repository> for Resource {
    fn from(repository: Repository) -> Self {
        Self::Repository(repository)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
