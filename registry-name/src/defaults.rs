//! What an omitted part of a reference means.

use std::borrow::Cow;

use crate::error::ParseError;
use crate::registry::{DOCKER_HUB, Registry};
use crate::scan;
use crate::tag::Tag;

/// What is assumed where a reference leaves something out.
///
/// ```
/// use registry_name::{Defaults, Reference, Registry};
///
/// let house = Defaults::docker().registry("registry.example:5000".parse()?);
/// let app = Reference::parse("acme/app", &house)?;
/// assert_eq!(app.to_string(), "registry.example:5000/acme/app:latest");
///
/// assert!(Reference::parse("acme/app", &Defaults::strict()).is_err());
/// # Ok::<(), registry_name::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    pub(crate) registry: Option<Cow<'static, str>>,
    pub(crate) namespace: Option<Cow<'static, str>>,
    pub(crate) tag: Option<Cow<'static, str>>,
    /// Whether one component on Docker Hub means `library/…`.
    pub(crate) official: bool,
}

impl Defaults {
    /// As Docker reads names: Docker Hub, there `library/` before a single component, and `latest`.
    pub const fn docker() -> Self {
        Self {
            registry: Some(Cow::Borrowed(DOCKER_HUB)),
            namespace: None,
            tag: Some(Cow::Borrowed("latest")),
            official: true,
        }
    }

    /// Nothing is assumed: registry, full path, and a tag or digest must be written.
    pub const fn strict() -> Self {
        Self { registry: None, namespace: None, tag: None, official: false }
    }

    /// Assumes this registry where none is written.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(Cow::Owned(registry.0));
        self
    }

    /// Puts `namespace` before a path of one component, where no registry is written either.
    pub fn namespace(mut self, namespace: &str) -> Result<Self, ParseError> {
        scan::path(namespace).map_err(|fault| fault.of(namespace))?;
        self.namespace = Some(Cow::Owned(namespace.to_owned()));
        Ok(self)
    }

    /// Assumes this tag where neither tag nor digest is written.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tag = Some(Cow::Owned(tag.0));
        self
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self::docker()
    }
}
