//! `registry serve`

use std::{fmt, net::SocketAddr, path::PathBuf};

use registry_serve::Registry;
use serde::Serialize;

use crate::{failure::Failure, session::Session};

/// Run a registry on this machine
///
/// Prints its address, and serves until Ctrl-C. It is open to everybody who can reach it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep everything in this directory; in memory without it
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,

    /// Where to listen; port 0 is any free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
    address: SocketAddr,
}

#[derive(Debug, Serialize)]
struct Serving {
    url: String,
    host: String,
}

impl Arguments {
    pub(crate) async fn run(
        self,
        session: &Session,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        session.no_platform()?;
        let mut registry = Registry::builder().address(self.address);
        if let Some(directory) = self.disk {
            registry = registry.disk(directory);
        }
        let running = registry.spawn().await.map_err(|error| Failure::Local(error.into()))?;
        if !self.address.ip().is_loopback() {
            session.note("warning: everybody who can reach this address can push and delete");
        }
        session.answer(&Serving { url: running.url(), host: running.host() })?;
        stop.await;
        running.shutdown().await;
        Ok(())
    }
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
