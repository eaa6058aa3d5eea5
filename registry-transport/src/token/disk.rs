//! Tokens and challenges in a file, so that the next process needs neither a 401 nor a token request.

mod document;
mod file;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use registry_authn::{Credential, Secret};
use registry_name::Registry;

use self::document::Document;
use super::shelf::Shelf;
use super::{Held, Key};
use crate::challenge::Challenge;
use crate::clock::Clock;

/// Tokens and challenges in a file, shared by the processes of one user.
///
/// The file has mode 0600 and is replaced as a whole, under a lock. A token is found under an HMAC-SHA-256, with a random
/// salt of the file, of its realm, service and credential; no credential is in it. It is shown until `expires_in` after it
/// was received has passed by the clock on the wall. A file that was written later than that clock shows is discarded; a
/// clock that was set back and has caught up since goes unnoticed, and then a registry refuses the token, which costs a
/// request. At most 256 tokens of at most 8 KiB are kept. A file that cannot be read, or that others can read, is discarded with a warning
/// in the log; nothing that goes wrong here is an error of a request.
///
/// ```
/// use registry_transport::{TokenCache, Transport};
///
/// # let directory = std::env::temp_dir();
/// let cache = TokenCache::at(directory.join("tokens.json"));
/// let transport = Transport::builder().token_cache(cache.clone()).build()?;
/// // at logout
/// cache.wipe()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenCache(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// What was in the file when it was read, and what was done to it since.
    document: Mutex<Option<Document>>,
}

impl TokenCache {
    /// The file may not exist yet, nor its directory.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { path: path.into(), document: Mutex::default() }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Removes the file. That there is none is no error.
    pub fn wipe(&self) -> io::Result<()> {
        *self.document() = None;
        match std::fs::remove_file(&self.0.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn document(&self) -> MutexGuard<'_, Option<Document>> {
        self.0.document.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks into the document; the first time, it is read.
    async fn look<T: Send + 'static>(
        &self,
        now: SystemTime,
        look: impl FnOnce(&Document) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let this = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut document = this.document();
            let document = document
                .get_or_insert_with(|| file::read(&this.0.path, seconds(now)).unwrap_or_default());
            look(document)
        });
        looked.await.ok().flatten()
    }

    /// Changes the file, whatever others have made of it meanwhile.
    async fn change(&self, now: SystemTime, change: impl FnOnce(&mut Document) + Send + 'static) {
        let this = self.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let changed = file::change(&this.0.path, seconds(now), change);
            changed.map(|document| *this.document() = Some(document))
        });
        if let Ok(Err(error)) = changed.await {
            let path = self.0.path.display();
            tracing::warn!(%path, %error, "the token cache cannot be written");
        }
    }
}

#[async_trait]
impl Shelf for TokenCache {
    async fn challenge(&self, registry: &Registry, now: SystemTime) -> Option<Challenge> {
        let registry = registry.clone();
        self.look(now, move |document| document.challenge(&registry, seconds(now))).await
    }

    async fn learn(&self, registry: &Registry, challenge: &Challenge, now: SystemTime) {
        let Some(challenge) = challenge.essence() else { return };
        if self.challenge(registry, now).await.as_ref() == Some(&challenge) {
            return;
        }
        let registry = registry.clone();
        self.change(now, move |document| document.learn(&registry, challenge, seconds(now))).await;
    }

    async fn find(&self, key: &Key, credential: &Credential, clock: &dyn Clock) -> Option<Held> {
        let (key, credential) = (key.clone(), credential.clone());
        let (now, instant) = (clock.time_of_day(), clock.now());
        self.look(now, move |document| {
            let (secret, age, life) = document.find(&key, &credential, seconds(now))?;
            let received = instant.checked_sub(Duration::from_secs(age))?;
            let held = Held { secret, received, life: Duration::from_secs(life), stored: true };
            held.is_fresh(instant, Duration::ZERO).then_some(held)
        })
        .await
    }

    async fn keep(&self, key: &Key, credential: &Credential, token: &Held, now: SystemTime) {
        let (key, credential, token) = (key.clone(), credential.clone(), token.clone());
        self.change(now, move |document| {
            document.keep(&key, &credential, token.secret, token.life.as_secs(), seconds(now));
        })
        .await;
    }

    async fn forget(&self, refused: &Secret, now: SystemTime) {
        let known = refused.clone();
        if self.look(now, move |document| document.has(&known).then_some(())).await.is_none() {
            return;
        }
        let refused = refused.clone();
        self.change(now, move |document| document.forget(&refused)).await;
    }
}

/// Since 1970; a clock from before is as good as none.
fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenCache").field(&self.0.path).finish()
    }
}

#[cfg(test)]
mod tests;
