//! Where tokens and challenges outlive a process.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use registry_authn::{Credential, Secret};
use registry_name::Registry;

use super::{Held, Key};
use crate::challenge::Challenge;
use crate::clock::Clock;

/// Keeps tokens and challenges. It never fails: what cannot be kept is not kept.
#[async_trait]
pub(crate) trait Shelf: fmt::Debug + Send + Sync {
    /// What a registry wanted to see last time.
    async fn challenge(&self, registry: &Registry, now: SystemTime) -> Option<Challenge>;

    /// Keeps what a registry wants to see.
    async fn learn(&self, registry: &Registry, challenge: &Challenge, now: SystemTime);

    /// A token of the same source whose scopes include those of `key`, as old as it is.
    async fn find(&self, key: &Key, credential: &Credential, clock: &dyn Clock) -> Option<Held>;

    /// Keeps a token that was received just now.
    async fn keep(&self, key: &Key, credential: &Credential, token: &Held, now: SystemTime);

    /// Forgets exactly this token.
    async fn forget(&self, refused: &Secret, now: SystemTime);
}
