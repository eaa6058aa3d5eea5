//! References: what people write behind `docker pull`.

use std::fmt;
use std::str::FromStr;

use crate::defaults::Defaults;
use crate::digest::Digest;
use crate::error::{Component, Fault, ParseError, Quoted};
use crate::familiar::{Familiar, is_image_id};
use crate::identifier::Identifier;
use crate::registry::{Authority, DOCKER_HUB, looks_like_host};
use crate::repository::{OFFICIAL, Repository};
use crate::scan;
use crate::tag::Tag;

/// A repository and which of its manifests: a tag, a digest, or a digest that remembers its tag.
///
/// `Display` is the whole name, `docker.io/library/ubuntu:latest`; [`familiar`](Self::familiar) is the
/// short one. Where both are there, the digest decides what is fetched and the tag is a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    identifier: Identifier,
    /// The tag that a digest remembers.
    label: Option<Tag>,
}

impl Reference {
    /// Parses a reference, with these defaults for what it leaves out.
    pub fn parse(text: &str, defaults: &Defaults) -> Result<Self, ParseError> {
        Self::scan(text, defaults).map_err(|fault| fault.of(text))
    }

    /// That manifest of that repository.
    pub fn new(repository: Repository, identifier: impl Into<Identifier>) -> Self {
        Self { repository, identifier: identifier.into(), label: None }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, also when there is a digest.
    pub fn tag(&self) -> Option<&Tag> {
        self.identifier.tag().or(self.label.as_ref())
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.identifier.digest()
    }

    /// What to ask the registry for: the digest if there is one, otherwise the tag.
    pub fn identifier(&self) -> Identifier {
        self.identifier.clone()
    }

    /// The repository, and what to ask it for.
    pub fn into_parts(self) -> (Repository, Identifier) {
        (self.repository, self.identifier)
    }

    /// The same, with that tag; a digest stays. For the tag alone see [`Repository::with_tag`].
    #[must_use]
    pub fn with_tag(mut self, tag: Tag) -> Self {
        match self.identifier {
            Identifier::Tag(_) => self.identifier = Identifier::Tag(tag),
            Identifier::Digest(_) => self.label = Some(tag),
        }
        self
    }

    /// The same, with that digest; a tag stays as a label. For the digest alone see
    /// [`Repository::with_digest`].
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        if let Identifier::Tag(tag) =
            std::mem::replace(&mut self.identifier, Identifier::Digest(digest))
        {
            self.label = Some(tag);
        }
        self
    }

    /// The short form that people write: `ubuntu:22.04`.
    pub fn familiar(&self) -> Familiar<'_> {
        Familiar::new(&self.repository, self.tag(), self.digest())
    }

    fn scan(text: &str, defaults: &Defaults) -> Result<Self, Fault> {
        let parts = Parts::split(text)?;
        let repository = parts.repository(defaults)?;
        let tag = match parts.tag {
            Some((at, tag)) => {
                scan::tag(tag).map_err(|fault| fault.shift(at))?;
                Some(Tag(tag.to_owned()))
            }
            None => None,
        };
        if let Some((at, digest)) = parts.digest {
            let digest = Digest::scan(digest).map_err(|fault| fault.shift(at))?;
            return Ok(Self { repository, identifier: Identifier::Digest(digest), label: tag });
        }
        let tag = tag.or_else(|| defaults.tag.as_deref().map(|tag| Tag(tag.to_owned())));
        match tag {
            Some(tag) => Ok(Self::new(repository, tag)),
            None => Err(Fault::new(
                Component::Reference,
                text.len(),
                "neither a tag nor a digest is written",
            )
            .hint(format!("write a tag, {}", Quoted(&format!("{text}:latest"))))),
        }
    }
}

