//! How a run ended, as a number for the shell.

use std::process::ExitCode;

use registry_remote::ErrorKind;

/// How a run ended. The numbers are part of the interface and stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Anything that has no number of its own.
    Other = 1,
    /// The command line, a reference or a place is malformed.
    Usage = 2,
    /// The image, the tag, the repository or the platform does not exist.
    NotFound = 3,
    /// The registry refused the credentials, or asked for some.
    Denied = 4,
    /// The registry asked for more patience than `--max-wait` allows.
    RateLimited = 5,
    /// Bytes are not what their digest or size promised.
    Integrity = 6,
    /// No usable answer came.
    Network = 7,
    /// The disk, a file, a layout or an archive of this machine.
    Local = 8,
    /// The state of the registry forbids it.
    Conflict = 9,
    /// Ctrl-C.
    Interrupted = 130,
    /// A request to terminate (SIGTERM).
    Terminated = 143,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::RateLimited => Self::RateLimited,
            ErrorKind::Integrity => Self::Integrity,
            ErrorKind::Network => Self::Network,
            ErrorKind::Local => Self::Local,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Cancelled => Self::Interrupted,
            _ => Self::Other,
        }
    }
}
