//! A registry that lasts as long as its process.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use registry_name::{Digest, Tag};

use super::{Blob, Content, Manifest, Put, PutManifest, Store, Upload, UploadId};
use crate::garbage::{self, Collected};
use crate::name::Name;

/// Everything in maps; a blob that several repositories have is in memory once.
#[derive(Default)]
pub(crate) struct Memory {
    repositories: Mutex<BTreeMap<Name, Repository>>,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Held>,
    manifests: BTreeMap<Digest, Manifest>,
    referrers: BTreeMap<Digest, BTreeSet<Digest>>,
    tags: BTreeMap<Tag, Digest>,
}

struct Held {
    bytes: Bytes,
    used: Instant,
}

impl Held {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, used: Instant::now() }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Repository>> {
        // Every change below is whole before anything could panic.
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("repositories", &self.lock().len()).finish()
    }
}

impl Store for Memory {
    fn repositories(&self) -> io::Result<Vec<Name>> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn blob(&self, name: &Name, digest: &Digest) -> io::Result<Option<Blob>> {
        let repositories = self.lock();
        let held = repositories.get(name).and_then(|repository| repository.blobs.get(digest));
        Ok(held.map(|held| Blob {
            size: held.bytes.len() as u64,
            content: Content::Memory(held.bytes.clone()),
        }))
    }

    fn use_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.lock();
        let held = repositories.get_mut(name).and_then(|one| one.blobs.get_mut(digest));
        Ok(held.map(|held| held.used = Instant::now()).is_some())
    }

    fn delete_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.lock();
        Ok(repositories.get_mut(name).is_some_and(|one| one.blobs.remove(digest).is_some()))
    }

    fn mount_blob(&self, from: &Name, to: &Name, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.lock();
        let found = repositories.get(from).and_then(|source| source.blobs.get(digest));
        let Some(bytes) = found.map(|held| held.bytes.clone()) else { return Ok(false) };
        let blobs = &mut repositories.entry(to.clone()).or_default().blobs;
        blobs.insert(digest.clone(), Held::new(bytes));
        Ok(true)
    }

    fn find_blob(
        &self,
        digest: &Digest,
        readable: &dyn Fn(&Name) -> bool,
    ) -> io::Result<Option<Name>> {
        let repositories = self.lock();
        let mut holders = repositories.iter().filter(|(_, one)| one.blobs.contains_key(digest));
        Ok(holders.find(|(name, _)| readable(name)).map(|(name, _)| name.clone()))
    }

    fn create_upload(&self, _: &Name, _: &UploadId) -> io::Result<Upload> {
        Ok(Upload::Memory(Vec::new()))
    }

    fn open_upload(&self, _: &Name, _: &UploadId) -> io::Result<Option<Upload>> {
        Ok(None)
    }

    fn commit_upload(
        &self,
        name: &Name,
        _: &UploadId,
        upload: Upload,
        digest: &Digest,
    ) -> io::Result<()> {
        let Upload::Memory(mut bytes) = upload else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        bytes.shrink_to_fit();
        let mut repositories = self.lock();
        let known = repositories.values().find_map(|one| one.blobs.get(digest));
        let bytes = known.map_or_else(|| bytes.into(), |held| held.bytes.clone());
        let repository = repositories.entry(name.clone()).or_default();
        repository.blobs.insert(digest.clone(), Held::new(bytes));
        Ok(())
    }

    fn remove_upload(&self, _: &Name, _: &UploadId) -> io::Result<()> {
        Ok(())
    }

    fn expire(&self, _: Duration, _: &HashSet<UploadId>) -> io::Result<()> {
        Ok(())
    }

    fn collect(&self, age: Duration) -> io::Result<Collected> {
        let mut collected = Collected::default();
        for repository in self.lock().values_mut() {
            let manifests = repository.manifests.values().map(|manifest| &*manifest.bytes);
            let kept = garbage::referenced(manifests);
            repository.blobs.retain(|digest, held| {
                let keep = kept.contains(digest) || held.used.elapsed() < age;
                if !keep {
                    collected.blobs += 1;
                    collected.bytes += held.bytes.len() as u64;
                }
                keep
            });
        }
        Ok(collected)
    }

    fn manifest(&self, name: &Name, digest: &Digest) -> io::Result<Option<Manifest>> {
        let repositories = self.lock();
        Ok(repositories.get(name).and_then(|one| one.manifests.get(digest)).cloned())
    }

    fn put_manifest(&self, name: &Name, put: &PutManifest) -> io::Result<Put> {
        let mut repositories = self.lock();
        let known = repositories.get(name);
        let current = known.and_then(|one| match put.tags.first() {
            Some(tag) => one.tags.get(tag),
            None => one.manifests.get_key_value(&put.digest).map(|(digest, _)| digest),
        });
        if !put.precondition.holds(current) {
            return Ok(Put::Refused);
        }
        let there = |digest: &&Digest| known.is_some_and(|one| one.blobs.contains_key(*digest));
        let missing = put.blobs.iter().filter(|digest| !there(digest));
        let missing: Vec<Digest> = missing.cloned().collect();
        if !missing.is_empty() {
            return Ok(Put::Missing(missing));
        }
        let repository = repositories.entry(name.clone()).or_default();
        repository.manifests.insert(put.digest.clone(), put.manifest.clone());
        if let Some(subject) = &put.subject {
            let referrers = repository.referrers.entry(subject.clone()).or_default();
            referrers.insert(put.digest.clone());
        }
        for tag in &put.tags {
            repository.tags.insert(tag.clone(), put.digest.clone());
        }
        Ok(Put::Stored)
    }

    fn delete_manifest(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.lock();
        let Some(repository) = repositories.get_mut(name) else { return Ok(false) };
        repository.tags.retain(|_, target| target != digest);
        repository.referrers.retain(|_, referrers| {
            referrers.remove(digest);
            !referrers.is_empty()
        });
        Ok(repository.manifests.remove(digest).is_some())
    }

    fn referrers(&self, name: &Name, subject: &Digest) -> io::Result<Vec<(Digest, Manifest)>> {
        let repositories = self.lock();
        let Some(repository) = repositories.get(name) else { return Ok(Vec::new()) };
        let referrers = repository.referrers.get(subject).into_iter().flatten();
        let manifests = referrers.filter_map(|digest| repository.manifests.get_key_value(digest));
        Ok(manifests.map(|(digest, manifest)| (digest.clone(), manifest.clone())).collect())
    }

    fn tag(&self, name: &Name, tag: &Tag) -> io::Result<Option<Digest>> {
        Ok(self.lock().get(name).and_then(|repository| repository.tags.get(tag)).cloned())
    }

    fn delete_tag(&self, name: &Name, tag: &Tag) -> io::Result<bool> {
        match self.lock().entry(name.clone()) {
            Entry::Vacant(_) => Ok(false),
            Entry::Occupied(mut repository) => Ok(repository.get_mut().tags.remove(tag).is_some()),
        }
    }

    fn tags(&self, name: &Name) -> io::Result<Option<Vec<Tag>>> {
        Ok(self.lock().get(name).map(|repository| repository.tags.keys().cloned().collect()))
    }
}
