//! Credentials that are looked up again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;

/// A keychain whose authenticators ask it again once their answer is older than a given time.
///
/// What another keychain answered once is otherwise kept as long as somebody holds the authenticator. Where
/// the keychain knows nothing any more, the authenticator goes on as anybody.
#[derive(Clone, Debug)]
pub struct Refreshing {
    inner: Arc<dyn Keychain>,
    fresh: Duration,
    clock: Clock,
}

impl Refreshing {
    /// Asks `inner` again after `fresh`.
    pub fn new(inner: impl Keychain + 'static, fresh: Duration) -> Self {
        Self { inner: Arc::new(inner), fresh, clock: Clock::default() }
    }

    /// With this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    pub(crate) fn with_clock_of(mut self, environment: &Environment) -> Self {
        self.clock = environment.time().clone();
        self
    }
}

#[async_trait]
impl Keychain for Refreshing {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let found = self.inner.resolve(resource).await?;
        Ok(found.map(|authenticator| {
            Arc::new(Renewed {
                keychain: self.clone(),
                resource: resource.clone(),
                current: Mutex::new((self.clock.now(), authenticator)),
            }) as Arc<dyn Authenticator>
        }))
    }
}

struct Renewed {
    keychain: Refreshing,
    resource: Resource,
    /// Locked while the keychain is asked: the others wait for the same answer.
    current: Mutex<(SystemTime, Arc<dyn Authenticator>)>,
}

#[async_trait]
impl Authenticator for Renewed {
    async fn credential(&self) -> Result<Credential, Error> {
        let mut current = self.current.lock().await;
        if !self.keychain.clock.is_within(current.0, self.keychain.fresh) {
            let found = self.keychain.inner.resolve(&self.resource).await?;
            let found = found.unwrap_or_else(|| Arc::new(Credential::Anonymous));
            *current = (self.keychain.clock.now(), found);
        }
        let authenticator = Arc::clone(&current.1);
        drop(current);
        authenticator.credential().await
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("resource", &self.resource).finish_non_exhaustive()
    }
}
