//! Repositories: a registry and a path there.

use std::fmt;
use std::str::FromStr;

use crate::defaults::Defaults;
use crate::digest::Digest;
use crate::error::{Component, Fault, ParseError};
use crate::familiar::Familiar;
use crate::identifier::Identifier;
use crate::reference::{Parts, Reference};
use crate::registry::{DOCKER_HUB, Registry};
use crate::scan;
use crate::tag::Tag;

/// A collection of manifests and blobs at a registry: `docker.io/library/ubuntu`.
///
/// On Docker Hub a path of one component means the official image of that name, so `ubuntu` and
/// `library/ubuntu` are the same repository there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// Registry, slash, path: one allocation for both.
    pub(crate) full: String,
    pub(crate) slash: usize,
}

pub(crate) const OFFICIAL: &str = "library";

impl Repository {
    /// The repository `path` at `registry`.
    pub fn new(registry: &Registry, path: &str) -> Result<Self, ParseError> {
        scan::path(path).map_err(|fault| fault.of(path))?;
        let official = registry.is_docker_hub() && !path.contains('/');
        let namespace = official.then_some(OFFICIAL);
        Self::build(
            path.len() + registry.0.len(),
            |full| full.push_str(&registry.0),
            namespace,
            path,
        )
        .map_err(|fault| fault.of(path))
    }

    /// Parses a repository without a tag or digest, with these defaults for what it leaves out.
    pub fn parse(text: &str, defaults: &Defaults) -> Result<Self, ParseError> {
        let parse = || {
            let parts = Parts::split(text)?;
            let repository = parts.repository(defaults)?;
            let beyond = match (parts.tag, parts.digest) {
                (None, None) => return Ok(repository),
                (Some((at, _)), _) => Fault::new(Component::Tag, at - 1, "a repository has no tag"),
                (None, Some((at, _))) => {
                    Fault::new(Component::Digest, at - 1, "a repository has no digest")
                }
            };
            Err(beyond.hint("leave it out: this is about a whole repository"))
        };
        parse().map_err(|fault: Fault| fault.of(text))
    }

    /// The registry.
    pub fn registry(&self) -> Registry {
        Registry(self.registry_str().to_owned())
    }

    /// The registry's name.
    pub fn registry_str(&self) -> &str {
        &self.full[..self.slash]
    }

    /// The path at the registry, as it stands in its API's URLs: `library/ubuntu`.
    pub fn path(&self) -> &str {
        &self.full[self.slash + 1..]
    }

    /// Registry and path.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The repository one or more components below this one: `ghcr.io/acme` joined with `app/web`.
    pub fn join(&self, below: &str) -> Result<Self, ParseError> {
        scan::path(below).map_err(|fault| fault.of(below))?;
        let namespace = Some(self.path());
        Self::build(self.full.len(), |full| full.push_str(self.registry_str()), namespace, below)
            .map_err(|fault| fault.of(below))
    }

    /// This repository's manifest with that tag.
    pub fn with_tag(&self, tag: Tag) -> Reference {
        Reference::new(self.clone(), Identifier::Tag(tag))
    }

    /// This repository's manifest with that digest.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference::new(self.clone(), Identifier::Digest(digest))
    }

    /// The short form that people write: `ubuntu` instead of `docker.io/library/ubuntu`.
    pub fn familiar(&self) -> Familiar<'_> {
        Familiar::new(self, None, None)
    }

    /// Whether this is on Docker Hub.
    pub(crate) fn is_on_docker_hub(&self) -> bool {
        self.registry_str() == DOCKER_HUB
    }

    /// `path` is already checked; together with the namespace it may still be too long.
    pub(crate) fn build(
        size: usize,
        registry: impl FnOnce(&mut String),
        namespace: Option<&str>,
        path: &str,
    ) -> Result<Self, Fault> {
        let extra = namespace.map_or(0, |namespace| namespace.len() + 1);
        if extra + path.len() > scan::LONGEST_PATH {
            return Err(Fault::new(
                Component::Repository,
                scan::LONGEST_PATH.saturating_sub(extra),
                format!(
                    "a repository has at most {} bytes, this one has {} with its namespace",
                    scan::LONGEST_PATH,
                    extra + path.len()
                ),
            ));
        }
        let mut full = String::with_capacity(size + extra + 1 + path.len());
        registry(&mut full);
        let slash = full.len();
        full.push('/');
        if let Some(namespace) = namespace {
            full.push_str(namespace);
            full.push('/');
        }
        full.push_str(path);
        Ok(Self { full, slash })
    }
}

impl FromStr for Repository {
    type Err = ParseError;

    /// Parses with [`Defaults::docker`].
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, &Defaults::docker())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.full)
    }
}
