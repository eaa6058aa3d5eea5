//! `index.json`: read once for as long as nobody changes it, and added to while nobody else does.

use std::{
    fs::{File, Metadata},
    sync::{Arc, PoisonError},
    time::SystemTime,
};

use super::{Directory, WHAT};
use crate::{
    Error,
    layout::index::{self, Entry},
    local::{MAX_DOCUMENT, check_size, draft, listing::Listing, names::INDEX, read},
};

/// A version of `index.json`, and what it lists.
#[derive(Debug)]
pub(super) struct Known {
    /// Open, so that no other file is taken for it.
    _file: File,
    version: Version,
    listing: Arc<Listing>,
}

/// What changes when a file is replaced or written to.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    file: read::Identity,
    length: u64,
    modified: Option<SystemTime>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        Self { file: read::identity(metadata), length: metadata.len(), modified }
    }
}

impl Directory {
    pub(in super::super) fn listing(&self) -> Result<Arc<Listing>, Error> {
        // Whoever else wants it waits, and has it then.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = self.open(&[INDEX])? else {
            return Err(self.broken("it has no index.json; was a copy to it interrupted?"));
        };
        let path = self.root.join(INDEX);
        let metadata = file.metadata().map_err(Error::local("read", &path))?;
        let version = Version::of(&metadata);
        if let Some(known) = known.as_ref().filter(|known| known.version == version) {
            return Ok(Arc::clone(&known.listing));
        }
        let bytes =
            read::document(&file, 0..metadata.len(), MAX_DOCUMENT, || self.size_of_index(), &path)?;
        let listing = Arc::new(Listing::parse(&bytes, WHAT, &self.root)?);
        *known = Some(Known { _file: file, version, listing: Arc::clone(&listing) });
        Ok(listing)
    }

    /// Adds entries to `index.json`.
    pub(in super::super) fn list(&self, entries: &[Entry]) -> Result<(), Error> {
        let _hold = self.hold()?;
        match self.listed_with(entries)? {
            Some(new) => draft::replace(&self.root.join(INDEX), &new),
            None => Ok(()),
        }
    }

    /// Refuses entries for which there is no room in `index.json`, before anything is fetched.
    pub(in super::super) fn check_room(&self, entries: &[Entry]) -> Result<(), Error> {
        self.listed_with(entries).map(drop)
    }

    /// What `index.json` will be, if it has to change: never more than is read again.
    fn listed_with(&self, entries: &[Entry]) -> Result<Option<Vec<u8>>, Error> {
        let old = self.read(&[INDEX])?;
        if let Some(old) = &old {
            Listing::parse(old, WHAT, &self.root)?;
        }
        let new = index::with_entries(old.as_deref(), entries)
            .map_err(|reason| self.broken(format!("its index.json is no index: {reason}")))?;
        if let Some(new) = &new {
            check_size(new.len() as u64, MAX_DOCUMENT, || self.size_of_index())?;
        }
        Ok(new)
    }

    fn size_of_index(&self) -> String {
        format!("the size of {}", self.root.join(INDEX).display())
    }
}

#[cfg(test)]
mod tests;
