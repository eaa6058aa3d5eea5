//! `registry logout HOST`

use std::fmt;

use registry_name::Registry;
use serde::Serialize;

use crate::{failure::Failure, realms::Realms, session::Session};

/// Log out of a registry
///
/// Forgets its password, which token endpoints were allowed with it, and all cached tokens.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which registry
    host: Registry,
}

#[derive(Debug, Serialize)]
struct LoggedOut {
    registry: Registry,
    /// Whether there was anything to forget.
    known: bool,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let registry = self.host;
        let removed = session.logins()?.remove(&registry.clone().into()).await;
        // Whatever became of the password, its tokens go.
        if let Some(cache) = session.token_cache() {
            cache.wipe().map_err(|error| Failure::file("remove", cache.path(), error))?;
        }
        let known = removed.map_err(Failure::Credentials)?;
        Realms::of(session.environment()).forget(&registry)?;
        session.answer(&LoggedOut { registry, known })
    }
}

impl fmt::Display for LoggedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.known { "logged out of" } else { "nobody was logged in to" };
        write!(f, "{what} {}", self.registry)
    }
}
