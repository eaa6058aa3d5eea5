//! What can go wrong, and of which kind it is.

use std::{fmt, io, path::PathBuf};

use registry_name::{Digest, Tag};
use registry_transport::ErrorCode;

use crate::Platform;

/// A failed operation: what was attempted, on what, and what came of it.
///
/// `Display` is one level; the causes are in [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry, or the way to it, failed.
    #[error("cannot {attempt}")]
    Registry {
        /// What was attempted, on what: "pull the manifest of ghcr.io/a/b:v1".
        attempt: String,
        /// What the transport met.
        #[source]
        source: registry_transport::Error,
    },
    /// Bytes are not what their descriptor promised.
    #[error("{what} is not what its descriptor says: {mismatch}")]
    Integrity {
        /// What was read, and from where.
        what: String,
        /// What differs.
        mismatch: Mismatch,
    },
    /// A store does not hold what was asked for.
    #[error("{location} has no {what}")]
    NotFound {
        /// The store: a layout, an archive, a repository.
        location: String,
        /// "tag v1", "blob sha256:…".
        what: String,
    },
    /// A store does not hold a manifest: an index may have been stored with some of its platforms
    /// only.
    #[error(
        "{location} has no manifest {digest}; an index may be stored with some of its platforms only"
    )]
    NoManifest {
        /// The store: a layout, an archive.
        location: String,
        /// The manifest.
        digest: Digest,
    },
    /// A manifest that cannot be understood, or that contradicts itself.
    #[error("{what} is not a usable manifest: {reason}")]
    Manifest {
        /// Which manifest.
        what: String,
        /// Why not.
        reason: String,
    },
    /// No entry of an index is for the platform that was asked for.
    #[error("no image for platform {wanted}; {}{}", offers(.offered), within(.image.as_deref()))]
    NoPlatform {
        /// What was asked for.
        wanted: Box<Platform>,
        /// What the index offers.
        offered: Vec<Platform>,
        /// Which image of which place it is, in a copy, which may be of many.
        image: Option<String>,
    },
    /// A request that this store, this registry or this program does not offer.
    #[error("{what}")]
    Unsupported {
        /// What cannot be done, why, and what can be done instead.
        what: String,
    },
    /// A registry that keeps tags and manifests together cannot delete one tag alone.
    #[error("{registry} does not delete single tags: {tag} still names {digest}{}", too(.also))]
    TagDelete {
        /// The registry that refused.
        registry: String,
        /// The tag that stays.
        tag: Tag,
        /// The manifest it names.
        digest: Digest,
        /// The other tags of the repository that name the same manifest.
        also: Vec<Tag>,
    },
    /// The answer to our own write of a tag was lost, and somebody else wrote it meanwhile: theirs
    /// is not overwritten.
    #[error("cannot tell whether {name} was written: it names {} now", named(.found.as_ref()))]
    TagConflict {
        /// The tag: "ghcr.io/a/b:v1".
        name: String,
        /// What was written, or was to be.
        ours: Digest,
        /// What the tag names now.
        found: Option<Digest>,
        /// How our own write failed.
        #[source]
        source: registry_transport::Error,
    },
    /// The disk, a file or a directory of this machine.
    #[error("cannot {action} {}", .path.display())]
    Local {
        /// "create", "write", "rename".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A layout or an archive that is broken.
    #[error("{} is not a usable {what}: {reason}", .path.display())]
    Store {
        /// "OCI layout", "image archive".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller wanted no more of it.
    #[error("{what} was cancelled")]
    Cancelled {
        /// What ended.
        what: String,
    },
    /// A limit that keeps hostile content from costing more than it may.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What grew.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
}

/// How bytes differ from their descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// Another content.
    Digest {
        /// The descriptor's.
        expected: Digest,
        /// Of the bytes that came.
        actual: Digest,
    },
    /// Fewer or more bytes.
    Size {
        /// The descriptor's, in bytes.
        expected: u64,
        /// What came, in bytes; where reading stopped for being too long, at least this.
        actual: u64,
    },
    /// Another length was announced, and nothing was read of what that answer brings: it says nothing
    /// of bytes that came before.
    Announced {
        /// The descriptor's, in bytes.
        expected: u64,
        /// What was announced, in bytes.
        announced: u64,
    },
    /// Something that cannot be uncompressed: why.
    Encoding(String),
}

