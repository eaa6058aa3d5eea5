//! What is remembered from one request to the next: what each registry wants, credentials, tokens.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use registry_authn::{Credential, Keychain, Resource};
use registry_name::Registry;

use super::Demand;
use crate::error::{Error, ErrorKind};
use crate::token::Cache;

/// The fingerprint of no credential.
pub(crate) const NOBODY: u64 = 0;

/// Shared by all requests of a transport.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    demands: Mutex<HashMap<Registry, Demand>>,
    credentials: Mutex<HashMap<Resource, (Credential, u64)>>,
    pub(crate) tokens: Cache,
    /// Keyed at random for each transport, so that a fingerprint says nothing about the credential.
    fingerprints: RandomState,
}

impl Memory {
    /// What the registry wanted last time.
    pub(crate) fn demand(&self, registry: &Registry) -> Option<Demand> {
        self.demands.lock().unwrap_or_else(PoisonError::into_inner).get(registry).cloned()
    }

    pub(crate) fn remember(&self, registry: &Registry, demand: Demand) {
        self.demands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(registry.clone(), demand);
    }

    /// The credential for a resource, with a fingerprint that tells it from others. The keychain is asked once, and again
    /// after a credential was refused.
    pub(crate) async fn credential(
        &self,
        keychain: &dyn Keychain,
        resource: &Resource,
    ) -> Result<(Credential, u64), Error> {
        {
            let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = credentials.get(resource) {
                return Ok(known.clone());
            }
        }
        let failed = |cause: registry_authn::Error| {
            let hint = cause.hint().map(str::to_owned);
            let error = Error::new(ErrorKind::Credential, format!("no credential for {resource}"))
                .with_cause(cause);
            match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        };
        let credential = match keychain.resolve(resource).await.map_err(failed)? {
            Some(authenticator) => authenticator.credential().await.map_err(failed)?,
            None => Credential::Anonymous,
        };
        let known = (credential.clone(), self.fingerprint(&credential));
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        credentials.insert(resource.clone(), known.clone());
        Ok(known)
    }

    /// Whether there is more than "as anybody" for a resource.
    pub(crate) fn has_credential(&self, resource: &Resource) -> bool {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        credentials.get(resource).is_some_and(|(_, who)| *who != NOBODY)
    }

    /// The keychain is asked again next time: it may have something newer than what was refused.
    pub(crate) fn forget_credential(&self, resource: &Resource) {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).remove(resource);
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
