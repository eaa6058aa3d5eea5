//! Who may do what.

use std::time::Duration;

mod guard;
mod rights;
mod scope;
mod token;
mod users;

pub(crate) use guard::{Caller, Guard};
pub use rights::{Rights, UnknownRight};
pub(crate) use scope::Scope;
pub(crate) use token::TokenRequest;
pub use users::Users;

/// How clients prove who they are. Without any, everybody may do everything.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// Everybody may do everything.
    #[default]
    Anonymous,
    /// Name and password with every request (RFC 7617).
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
/// A token is good for the scopes that were asked for, as far as the user's [`Rights`] go, and no
/// others.
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

/// Why an htpasswd file cannot be used. It repeats nothing from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdError {
    /// A line without a colon.
    #[error("line {line} is not of the form name:hash")]
    Shape {
        /// Counted from 1.
        line: usize,
    },
    /// A hash that is not bcrypt's, or a password in plain text.
    #[error("the hash on line {line} is not one of bcrypt; `htpasswd -B` makes those")]
    Hash {
        /// Counted from 1.
        line: usize,
    },
}