/// What a program decides on: its exit code, or whether to try elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing does not exist, here or there.
    NotFound,
    /// The registry refused these credentials, or asked for some.
    Denied,
    /// The registry asked for patience, more than the policy allows.
    RateLimited,
    /// Bytes are not what their descriptor promised.
    Integrity,
    /// No usable answer came.
    Network,
    /// The disk, a file, a layout or an archive of this machine.
    Local,
    /// The state of the registry forbids it: a tag that changed, or that is immutable.
    Conflict,
    /// The caller wanted no more of it.
    Cancelled,
    /// Everything else.
    Other,
}

impl Error {
    /// Which kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        use registry_transport::ErrorKind as Transport;
        match self {
            Self::Registry { source, .. } => match source.kind() {
                Transport::NotFound => ErrorKind::NotFound,
                Transport::Unauthorized
                | Transport::NoChallenge
                | Transport::TokenRefused
                | Transport::Denied
                | Transport::Credential => ErrorKind::Denied,
                Transport::RateLimited => ErrorKind::RateLimited,
                Transport::Conflict => ErrorKind::Conflict,
                Transport::Cancelled => ErrorKind::Cancelled,
                Transport::Network
                | Transport::Tls
                | Transport::Protocol
                | Transport::Timeout
                | Transport::TooSlow
                | Transport::Interrupted
                | Transport::Unavailable => ErrorKind::Network,
                _ => ErrorKind::Other,
            },
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            Self::Integrity { .. } => ErrorKind::Integrity,
            Self::NotFound { .. } | Self::NoManifest { .. } | Self::NoPlatform { .. } => {
                ErrorKind::NotFound
            }
            Self::Local { .. } | Self::Store { .. } => ErrorKind::Local,
            Self::TagDelete { .. } | Self::TagConflict { .. } => ErrorKind::Conflict,
            Self::Manifest { .. } | Self::Unsupported { .. } | Self::Limit { .. } => {
                ErrorKind::Other
            }
        }
    }

    /// Whether an answer was refused unread. Whatever came before is as good as it was.
    pub(crate) fn is_announced(&self) -> bool {
        matches!(self, Self::Integrity { mismatch, .. } if mismatch.is_announced())
    }

    /// Whether a registry refused a manifest because it misses a part of it.
    pub(crate) fn is_blob_unknown(&self) -> bool {
        let Self::Registry { source, .. } = self else { return false };
        let codes = source.diagnostics().iter().map(|diagnostic| &diagnostic.code);
        codes.into_iter().any(|code| *code == ErrorCode::ManifestBlobUnknown)
    }

    /// Whether a registry does not take a manifest for what it is.
    pub(crate) fn is_manifest_refused(&self) -> bool {
        let Self::Registry { source, .. } = self else { return false };
        let is_about_it =
            |code: &ErrorCode| matches!(code, ErrorCode::ManifestInvalid | ErrorCode::Unsupported);
        source.status().is_some_and(|status| status.as_u16() == 415)
            || source.diagnostics().iter().any(|diagnostic| is_about_it(&diagnostic.code))
    }

    /// Shapes an [`io::Error`] of this machine: `.map_err(Error::local("create", &path))`.
    pub(crate) fn local(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { action, path, source }
    }

    /// Shapes a transport error: `.map_err(Error::registry(|| format!("pull {x}")))`.
    pub(crate) fn registry(
        attempt: impl FnOnce() -> String,
    ) -> impl FnOnce(registry_transport::Error) -> Self {
        move |source| Self::Registry { attempt: attempt(), source }
    }
}

impl Mismatch {
    pub(crate) fn is_announced(&self) -> bool {
        matches!(self, Self::Announced { .. })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { expected, actual } => write!(f, "expected {expected}, got {actual}"),
            Self::Size { expected, actual } => {
                write!(f, "expected {expected} bytes, got {actual}")
            }
            Self::Announced { expected, announced } => {
                write!(f, "expected {expected} bytes, and {announced} were announced")
            }
            Self::Encoding(reason) => write!(f, "it cannot be uncompressed ({reason})"),
        }
    }
}

fn within(image: Option<&str>) -> String {
    image.map_or_else(String::new, |image| format!(" ({image})"))
}

fn offers(offered: &[Platform]) -> String {
    if offered.is_empty() {
        return "the index names no platform at all".to_owned();
    }
    let list: Vec<_> = offered.iter().map(ToString::to_string).collect();
    format!("offered: {}", list.join(", "))
}

fn named(found: Option<&Digest>) -> String {
    found.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn too(tags: &[Tag]) -> String {
    let list: Vec<_> = tags.iter().map(Tag::as_str).collect();
    match list.as_slice() {
        [] => String::new(),
        [one] => format!(", and so does {one}"),
        several => format!(", and so do {}", several.join(", ")),
    }
}
