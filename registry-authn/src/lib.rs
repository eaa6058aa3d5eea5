#![doc = include_str!("../README.md")]

mod config;
mod credential;
mod environment;
mod error;
mod github;
pub mod helper;
mod keychain;
mod refreshing;
mod resource;
mod scope;
mod secret;

pub use config::{DockerConfig, Kept, Logins, default_keychain, default_keychain_in};
pub use credential::Credential;
pub use environment::Environment;
pub use error::{Error, ErrorKind};
pub use github::GitHub;
pub use keychain::{Anonymous, Authenticator, Chain, Fixed, Keychain};
pub use refreshing::Refreshing;
pub use resource::Resource;
pub use scope::{Scope, ScopeError, Scopes};
pub use secret::Secret;

/// Why a lookup has the answer that it has: the data of [`DockerConfig::explain`].
pub mod explain {
    pub use crate::config::{Candidate, Explanation, LookedAt, Outcome, State};
}
