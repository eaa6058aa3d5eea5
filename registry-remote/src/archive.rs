//! Images in one file: tar archives, as `docker save` and the OCI image layout shape them.

mod agree;
mod docker;
mod entries;
mod headers;
mod shape;
mod source;
mod writer;

use std::{fmt, path::Path};

pub use self::{source::ArchiveSource, writer::ArchiveWriter};
use crate::local::names::INDEX;

/// How an archive is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArchiveKind {
    /// An OCI image layout in a tar file.
    Oci,
    /// What `docker save` writes and `docker load` reads: a `manifest.json`, with an OCI image
    /// layout beside it in what current versions write.
    Docker,
}

impl ArchiveKind {
    /// Which kind a tar file is of, by the names in it; `None` if it is neither.
    ///
    /// ```
    /// # use registry_remote::ArchiveKind;
    /// assert_eq!(ArchiveKind::detect(["index.json", "oci-layout"]), Some(ArchiveKind::Oci));
    /// assert_eq!(ArchiveKind::detect(["index.json", "manifest.json"]), Some(ArchiveKind::Docker));
    /// assert_eq!(ArchiveKind::detect(["etc/passwd"]), None);
    /// ```
    pub fn detect<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut found = None;
        for name in names {
            match name {
                MANIFEST => return Some(Self::Docker),
                INDEX => found = Some(Self::Oci),
                _ => {}
            }
        }
        found
    }

    /// The prefix that names a place of this kind: `oci-archive`, `docker-archive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oci => "oci-archive",
            Self::Docker => "docker-archive",
        }
    }

    fn location(self, path: &Path) -> String {
        format!("{self}:{}", path.display())
    }
}

impl fmt::Display for ArchiveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const MANIFEST: &str = "manifest.json";
const REPOSITORIES: &str = "repositories";
