//! Google's registries.

mod gcloud;
mod key_file;
mod timestamp;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;
use crate::secret::Secret;

/// The user of an access token (Artifact Registry documentation, "Access token").
const TOKEN_USER: &str = "oauth2accesstoken";

/// Variables that hold an access token: that of Terraform's provider for Google, and that of gcloud.
const TOKEN_VARIABLES: [&str; 2] = ["GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"];

/// A token that ends sooner than this is asked for again.
const MARGIN: Duration = Duration::from_secs(60);

/// What this machine has for Google's registries: `gcr.io`, `*.gcr.io` and `*.pkg.dev`.
///
/// The first of these that is there:
///
/// 1. an access token in `GOOGLE_OAUTH_ACCESS_TOKEN` or `CLOUDSDK_AUTH_ACCESS_TOKEN`;
/// 2. the key of a service account in the file that `GOOGLE_APPLICATION_CREDENTIALS` names, as JSON or as that
///    in base64; a file of another kind needs HTTP requests, and is passed over;
/// 3. the access token of `gcloud config config-helper`, where `gcloud` is on `PATH` (on Windows it is a batch
///    file, which is not run). It is used until a minute before it expires.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    environment: Environment,
    /// What gcloud said. Locked while it runs: the others wait for the same answer.
    token: Mutex<Option<Token>>,
}

/// An access token, and when to ask for another one.
struct Token {
    credential: Credential,
    until: SystemTime,
}

impl Google {
    /// What there is in this environment.
    pub fn new(environment: &Environment) -> Self {
        Self(Arc::new(Inner { environment: environment.clone(), token: Mutex::default() }))
    }

    async fn find(&self) -> Result<Option<Credential>, Error> {
        let environment = &self.0.environment;
        if let Some(token) = TOKEN_VARIABLES.iter().find_map(|name| environment.get(name)?.to_str())
        {
            return Ok(Some(Credential::basic(TOKEN_USER, token)));
        }
        if let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
            && let Some(credential) = key_file::read(path.into()).await?
        {
            return Ok(Some(credential));
        }
        self.gcloud().await
    }

    async fn gcloud(&self) -> Result<Option<Credential>, Error> {
        let clock = self.0.environment.time();
        let mut token = self.0.token.lock().await;
        if let Some(token) = &*token
            && clock.now() < token.until
        {
            return Ok(Some(token.credential.clone()));
        }
        let Some(answer) = gcloud::ask(&self.0.environment).await? else { return Ok(None) };
        let credential = Credential::basic(TOKEN_USER, answer.token);
        let now = clock.now();
        let until = answer.expiry.map_or(now.checked_add(MARGIN), |at| at.checked_sub(MARGIN));
        *token = Some(Token { credential: credential.clone(), until: until.unwrap_or(now) });
        Ok(Some(credential))
    }
}

/// A port makes it another registry, which Google does not run.
fn is_google(host: &str) -> bool {
    host == "gcr.io" || host.ends_with(".gcr.io") || host.ends_with(".pkg.dev")
}

#[async_trait]
impl Keychain for Google {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        if !is_google(resource.registry().as_str()) {
            return Ok(None);
        }
        Ok(self.find().await?.map(|_| Arc::new(Asking(self.clone())) as Arc<dyn Authenticator>))
    }
}

/// Looks again each time; what expires is renewed.
#[derive(Debug)]
struct Asking(Google);

#[async_trait]
impl Authenticator for Asking {
    async fn credential(&self) -> Result<Credential, Error> {
        Ok(self.0.find().await?.unwrap_or(Credential::Anonymous))
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("environment", &self.0.environment).finish_non_exhaustive()
    }
}
