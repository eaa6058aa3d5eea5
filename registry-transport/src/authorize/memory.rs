//! What is remembered from one request to the next: what each registry wants, credentials, tokens.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use registry_authn::{Anonymous, Authenticator, Credential, Keychain, Resource, Secret};
use registry_name::Registry;

use crate::challenge::Challenge;
use crate::error::{Error, ErrorKind};
use crate::token::{Cache, Held};

/// The fingerprint of no credential.
pub(crate) const NOBODY: u64 = 0;

/// Shared by all requests of a transport.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    challenges: Mutex<HashMap<Registry, Challenge>>,
    /// Tokens that were given with a transport.
    given: Mutex<HashMap<Registry, Held>>,
    authenticators: Mutex<HashMap<Resource, Arc<Found>>>,
    pub(crate) tokens: Arc<Cache>,
    /// Identity tokens that took the place of others, by the fingerprint of what the keychain has.
    successors: Mutex<HashMap<u64, Secret>>,
    /// Keyed at random for each transport, so that a fingerprint says nothing about the credential.
    fingerprints: RandomState,
}

/// Who answers for a resource, once the keychain was asked. Whoever holds the lock asks: a keychain may start a program.
type Found = tokio::sync::Mutex<Option<Arc<dyn Authenticator>>>;

impl Memory {
    /// What the registry wanted last time.
    pub(crate) fn challenge(&self, registry: &Registry) -> Option<Challenge> {
        lock(&self.challenges).get(registry).cloned()
    }

    pub(crate) fn remember(&self, registry: &Registry, challenge: Challenge) {
        lock(&self.challenges).insert(registry.clone(), challenge);
    }

    /// The token that was given for a registry, until it expires.
    pub(crate) fn given(&self, registry: &Registry, now: Instant) -> Option<Held> {
        let given = lock(&self.given).get(registry).cloned()?;
        given.is_fresh(now, Duration::ZERO).then_some(given)
    }

    pub(crate) fn give(&self, registry: &Registry, token: Held) {
        lock(&self.given).insert(registry.clone(), token);
    }

    /// Forgets exactly this token.
    pub(crate) fn forget_given(&self, registry: &Registry, refused: &Held) {
        let mut given = lock(&self.given);
        if given.get(registry).is_some_and(|token| token.secret == refused.secret) {
            given.remove(registry);
        }
    }

    /// The credential for a resource now, with a fingerprint that tells it from others. The keychain is asked once, and
    /// again after a credential was refused; its authenticator is asked every time, since it may renew what it gives.
    pub(crate) async fn credential(
        &self,
        keychain: &dyn Keychain,
        resource: &Resource,
    ) -> Result<(Credential, u64), Error> {
        let found = {
            let mut all = lock(&self.authenticators);
            Arc::clone(all.entry(resource.clone()).or_default())
        };
        let mut found = found.lock().await;
        let authenticator = if let Some(authenticator) = &*found {
            Arc::clone(authenticator)
        } else {
            let answer =
                keychain.resolve(resource).await.map_err(|cause| broken(resource, cause))?;
            let authenticator = answer.unwrap_or_else(|| Arc::new(Anonymous));
            Arc::clone(found.insert(authenticator))
        };
        drop(found);
        let credential =
            authenticator.credential().await.map_err(|cause| broken(resource, cause))?;
        let fingerprint = self.fingerprint(&credential);
        let successor = lock(&self.successors).get(&fingerprint).cloned();
        Ok((successor.map_or(credential, Credential::IdentityToken), fingerprint))
    }

    /// An identity token was replaced when it was used (RFC 6749, section 6): the old one is not used again.
    pub(crate) fn succeed(&self, who: u64, successor: Secret) {
        lock(&self.successors).insert(who, successor);
    }

    /// What took its place was refused.
    pub(crate) fn forget_successor(&self, who: u64) {
        lock(&self.successors).remove(&who);
    }

    /// The keychain is asked again next time: it may have something newer than what was refused.
    pub(crate) fn forget_credential(&self, resource: &Resource) {
        lock(&self.authenticators).remove(resource);
    }

    fn fingerprint(&self, credential: &Credential) -> u64 {
        let print = match credential {
            Credential::Basic { username, password } => {
                self.fingerprints.hash_one((1, username, password.expose()))
            }
            Credential::IdentityToken(token) => self.fingerprints.hash_one((2, token.expose())),
            Credential::RegistryToken(token) => self.fingerprints.hash_one((3, token.expose())),
            _ => return NOBODY,
        };
        print.max(NOBODY + 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(resource: &Resource, cause: registry_authn::Error) -> Error {
    let hint = cause.hint().map(str::to_owned);
    let error = Error::new(ErrorKind::Credential, format!("no credential for {resource}"));
    let error = error.with_cause(cause);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
