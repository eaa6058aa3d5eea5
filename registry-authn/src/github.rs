//! GitHub's container registry, from a workflow's variables.

use std::sync::Arc;

use async_trait::async_trait;

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;
use crate::secret::Secret;

/// The token of a GitHub workflow, for `ghcr.io`: `GITHUB_TOKEN`, with the user of `GITHUB_ACTOR`.
///
/// The registry does not look at the user's name, but wants one; where it is not known, it is `unset`.
#[derive(Clone, Debug)]
pub struct GitHub(Option<Credential>);

impl GitHub {
    /// The token of this environment, if it has one.
    pub fn new(environment: &Environment) -> Self {
        let text = |name| Some(environment.get(name)?.to_str()?.to_owned());
        Self(text("GITHUB_TOKEN").map(|token| Credential::Basic {
            username: text("GITHUB_ACTOR").unwrap_or_else(|| "unset".to_owned()),
            password: Secret::new(token),
        }))
    }
}

#[async_trait]
impl Keychain for GitHub {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let credential = self.0.clone().filter(|_| resource.registry().as_str() == "ghcr.io");
        Ok(credential.map(|credential| Arc::new(credential) as Arc<dyn Authenticator>))
    }
}
