//! Lists of names: the tags of a repository, the repositories of a registry.

use futures_core::Stream;
use futures_util::{TryStreamExt as _, stream};
use http::Method;
use registry_authn::{Resource, Scopes};
use registry_name::{Registry, Repository, Tag};
use registry_transport::Request;
use serde::Deserialize;

use super::{Remote, page::Pager};
use crate::{Client, Error};

/// Names that are none, which are kept to be looked at, at most; and their length all together.
const MAX_INVALID: usize = 1_000;
const MAX_INVALID_BYTES: usize = 1 << 20;

/// The tags of a repository, page by page.
#[derive(Debug)]
pub struct Tags {
    remote: Remote,
    window: Window,
    pager: Pager,
    invalid: Invalid,
}

/// The repositories of a registry, page by page.
#[derive(Debug)]
pub struct Repositories {
    client: Client,
    registry: Registry,
    window: Window,
    pager: Pager,
    invalid: Invalid,
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
    ///
    /// ```no_run
    /// # async fn example(remote: registry_remote::Remote) -> Result<(), registry_remote::Error> {
    /// let all = remote.tags().all().await?;
    /// // One page: up to fifty of those that come after the last one seen.
    /// if let Some(last) = all.last() {
    ///     let page = remote.tags().after(last).page_size(50).next().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tags(&self) -> Tags {
        let (remote, window) = (self.clone(), Window::default());
        Tags { pager: remote.tag_pager(&window), remote, window, invalid: Invalid::default() }
    }

    fn tag_pager(&self, window: &Window) -> Pager {
        let route = format!("tags/list{}", window.query());
        let first = self.request(Method::GET, &route, self.pull()).expect(&[200]);
        Pager::new(format!("tags of {}", self.repository), first)
    }
}

impl Tags {
    /// Begins after that tag, in the registry's order, which is alphabetical by the specification.
    #[must_use]
    pub fn after(mut self, last: &Tag) -> Self {
        self.window.last = Some(last.to_string());
        self.pager = self.remote.tag_pager(&self.window);
        self
    }

    /// Asks for that many tags a page. A registry may give fewer, or take no notice; 0 leaves it to
    /// the registry, as not asking does.
    #[must_use]
    pub fn page_size(mut self, size: usize) -> Self {
        self.window.size = size;
        self.pager = self.remote.tag_pager(&self.window);
        self
    }

    /// The tags of the next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Limit`] or [`Error::Unsupported`] where the list does not come
    /// to an end. Asked once more, it goes on with the page that failed: an error is not the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Tag>>, Error> {
        let page: Option<TagPage> = self.pager.next(self.remote.client.transport()).await?;
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

    /// One after the other, page by page, until the end or the first error. What is no tag is left
    /// out.
    ///
    /// ```no_run
    /// # use futures_util::TryStreamExt;
    /// # async fn example(remote: registry_remote::Remote) -> Result<(), registry_remote::Error> {
    /// let mut tags = std::pin::pin!(remote.tags().into_stream());
    /// while let Some(tag) = tags.try_next().await? {
    ///     println!("{tag}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream(self) -> impl Stream<Item = Result<Tag, Error>> + Send {
        one_by_one(stream::try_unfold(self, |mut tags| async move {
            Ok(tags.next().await?.map(|page| (page, tags)))
        }))
    }

    /// What was listed so far and is no tag, so cannot be asked for: the first 1 000, of up to 1 MiB
    /// together. Not fit to be printed as it is: a server chose it.
    pub fn invalid(&self) -> &[String] {
        &self.invalid.names
    }
}

impl Repositories {
    pub(crate) fn new(client: Client, registry: Registry) -> Self {
        let window = Window::default();
        let pager = repository_pager(&registry, &window);
        Self { client, registry, window, pager, invalid: Invalid::default() }
    }

    /// Begins after that repository, in the registry's order.
    #[must_use]
    pub fn after(mut self, last: &Repository) -> Self {
        self.window.last = Some(last.path().to_owned());
        self.pager = repository_pager(&self.registry, &self.window);
        self
    }

    /// Asks for that many repositories a page, as [`Tags::page_size`] does for tags.
    #[must_use]
    pub fn page_size(mut self, size: usize) -> Self {
        self.window.size = size;
        self.pager = repository_pager(&self.registry, &self.window);
        self
    }

    /// The repositories of the next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Limit`] or [`Error::Unsupported`] where the list does not come
    /// to an end. Asked once more, it goes on with the page that failed: an error is not the end.
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

    /// One after the other, page by page, until the end or the first error. What is no repository's
    /// name is left out.
    pub fn into_stream(self) -> impl Stream<Item = Result<Repository, Error>> + Send {
        one_by_one(stream::try_unfold(self, |mut repositories| async move {
            Ok(repositories.next().await?.map(|page| (page, repositories)))
        }))
    }

    /// What was listed so far and is no repository's name, as far as [`Tags::invalid`] goes. Not fit
    /// to be printed as it is: a server chose it.
    pub fn invalid(&self) -> &[String] {
        &self.invalid.names
    }
}

fn repository_pager(registry: &Registry, window: &Window) -> Pager {
    let first = Request::new(Method::GET, registry, format!("/v2/_catalog{}", window.query()))
        .resource(Resource::Registry(registry.clone()))
        .scopes(Scopes::catalog())
        .expect(&[200]);
    Pager::new(format!("repositories of {registry}"), first)
}

/// What was listed and is no name, as much as is of use to anybody.
#[derive(Debug, Default)]
struct Invalid {
    names: Vec<String>,
    bytes: usize,
}

impl Invalid {
    fn keep(&mut self, name: String) {
        let bytes = self.bytes.saturating_add(name.len());
        if self.names.len() < MAX_INVALID && bytes <= MAX_INVALID_BYTES {
            self.bytes = bytes;
            self.names.push(name);
        }
    }
}

/// Which part of a list is asked for first
/// ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
/// "Listing Tags").
#[derive(Debug, Default)]
struct Window {
    last: Option<String>,
    size: usize,
}

impl Window {
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if self.size > 0 {
            query.append_pair("n", &self.size.to_string());
        }
        if let Some(last) = &self.last {
            query.append_pair("last", last);
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }
}

/// The members of pages.
fn one_by_one<T: Send>(
    pages: impl Stream<Item = Result<Vec<T>, Error>> + Send,
) -> impl Stream<Item = Result<T, Error>> + Send {
    pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten()
}

/// Tells names from what is none.
fn sort<T>(names: Vec<String>, invalid: &mut Invalid, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let mut valid = Vec::with_capacity(names.len());
    for name in names {
        match parse(&name) {
            Some(parsed) => valid.push(parsed),
            None => invalid.keep(name),
        }
    }
    valid
}
