//! Why a registry does not start, or cannot do what its owner asks.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a registry does not start, or cannot do what its owner asks.
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
    /// A certificate or a key cannot be used.
    #[error("cannot use the certificate or key in {}", path.display())]
    Certificate {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Certificate and key do not make an HTTPS server: they do not belong together, or a name that
    /// a certificate was to be made for is not one.
    #[error(
        "cannot serve HTTPS with this certificate; check its names, and that the key is its own"
    )]
    Https {
        /// What is wrong with it.
        source: io::Error,
    },
    /// Garbage could not be collected; what was removed before that stays removed.
    #[error("cannot remove all blobs without a manifest; the log says why")]
    Garbage,
    /// The text of a warning has characters that do not fit into a header, or too many.
    #[error("a warning is at most 256 printable ASCII characters")]
    Warning,
}
