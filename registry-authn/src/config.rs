//! The config files of Docker and of Podman and its relatives, read together.

mod edit;
mod entry;
mod explain;
mod file;
mod key;
mod login;
mod places;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::helper::Helper;
use crate::keychain::{Authenticator, Chain, Keychain};
use crate::refreshing::Refreshing;
use crate::resource::Resource;
use file::{Config, Finding};
use places::Place;

pub use explain::{Candidate, Explanation, LookedAt, Outcome, State};
pub use login::{Kept, Logins};

/// How long a helper's answer is used before it is asked again.
const FRESH: Duration = Duration::from_secs(60);

/// What this process's user is logged in to: the [`DockerConfig`] of [`Environment::current`].
pub fn default_keychain() -> Chain {
    default_keychain_in(&Environment::current())
}

/// What the user of that environment is logged in to. Its authenticators look again after a minute, so that a
/// program that runs for days notices a new log-in, and a helper's new token.
pub fn default_keychain_in(environment: &Environment) -> Chain {
    Chain::new().then(Refreshing::new(DockerConfig::new(environment), FRESH))
}

/// The config files of Docker and of Podman and its relatives, read together.
///
/// Places, in order:
///
/// 1. the variable `DOCKER_AUTH_CONFIG`, which holds the JSON itself;
/// 2. `config.json` in `$DOCKER_CONFIG`, otherwise in `~/.docker`;
/// 3. `$REGISTRY_AUTH_FILE`; where that is not set, `$XDG_RUNTIME_DIR/containers/auth.json`, then
///    `containers/auth.json` in `$XDG_CONFIG_HOME`, otherwise in `~/.config`.
///
/// A variable that is empty counts as not set, a relative path is relative to the working directory, and
/// without a home directory there are no places in it.
///
/// For `ghcr.io/acme/app` the keys `ghcr.io/acme/app`, `ghcr.io/acme` and `ghcr.io` are looked for in this
/// order, each in all places; so a longer key wins over a shorter one, then an earlier place over a later
/// one. A key with a path is never used for anything outside that path. All spellings of Docker Hub's key
/// (`https://index.docker.io/v1/`, `docker.io`, …) are one key; a scheme and a trailing `/v1/` or `/v2/` do
/// not matter. Within one place, `credHelpers` decides for its keys, then `credsStore` for all others, and
/// `auths` where there is no helper (or its name is empty).
///
/// Files are read each time something is looked up. A helper's answer is used for a minute.
pub struct DockerConfig {
    places: Vec<Place>,
    environment: Environment,
    answers: std::sync::Mutex<HashMap<Question, Arc<tokio::sync::Mutex<Option<Answer>>>>>,
}

/// A helper's name and what it is asked for.
type Question = (String, String);
type Answer = (Instant, Option<Credential>);

impl DockerConfig {
    /// The places of this environment.
    pub fn new(environment: &Environment) -> Self {
        Self::over(places::of(environment), environment)
    }

    /// Only this file, Docker's or Podman's; the environment is for the helpers that it names.
    pub fn file(path: impl Into<PathBuf>, environment: &Environment) -> Self {
        Self::over(vec![Place::File(path.into())], environment)
    }

    fn over(places: Vec<Place>, environment: &Environment) -> Self {
        Self { places, environment: environment.clone(), answers: std::sync::Mutex::default() }
    }

    /// The first place that has a credential for the longest key.
    async fn find(&self, resource: &Resource) -> Result<Option<Credential>, Error> {
        let configs = self.read().await?;
        for key in resource.keys() {
            for config in &configs {
                for finding in config.look_up(key) {
                    let found = match finding {
                        Finding::Entry { credential, .. } => credential?,
                        Finding::Helper { name, server } => self.ask(&name, &server).await?,
                    };
                    if let Some(credential) = found {
                        tracing::debug!(%resource, key, place = %config.place, "found a credential");
                        return Ok(Some(credential));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn read(&self) -> Result<Vec<Config>, Error> {
        let places = self.places.clone();
        let read = move || places.into_iter().filter_map(|place| Config::read(place).transpose());
        match tokio::task::spawn_blocking(move || read().collect()).await {
            Ok(configs) => configs,
            Err(cause) => Err(Error::source_failed("the config files", cause)),
        }
    }

    /// Asks a helper, or remembers what it said; never twice at once for the same.
    async fn ask(&self, name: &str, server: &str) -> Result<Option<Credential>, Error> {
        let question = (name.to_owned(), server.to_owned());
        let slot = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.entry(question).or_default().clone()
        };
        let mut slot = slot.lock().await;
        if let Some((when, credential)) = &*slot
            && when.elapsed() < FRESH
        {
            return Ok(credential.clone());
        }
        let credential = Helper::new(name, &self.environment)?.get(server).await?;
        *slot = Some((Instant::now(), credential.clone()));
        Ok(credential)
    }
}

#[async_trait]
impl Keychain for DockerConfig {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let found = self.find(resource).await?;
        Ok(found.map(|credential| Arc::new(credential) as Arc<dyn Authenticator>))
    }
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig").field("places", &self.places).finish_non_exhaustive()
    }
}
