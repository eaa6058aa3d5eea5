#![doc = include_str!("../README.md")]

mod answers;
mod clock;
mod cloud;
mod config;
mod credential;
mod environment;
mod error;
mod file;
mod github;
mod google;
pub mod helper;
mod keychain;
mod process;
mod refreshing;
mod resource;
mod scope;
mod secret;
mod variables;

pub use cloud::{Acr, Ecr};
pub use config::{DockerConfig, Kept, Logins, PullSecrets, default_keychain, default_keychain_in};
pub use credential::Credential;
pub use environment::Environment;
pub use error::{Error, ErrorKind};
pub use github::GitHub;
pub use google::Google;
pub use keychain::{Anonymous, Authenticator, Chain, Fixed, Keychain};
pub use refreshing::Refreshing;
pub use resource::Resource;
pub use scope::{Scope, ScopeError, Scopes};
pub use secret::Secret;
pub use variables::Variables;

/// Why a lookup has the answer that it has.
pub mod explain {
    pub use crate::config::explain_default as default_keychain_in;
    pub use crate::config::{Candidate, Explanation, LookedAt, Outcome, State};
}
