//! `registry version`

use std::fmt;

use serde::Serialize;

use crate::{failure::Failure, session::Session};

/// Print the version
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    session.no_platform()?;
    session.answer(&Version { name: "registry", version: env!("CARGO_PKG_VERSION") })
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}
