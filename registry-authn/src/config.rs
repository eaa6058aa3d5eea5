//! The config files of Docker and of Podman and its relatives, read together.

mod edit;
mod entry;
mod explain;
mod file;
mod key;
mod login;
mod places;
mod pull_secrets;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::answers::{Answers, FRESH};
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::keychain::{Authenticator, Chain, Keychain};
use crate::refreshing::Refreshing;
use crate::resource::Resource;
use crate::variables::Variables;
use file::{Config, Finding};
use places::Place;

pub use explain::{Candidate, Explanation, LookedAt, Outcome, State, explain_default};
pub use login::{Kept, Logins};
pub use pull_secrets::PullSecrets;

/// What this process's user has said: [`default_keychain_in`] of [`Environment::current`].
pub fn default_keychain() -> Chain {
    default_keychain_in(&Environment::current())
}

/// What the user of that environment has said: first [`Variables`], then [`DockerConfig`]. Its authenticators
/// look again after a minute, so that a program that runs for days notices a new log-in, and a helper's new
/// token. [`explain::default_keychain_in`](crate::explain::default_keychain_in) tells what it finds, and why.
///
/// The keychains of single clouds are not in it: they send tokens and run programs that nobody named for a
/// registry, and where those are of no use, what is public could not be read any more.
pub fn default_keychain_in(environment: &Environment) -> Chain {
    let config = Refreshing::new(DockerConfig::new(environment), FRESH).with_clock_of(environment);
    Chain::new().then(Variables::new(environment)).then(config)
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
    answers: Answers,
}

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
        Self { places, answers: Answers::new(environment) }
    }

    /// The first place that has a credential for the longest key.
    async fn find(&self, resource: &Resource) -> Result<Option<Credential>, Error> {
        let configs = self.read().await?;
        for key in resource.keys() {
            for config in &configs {
                for finding in config.look_up(key) {
                    let found = match finding {
                        Finding::Entry { credential, .. } => credential?,
                        Finding::Helper { name, server } => {
                            self.answers.ask(&name, &server).await?
                        }
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
