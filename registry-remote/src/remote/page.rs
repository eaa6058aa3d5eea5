//! Lists that come page by page, from servers that may never stop.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use registry_transport::{Request, Transport};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{Error, media_type};

const MAX_PAGES: usize = 10_000;
const MAX_ITEMS: usize = 1_000_000;
const MAX_BYTES: usize = 256 << 20;
/// Pages in a row that bring nothing new, at most.
const MAX_BARREN: usize = 3;

/// Follows `Link: <…>; rel="next"` (RFC 8288) and sees to it that this comes to an end.
///
/// After an error the list goes on where it stood, so that a part of it never passes for the whole:
/// the same page is asked for again, and a list that has no end stays one.
#[derive(Debug)]
pub(super) struct Pager {
    /// "tags of ghcr.io/a/b"
    what: String,
    next: Next,
    guard: Guard,
}

#[derive(Debug)]
enum Next {
    Page(Box<Request>),
    Nothing,
    Never(Endless),
}

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) bytes: Bytes,
    /// What its `Content-Type` says, without parameters.
    pub(super) media_type: Option<String>,
    next: Option<Url>,
}

impl Pager {
    /// `what` it lists, as a message names it: "tags of ghcr.io/a/b".
    pub(super) fn new(what: String, first: Request) -> Self {
        Self { what, next: Next::Page(Box::new(first)), guard: Guard::default() }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        transport: &Transport,
    ) -> Result<Option<T>, Error> {
        let Some(page) = self.load(transport).await? else { return Ok(None) };
        let read = self.read(&page)?;
        self.turn(page)?;
        Ok(Some(read))
    }

    /// The next page as it is; [`turn`](Self::turn) makes it the one that was read.
    pub(super) async fn load(&self, transport: &Transport) -> Result<Option<Page>, Error> {
        let request = match &self.next {
            Next::Page(request) => request,
            Next::Nothing => return Ok(None),
            Next::Never(reason) => return Err(self.endless(reason)),
        };
        let attempt = || format!("list the {}", self.what);
        let sent = transport.send(request.as_ref().clone()).await;
        let mut response = sent.map_err(Error::registry(attempt))?;
        let next = response.next_link().map_err(Error::registry(attempt))?;
        let media_type = response.header(CONTENT_TYPE).map(media_type::essence);
        let bytes = response.bytes(transport.caps().page).await;
        let bytes = bytes.map_err(Error::registry(attempt))?;
        Ok(Some(Page { bytes, media_type, next }))
    }

    /// What a page says.
    pub(super) fn read<T: DeserializeOwned>(&self, page: &Page) -> Result<T, Error> {
        serde_json::from_slice(&page.bytes).map_err(|error| Error::Unsupported {
            what: format!(
                "cannot list the {}: the answer is not the list it should be ({error})",
                self.what
            ),
        })
    }

    /// Goes on behind this page.
    pub(super) fn turn(&mut self, page: Page) -> Result<(), Error> {
        let judged = self.guard.page(page.bytes.len(), page.next.as_ref());
        let read = std::mem::replace(&mut self.next, Next::Nothing);
        if let (Next::Page(request), Some(url)) = (read, page.next) {
            self.next = Next::Page(Box::new(request.to(url)));
        }
        self.judge(judged)
    }

    /// Whether no page was read yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.guard.pages == 0
    }

    /// Counts what a page brought; `items` are its members, in any form that tells them apart.
    pub(super) fn count<I: Hash>(&mut self, items: impl Iterator<Item = I>) -> Result<(), Error> {
        let judged = self.guard.items(items);
        self.judge(judged)
    }

    fn judge(&mut self, judged: Result<(), Endless>) -> Result<(), Error> {
        judged.map_err(|reason| {
            let error = self.endless(&reason);
            self.next = Next::Never(reason);
            error
        })
    }

    fn endless(&self, reason: &Endless) -> Error {
        match reason {
            Endless::Limit(limit) => Error::Limit {
                what: format!("the list of the {}", self.what),
                limit: limit.clone(),
            },
            Endless::Loop => Error::Unsupported {
                what: format!(
                    "cannot list the {}: a page leads back to one that was read already",
                    self.what
                ),
            },
        }
    }
}

/// Why a list is not followed further.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endless {
    /// It is longer than this.
    Limit(String),
    Loop,
}

/// What a list has cost so far.
#[derive(Debug, Default)]
struct Guard {
    /// Hashes of where pages are, and of what is on them: a server decides how long those are.
    visited: HashSet<u64>,
    seen: HashSet<u64>,
    pages: usize,
    bytes: usize,
    barren: usize,
}

impl Guard {
    fn page(&mut self, bytes: usize, next: Option<&Url>) -> Result<(), Endless> {
        self.pages += 1;
        self.bytes += bytes;
        if self.pages > MAX_PAGES {
            return Err(Endless::Limit(format!("{MAX_PAGES} pages")));
        }
        if self.bytes > MAX_BYTES {
            return Err(Endless::Limit(format!("{} MiB", MAX_BYTES >> 20)));
        }
        match next {
            Some(next) if !self.visited.insert(hash(next)) => Err(Endless::Loop),
            _ => Ok(()),
        }
    }

    fn items<I: Hash>(&mut self, items: impl Iterator<Item = I>) -> Result<(), Endless> {
        let before = self.seen.len();
        for item in items {
            self.seen.insert(hash(&item));
            if self.seen.len() > MAX_ITEMS {
                return Err(Endless::Limit(format!("{MAX_ITEMS} entries")));
            }
        }
        self.barren = if self.seen.len() > before { 0 } else { self.barren + 1 };
        if self.barren > MAX_BARREN {
            let limit = format!("{MAX_BARREN} pages in a row that bring nothing new");
            return Err(Endless::Limit(limit));
        }
        Ok(())
    }
}

fn hash(item: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    item.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn l01_a_link_that_leads_back_ends_the_list() {
        let mut guard = Guard::default();
        guard.page(1, Some(&url("http://a/1"))).unwrap();
        guard.page(1, Some(&url("http://a/2"))).unwrap();
        assert!(guard.page(1, Some(&url("http://a/1"))).is_err());
    }

    #[test]
    fn l01_what_is_remembered_of_a_page_does_not_grow_with_its_address() {
        let mut guard = Guard::default();
        guard.page(1, Some(&url(&format!("http://a/{}", "1".repeat(8000))))).unwrap();
        assert!(format!("{guard:?}").len() < 200, "{guard:?}");
    }

    #[test]
    fn l02_pages_that_bring_nothing_new_end_the_list() {
        let mut guard = Guard::default();
        guard.items(["a", "b"].iter()).unwrap();
        for _ in 0..MAX_BARREN {
            guard.items(["b", "a"].iter()).unwrap();
        }
        assert!(guard.items(["a"].iter()).is_err());
    }

    #[test]
    fn something_new_starts_the_count_again() {
        let mut guard = Guard::default();
        for n in 0..50 {
            guard.items(std::iter::empty::<u32>()).unwrap();
            guard.items(std::iter::once(n)).unwrap();
        }
    }

    #[test]
    fn pages_and_bytes_are_bounded() {
        let mut guard = Guard::default();
        for _ in 0..MAX_PAGES {
            guard.page(1, None).unwrap();
        }
        assert!(guard.page(1, None).is_err());
        assert!(Guard::default().page(MAX_BYTES + 1, None).is_err());
    }
}
