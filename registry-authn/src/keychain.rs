//! Who has a credential for what.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use registry_name::Registry;

use crate::credential::Credential;
use crate::error::Error;
use crate::resource::Resource;

/// Gives a credential whenever one is needed, and may renew one that expires.
#[async_trait]
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// The credential to use now.
    async fn credential(&self) -> Result<Credential, Error>;
}

/// Knows credentials for some resources.
#[async_trait]
pub trait Keychain: Send + Sync + fmt::Debug {
    /// The authenticator for `resource`. `None`: not known here, ask the next one. `Err`: this is the
    /// place, but it is broken.
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error>;
}

/// Answers every question with "ask as anybody".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anonymous;

#[async_trait]
impl Authenticator for Anonymous {
    async fn credential(&self) -> Result<Credential, Error> {
        Ok(Credential::Anonymous)
    }
}

#[async_trait]
impl Keychain for Anonymous {
    async fn resolve(&self, _: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        Ok(Some(Arc::new(Self)))
    }
}

/// One credential, for one registry and all its repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    registry: Registry,
    credential: Credential,
}

impl Fixed {
    /// This credential for that registry, and for no other one.
    pub fn for_registry(registry: Registry, credential: Credential) -> Self {
        Self { registry, credential }
    }
}

#[async_trait]
impl Keychain for Fixed {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let mine = resource.registry() == self.registry;
        Ok(mine.then(|| Arc::new(self.credential.clone()) as Arc<dyn Authenticator>))
    }
}

/// Keychains that are asked in order; the first one that knows answers.
///
/// A broken one ends the search with its error, because what it would have said is not known; with
/// [`skip_broken`](Self::skip_broken) it is passed over.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    keychains: Vec<Arc<dyn Keychain>>,
    skip_broken: bool,
}

impl Chain {
    /// A chain that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks this one after all others.
    #[must_use]
    pub fn then(mut self, keychain: impl Keychain + 'static) -> Self {
        self.keychains.push(Arc::new(keychain));
        self
    }

    /// Goes on with the next keychain where one is broken, and logs a warning.
    #[must_use]
    pub fn skip_broken(mut self) -> Self {
        self.skip_broken = true;
        self
    }
}

impl FromIterator<Arc<dyn Keychain>> for Chain {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Keychain>>>(keychains: I) -> Self {
        Self { keychains: keychains.into_iter().collect(), skip_broken: false }
    }
}

#[async_trait]
impl Keychain for Chain {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        for keychain in &self.keychains {
            match keychain.resolve(resource).await {
                Ok(None) => {}
                Err(error) if self.skip_broken => {
                    tracing::warn!(%resource, %error, "passing over a broken keychain");
                }
                answer => return answer,
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl<K: Keychain + ?Sized> Keychain for Arc<K> {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        (**self).resolve(resource).await
    }
}
