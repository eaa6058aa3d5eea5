//! Who may do what.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

mod guard;
mod scope;
mod token;

pub(crate) use guard::{Caller, Guard};
pub(crate) use scope::Scope;
pub(crate) use token::TokenRequest;

/// How clients prove who they are. Without any, everybody may do everything.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// Everybody may do everything.
    #[default]
    Anonymous,
    /// Name and password with every request (RFC 7617). Every user may do everything.
    Basic(Users),
    /// Tokens (RFC 6750) from the registry's own endpoint at `/token`.
    Bearer(Bearer),
}

impl Access {
    /// [`Access::Basic`] for these users: `[("name", "password")]`.
    pub fn basic<N: Into<String>, P: AsRef<str>>(users: impl IntoIterator<Item = (N, P)>) -> Self {
        Self::Basic(users.into_iter().collect())
    }

    /// [`Access::Bearer`] for these users, with tokens that last five minutes.
    pub fn bearer<N: Into<String>, P: AsRef<str>>(users: impl IntoIterator<Item = (N, P)>) -> Self {
        Self::Bearer(Bearer::new(users.into_iter().collect()))
    }
}

impl From<Bearer> for Access {
    fn from(bearer: Bearer) -> Self {
        Self::Bearer(bearer)
    }
}

/// The settings of token access.
///
/// A token is good for the scopes that were asked for, and no others. With user name and password
/// every scope is granted.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub(crate) users: Users,
    pub(crate) expiry: Duration,
    pub(crate) anonymous_pull: bool,
}

impl Bearer {
    /// Tokens for these users.
    pub fn new(users: Users) -> Self {
        Self { users, expiry: Duration::from_secs(300), anonymous_pull: false }
    }

    /// How long a token is good for. The token endpoint announces it in whole seconds.
    #[must_use]
    pub fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Whether a client without credentials gets tokens to pull with. Off by default.
    #[must_use]
    pub fn anonymous_pull(mut self, allowed: bool) -> Self {
        self.anonymous_pull = allowed;
        self
    }
}

/// Names and passwords. Passwords are kept as hashes, and compared in constant time.
#[derive(Clone, Default)]
pub struct Users(Vec<User>);

#[derive(Clone)]
struct User {
    name: String,
    password: [u8; 32],
}

impl Users {
    /// Whether there is a user with this name and this password.
    pub(crate) fn verify(&self, name: &str, password: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(password).into();
        // Every user is looked at, so the time tells neither who exists nor how close a guess is.
        self.0.iter().fold(false, |found, user| {
            let difference = user.password.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
            found | ((user.name == name) & (std::hint::black_box(difference) == 0))
        })
    }
}

impl<N: Into<String>, P: AsRef<str>> FromIterator<(N, P)> for Users {
    fn from_iter<I: IntoIterator<Item = (N, P)>>(users: I) -> Self {
        let hashed = users.into_iter().map(|(name, password)| User {
            name: name.into(),
            password: Sha256::digest(password.as_ref()).into(),
        });
        Self(hashed.collect())
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|user| &user.name)).finish()
    }
}
