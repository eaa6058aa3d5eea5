//! Lists of names: the tags of a repository, the repositories of a registry.

use http::Method;
use registry_authn::{Resource, Scopes};
use registry_name::{Registry, Repository, Tag};
use registry_transport::Request;
use serde::Deserialize;

use super::{Remote, page::Pager};
use crate::{Client, Error};

/// The tags of a repository, page by page.
#[derive(Debug)]
pub struct Tags {
    client: Client,
    pager: Pager,
    invalid: Vec<String>,
}

/// The repositories of a registry, page by page.
#[derive(Debug)]
pub struct Repositories {
    client: Client,
    registry: Registry,
    pager: Pager,
    invalid: Vec<String>,
}

// `"tags": null`, a missing field and a missing name all occur in the field.
#[derive(Deserialize)]
struct TagPage {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RepositoryPage {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Remote {
    /// The tags of this repository, page by page, in the registry's order.
    pub fn tags(&self) -> Tags {
        let first = self.request(Method::GET, "tags/list", self.pull()).expect(&[200]);
        let pager = Pager::new(format!("list the tags of {}", self.repository), first);
        Tags { client: self.client.clone(), pager, invalid: Vec::new() }
    }
}

impl Tags {
    /// The tags of the next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Unsupported`] where the list does not come to an end.
    pub async fn next(&mut self) -> Result<Option<Vec<Tag>>, Error> {
        let page: Option<TagPage> = self.pager.next(self.client.transport()).await?;
        let Some(page) = page else { return Ok(None) };
        let names = page.tags.unwrap_or_default();
        self.pager.count(names.iter())?;
        Ok(Some(sort(names, &mut self.invalid, |name| name.parse().ok())))
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn all(mut self) -> Result<Vec<Tag>, Error> {
        let mut tags = Vec::new();
        while let Some(page) = self.next().await? {
            tags.extend(page);
        }
        Ok(tags)
    }

    /// What was listed so far and is no tag, so cannot be asked for. Not fit to be printed as it
    /// is: a server chose it.
    pub fn invalid(&self) -> &[String] {
        &self.invalid
    }
}

impl Repositories {
    pub(crate) fn new(client: Client, registry: Registry) -> Self {
        let first = Request::new(Method::GET, &registry, "/v2/_catalog")
            .resource(Resource::Registry(registry.clone()))
            .scopes(Scopes::catalog())
            .expect(&[200]);
        let pager = Pager::new(format!("list the repositories of {registry}"), first);
        Self { client, registry, pager, invalid: Vec::new() }
    }

    /// The repositories of the next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Unsupported`] where the list does not come to an end.
    pub async fn next(&mut self) -> Result<Option<Vec<Repository>>, Error> {
        let page: Option<RepositoryPage> = self.pager.next(self.client.transport()).await?;
        let Some(page) = page else { return Ok(None) };
        let names = page.repositories.unwrap_or_default();
        self.pager.count(names.iter())?;
        let registry = &self.registry;
        let repository = |name: &str| Repository::new(registry, name).ok();
        Ok(Some(sort(names, &mut self.invalid, repository)))
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn all(mut self) -> Result<Vec<Repository>, Error> {
        let mut repositories = Vec::new();
        while let Some(page) = self.next().await? {
            repositories.extend(page);
        }
        Ok(repositories)
    }

    /// What was listed so far and is no repository's name. Not fit to be printed as it is: a
    /// server chose it.
    pub fn invalid(&self) -> &[String] {
        &self.invalid
    }
}

/// Tells names from what is none.
fn sort<T>(
    names: Vec<String>,
    invalid: &mut Vec<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut valid = Vec::with_capacity(names.len());
    for name in names {
        match parse(&name) {
            Some(parsed) => valid.push(parsed),
            None => invalid.push(name),
        }
    }
    valid
}
