//! Lists that come page by page, from servers that may never stop.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use registry_transport::{Request, Transport};
use serde::de::DeserializeOwned;
use url::Url;

use crate::Error;

const MAX_PAGES: usize = 10_000;
const MAX_ITEMS: usize = 1_000_000;
const MAX_BYTES: usize = 256 << 20;
/// Pages in a row that bring nothing new, at most.
const MAX_BARREN: usize = 3;

/// Follows `Link: <…>; rel="next"` (RFC 8288) and sees to it that this comes to an end.
#[derive(Debug)]
pub(super) struct Pager {
    what: String,
    next: Option<Request>,
    guard: Guard,
}

impl Pager {
    pub(super) fn new(what: String, first: Request) -> Self {
        Self { what, next: Some(first), guard: Guard::default() }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        transport: &Transport,
    ) -> Result<Option<T>, Error> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let attempt = || self.what.clone();
        let mut response =
            transport.send(request.clone()).await.map_err(Error::registry(attempt))?;
        let next = response.next_link().map_err(Error::registry(attempt))?;
        let bytes =
            response.bytes(transport.caps().page).await.map_err(Error::registry(attempt))?;
        self.guard.page(bytes.len(), next.as_ref()).map_err(|reason| self.endless(&reason))?;
        self.next = next.map(|url| request.to(url));
        let page = serde_json::from_slice(&bytes).map_err(|error| Error::Unsupported {
            what: format!(
                "cannot {}: the answer is not the list it should be ({error})",
                self.what
            ),
        })?;
        Ok(Some(page))
    }

    /// Counts what a page brought; `items` are its members, in any form that tells them apart.
    pub(super) fn count<I: Hash>(&mut self, items: impl Iterator<Item = I>) -> Result<(), Error> {
        self.guard.items(items).map_err(|reason| self.endless(&reason))
    }

    fn endless(&self, reason: &str) -> Error {
        Error::Unsupported { what: format!("cannot {}: {reason}", self.what) }
    }
}

/// What a list has cost so far.
#[derive(Debug, Default)]
struct Guard {
    visited: HashSet<Url>,
    seen: HashSet<u64>,
    pages: usize,
    bytes: usize,
    barren: usize,
}

impl Guard {
    fn page(&mut self, bytes: usize, next: Option<&Url>) -> Result<(), String> {
        self.pages += 1;
        self.bytes += bytes;
        if self.pages > MAX_PAGES {
            return Err(format!("the list has more than {MAX_PAGES} pages"));
        }
        if self.bytes > MAX_BYTES {
            return Err(format!("the list has more than {} MiB", MAX_BYTES >> 20));
        }
        match next {
            Some(next) if !self.visited.insert(next.clone()) => {
                Err("a page leads back to one that was read already".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn items<I: Hash>(&mut self, items: impl Iterator<Item = I>) -> Result<(), String> {
        let before = self.seen.len();
        for item in items {
            let mut hasher = DefaultHasher::new();
            item.hash(&mut hasher);
            self.seen.insert(hasher.finish());
            if self.seen.len() > MAX_ITEMS {
                return Err(format!("the list has more than {MAX_ITEMS} entries"));
            }
        }
        self.barren = if self.seen.len() > before { 0 } else { self.barren + 1 };
        if self.barren > MAX_BARREN {
            return Err(format!("more than {MAX_BARREN} pages in a row bring nothing new"));
        }
        Ok(())
    }
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
