//! Credentials in variables that are named after the registry.

use std::sync::Arc;

use async_trait::async_trait;
use registry_name::Registry;

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;

/// User and password in `REGISTRY_USERNAME_<HOST>` and `REGISTRY_PASSWORD_<HOST>`.
///
/// `<HOST>` is the registry's name in upper case, with `_` for a dot, `__` for a dash and `___` for the colon
/// before the port. No two registries have the same variables.
///
/// | registry | variables |
/// |---|---|
/// | `ghcr.io` | `REGISTRY_USERNAME_GHCR_IO`, `REGISTRY_PASSWORD_GHCR_IO` |
/// | `docker.io`, in all its spellings | `REGISTRY_USERNAME_DOCKER_IO`, … |
/// | `my-registry.example` | `REGISTRY_USERNAME_MY__REGISTRY_EXAMPLE`, … |
/// | `localhost:5000` | `REGISTRY_USERNAME_LOCALHOST___5000`, … |
///
/// A registry that is named by an IPv6 address has none. The user `<token>` makes the password an identity
/// token. One of the two variables without the other is an error; empty ones count as not set.
#[derive(Clone, Debug)]
pub struct Variables(Environment);

impl Variables {
    /// The variables of this environment.
    pub fn new(environment: &Environment) -> Self {
        Self(environment.clone())
    }

    /// The names of the variables for user and password; `None` for an IPv6 address.
    pub fn names(registry: &Registry) -> Option<(String, String)> {
        let host = encoded(registry.as_str())?;
        Some((format!("REGISTRY_USERNAME_{host}"), format!("REGISTRY_PASSWORD_{host}")))
    }

    pub(crate) fn find(&self, registry: &Registry) -> Result<Option<Credential>, Error> {
        let Some((username, password)) = Self::names(registry) else { return Ok(None) };
        match (self.text(&username)?, self.text(&password)?) {
            (None, None) => Ok(None),
            (Some(user), Some(password)) => Ok(Some(Credential::basic(user, password))),
            (Some(_), None) => Err(broken(&username, format!("is set without ${password}"))),
            (None, Some(_)) => Err(broken(&password, format!("is set without ${username}"))),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        value.to_str().map(Some).ok_or_else(|| broken(name, "is not UTF-8".to_owned()))
    }
}

/// Between the letters and digits of a host, dots stand alone, dashes in rows and a colon once: one
/// underscore, an even number of them, and three. So every name is decoded in one way.
fn encoded(host: &str) -> Option<String> {
    let mut name = String::with_capacity(host.len() + 8);
    for c in host.chars() {
        match c {
            '.' => name.push('_'),
            '-' => name.push_str("__"),
            ':' => name.push_str("___"),
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_uppercase()),
            _ => return None,
        }
    }
    Some(name)
}

fn broken(name: &str, what: String) -> Error {
    Error::new(ErrorKind::Entry, format!("${name}"), what)
        .with_hint("set both the user's name and the password, or neither")
}

#[async_trait]
impl Keychain for Variables {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let found = self.find(&resource.registry())?;
        Ok(found.map(|credential| Arc::new(credential) as Arc<dyn Authenticator>))
    }
}
