//! Registries of clouds that have a credential helper of their own.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::answers::Answers;
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::helper::Helper;
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;

/// Amazon ECR through its helper `docker-credential-ecr-login`, where that is on `PATH`.
///
/// For `<account>.dkr.ecr.<region>.amazonaws.com`, the same with `ecr-fips` or under `amazonaws.com.cn`, and
/// `public.ecr.aws`. The helper's answer is used for a minute.
#[derive(Clone, Debug)]
pub struct Ecr(Cloud);

/// Azure Container Registry through its helper `docker-credential-acr-env`, where that is on `PATH`.
///
/// For `<name>.azurecr.io`, `.azurecr.cn` and `.azurecr.us`. The helper's answer is used for a minute.
#[derive(Clone, Debug)]
pub struct Acr(Cloud);

impl Ecr {
    /// The helper is looked for and run in this environment.
    pub fn new(environment: &Environment) -> Self {
        Self(Cloud::new("ecr-login", is_ecr, environment))
    }
}

impl Acr {
    /// The helper is looked for and run in this environment.
    pub fn new(environment: &Environment) -> Self {
        Self(Cloud::new("acr-env", is_acr, environment))
    }
}

fn is_ecr(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        ["public", "ecr", "aws"] => true,
        [account, "dkr", "ecr" | "ecr-fips", _, "amazonaws", "com"]
        | [account, "dkr", "ecr" | "ecr-fips", _, "amazonaws", "com", "cn"] => {
            account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_acr(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    matches!(labels.as_slice(), [_, "azurecr", "io" | "cn" | "us"])
}

/// One helper, for the hosts that are its own.
#[derive(Clone)]
struct Cloud {
    helper: &'static str,
    /// A port makes it another registry, which the cloud does not run.
    is_mine: fn(&str) -> bool,
    answers: Arc<Answers>,
}

impl Cloud {
    fn new(helper: &'static str, is_mine: fn(&str) -> bool, environment: &Environment) -> Self {
        Self { helper, is_mine, answers: Arc::new(Answers::new(environment)) }
    }

    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let host = resource.registry().to_string();
        if !(self.is_mine)(&host)
            || !Helper::new(self.helper, self.answers.environment())?.is_installed()
        {
            return Ok(None);
        }
        let asking = Asking { cloud: self.clone(), host };
        Ok(asking.ask().await?.map(|_| Arc::new(asking) as Arc<dyn Authenticator>))
    }
}

/// Asks the helper each time, which says the same for a minute.
#[derive(Debug)]
struct Asking {
    cloud: Cloud,
    host: String,
}

impl Asking {
    async fn ask(&self) -> Result<Option<Credential>, Error> {
        self.cloud.answers.ask(self.cloud.helper, &self.host).await
    }
}

#[async_trait]
impl Authenticator for Asking {
    async fn credential(&self) -> Result<Credential, Error> {
        Ok(self.ask().await?.unwrap_or(Credential::Anonymous))
    }
}

#[async_trait]
impl Keychain for Ecr {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        self.0.resolve(resource).await
    }
}

#[async_trait]
impl Keychain for Acr {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        self.0.resolve(resource).await
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("helper", &self.helper).finish_non_exhaustive()
    }
}