/// A reference cut at its delimiters, nothing checked yet.
pub(crate) struct Parts<'a> {
    registry: Option<&'a str>,
    path: &'a str,
    /// With where it starts, as the digest.
    pub(crate) tag: Option<(usize, &'a str)>,
    pub(crate) digest: Option<(usize, &'a str)>,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(text: &'a str) -> Result<Self, Fault> {
        if let Some(fault) = scheme(text).or_else(|| whole(text)) {
            return Err(fault);
        }
        let (head, digest) = split_once(text, '@');
        if let Some(fault) = digest.and_then(|digest| user(head, digest)) {
            return Err(fault);
        }
        let digest = digest.map(|digest| (head.len() + 1, digest));
        let (registry, rest) = match head.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (Some(first), rest),
            _ => (None, head),
        };
        let (path, tag) = split_once(rest, ':');
        let tag = tag.map(|tag| (head.len() - tag.len(), tag));
        Ok(Self { registry, path, tag, digest })
    }

    pub(crate) fn repository(&self, defaults: &Defaults) -> Result<Repository, Fault> {
        let written = self.registry.map(Authority::scan).transpose()?;
        let before = self.registry.map_or(0, |registry| registry.len() + 1);
        scan::path(self.path).map_err(|fault| fault.shift(before))?;
        let on_docker_hub = match (&written, &defaults.registry) {
            (Some(authority), _) => authority.is_docker_hub(),
            (None, Some(registry)) => registry == DOCKER_HUB,
            (None, None) => {
                return Err(Fault::new(Component::Registry, 0, "the registry is not written")
                    .hint("nothing is assumed here; Docker Hub is \"docker.io/\""));
            }
        };
        let one = !self.path.contains('/');
        let namespace = match &defaults.namespace {
            Some(namespace) if one && written.is_none() => Some(&**namespace),
            _ if one && on_docker_hub && !defaults.official => {
                return Err(Fault::new(
                    Component::Repository,
                    before,
                    "the namespace is not written",
                )
                .hint(format!("official images are in \"{OFFICIAL}/\" on Docker Hub")));
            }
            _ => (one && on_docker_hub).then_some(OFFICIAL),
        };
        let registry = |full: &mut String| match (&written, &defaults.registry) {
            (Some(authority), _) => authority.write(full),
            (None, registry) => full.push_str(registry.as_deref().unwrap_or(DOCKER_HUB)),
        };
        let size = self.registry.or(defaults.registry.as_deref()).map_or(0, str::len);
        Repository::build(size, registry, namespace, self.path).map_err(|fault| fault.shift(before))
    }
}

fn split_once(text: &str, delimiter: char) -> (&str, Option<&str>) {
    match text.split_once(delimiter) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `https://…`, `docker://…`: a name has no scheme.
pub(crate) fn scheme(text: &str) -> Option<Fault> {
    let (scheme, rest) = text.split_once("://")?;
    let fault = Fault::new(Component::Registry, 0, "a name has no scheme");
    if rest.contains('@') {
        return Some(fault.hint(format!("leave out {}", Quoted(&format!("{scheme}://")))));
    }
    Some(fault.hint(format!("write {}", Quoted(rest.trim_end_matches('/')))))
}

/// What is wrong with the text as a whole, before it is cut.
fn whole(text: &str) -> Option<Fault> {
    let fault = |reason: &'static str| Fault::new(Component::Reference, 0, reason);
    if text.is_empty() {
        return Some(fault("the reference is empty"));
    }
    if is_image_id(text) {
        return Some(
            fault("64 hexadecimal digits are an image's identifier, not a name")
                .hint("a digest is written behind a name, \"name@sha256:…\""),
        );
    }
    let first = text.split(['/', ':', '@']).next().unwrap_or(text);
    let upper = first.bytes().any(|b| b.is_ascii_uppercase());
    if upper && text[first.len()..].starts_with('/') && !looks_like_host(first) {
        // To Docker this is a host. Hosts are lower-cased, and then it would read as a repository.
        let at = first.bytes().position(|b| b.is_ascii_uppercase()).unwrap_or(0);
        let name = text.split([':', '@']).next().unwrap_or(text).to_ascii_lowercase();
        return Some(
            Fault::new(Component::Repository, at, "a repository has no upper-case letters")
                .hint(format!("write {}; a registry would have a dot or a port", Quoted(&name))),
        );
    }
    None
}

/// `user:password@host/name`.
fn user(head: &str, rest: &str) -> Option<Fault> {
    let host = rest.split('/').next().unwrap_or(rest);
    let user = host.len() < rest.len() && !host.starts_with("sha");
    user.then(|| no_user(head.len()))
}

/// There is an `@` at that byte that does not introduce a digest.
pub(crate) fn no_user(at: usize) -> Fault {
    Fault::new(Component::Registry, at, "a name carries no user")
        .hint("log in to the registry instead")
}

impl FromStr for Reference {
    type Err = ParseError;

    /// Parses with [`Defaults::docker`].
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, &Defaults::docker())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository.as_str())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest() {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
