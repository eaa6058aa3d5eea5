//! What this client saw and wrote a moment ago: enough to tell somebody else's change of a tag
//! from its own, and a replica that lags behind from something that does not exist.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use registry_name::{Digest, Identifier, Repository};
use registry_transport::{Error as TransportError, ErrorKind, Request, Response};

use super::{Remote, fetch::announced};

/// How long a registry may take until what it accepted is found everywhere.
const WRITTEN: Duration = Duration::from_secs(5);
/// The waits until a replica has caught up: three attempts in two seconds.
const WAITS: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1200)];
/// Entries that are kept, at most.
const MAX_ENTRIES: usize = 4096;

/// Manifests and tags of all repositories.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<(Repository, Identifier), Entry>>);

/// What a name named; `None`: nothing.
#[derive(Debug)]
pub(super) struct Seen(pub(super) Option<Digest>);

#[derive(Clone, Debug)]
struct Entry {
    digest: Option<Digest>,
    at: Instant,
    written: bool,
}

impl Recent {
    /// A registry was asked, and this is what a name named; `None`: nothing.
    pub(super) fn saw(&self, repository: &Repository, name: &Identifier, digest: Option<&Digest>) {
        let known = self.was_written(repository, name) && digest.is_none();
        if !known {
            self.note(repository, name, digest, false);
        }
    }

    /// A registry accepted this.
    pub(super) fn wrote(&self, repository: &Repository, name: &Identifier, digest: &Digest) {
        self.note(repository, name, Some(digest), true);
    }

    /// It was deleted: that it is missing is as it should be.
    pub(super) fn deleted(&self, repository: &Repository, name: &Identifier) {
        self.note(repository, name, None, false);
    }

    /// What a name named last, however long ago; `None` where that is not known. What is out of date
    /// turns a name that is written over into one that is not.
    pub(super) fn last(&self, repository: &Repository, name: &Identifier) -> Option<Seen> {
        let entries = self.lock();
        let entry = entries.get(&(repository.clone(), name.clone()))?;
        Some(Seen(entry.digest.clone()))
    }

    /// Whether it was written so recently that not every replica need have it yet.
    pub(super) fn was_written(&self, repository: &Repository, name: &Identifier) -> bool {
        let entries = self.lock();
        let entry = entries.get(&(repository.clone(), name.clone()));
        entry.is_some_and(|entry| entry.written && entry.at.elapsed() < WRITTEN)
    }

    fn note(
        &self,
        repository: &Repository,
        name: &Identifier,
        digest: Option<&Digest>,
        written: bool,
    ) {
        let mut entries = self.lock();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| entry.at.elapsed() < WRITTEN);
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        let entry = Entry { digest: digest.cloned(), at: Instant::now(), written };
        entries.insert((repository.clone(), name.clone()), entry);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Repository, Identifier), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// Asks for a manifest by name, once more where this client has just written it and the
    /// registry does not know yet; remembers what it names.
    pub(super) async fn ask_for(
        &self,
        name: &Identifier,
        request: Request,
    ) -> Result<Response, TransportError> {
        let recent = &self.client.state().recent;
        let mut waits = WAITS.into_iter();
        loop {
            let sent = self.client.transport().send(request.clone()).await;
            let missing = matches!(&sent, Err(error) if error.kind() == ErrorKind::NotFound);
            if missing
                && recent.was_written(&self.repository, name)
                && let Some(wait) = waits.next()
            {
                tracing::debug!(%name, ?wait, "not found although it was just written");
                tokio::time::sleep(wait).await;
                continue;
            }
            self.note(name, &sent);
            return sent;
        }
    }

    /// Remembers what the registry says that a name names; a mirror may lag behind it.
    pub(super) fn note(&self, name: &Identifier, sent: &Result<Response, TransportError>) {
        let recent = &self.client.state().recent;
        match sent {
            Ok(response) if response.is_from_mirror() => {}
            Ok(response) => {
                if let Some(named) = announced(response) {
                    recent.saw(&self.repository, name, Some(&named));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                recent.saw(&self.repository, name, None);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p07_what_a_tag_named_is_not_forgotten_while_a_long_push_runs() {
        let recent = Recent::default();
        let repository: Repository = "registry.example/app".parse().unwrap();
        let name = Identifier::Tag("latest".parse().unwrap());
        let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        recent.saw(&repository, &name, Some(&digest));
        let long = Duration::from_secs(600);
        for entry in recent.lock().values_mut() {
            // A machine that was just started has no such time.
            entry.at = entry.at.checked_sub(long).unwrap_or(entry.at);
        }
        assert_eq!(recent.last(&repository, &name).unwrap().0, Some(digest));
    }
}
