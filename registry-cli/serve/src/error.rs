//! Why a registry does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a registry does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not free, or not one of this machine.
    #[error("cannot listen on {address}; choose another address, or port 0 for any free port")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The directory cannot be created or used.
    #[error("cannot keep a registry in {}", path.display())]
    Storage {
        /// What was asked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
