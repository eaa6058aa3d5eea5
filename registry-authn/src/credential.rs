//! What proves who is asking.

use async_trait::async_trait;

use crate::error::Error;
use crate::keychain::Authenticator;
use crate::secret::Secret;

/// The user name that says "the password is an identity token" in helpers and config files.
const TOKEN_USER: &str = "<token>";

/// What proves to a registry who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing: ask as anybody.
    Anonymous,
    /// A user name and a password, for the registry or its token service.
    Basic {
        /// The user name.
        username: String,
        /// The password, or an access token that takes its place.
        password: Secret,
    },
    /// An OAuth2 refresh token, which the registry's token service exchanges for an access token.
    IdentityToken(Secret),
    /// A bearer token for the registry itself, sent as it is.
    RegistryToken(Secret),
}

impl Credential {
    /// A user name and a password. The user `<token>`, as credential helpers use it, makes the password
    /// an identity token.
    pub fn basic(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        let (username, password) = (username.into(), password.into());
        if username == TOKEN_USER {
            Self::IdentityToken(password)
        } else {
            Self::Basic { username, password }
        }
    }

    /// Whether this is nothing.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }
}

#[async_trait]
impl Authenticator for Credential {
    async fn credential(&self) -> Result<Credential, Error> {
        Ok(self.clone())
    }
}
