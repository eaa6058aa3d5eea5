//! What is where below the root. Only validated types become part of a path.

use std::path::{Path, PathBuf};

use registry_name::{Digest, Tag};

use crate::name::Name;
use crate::store::UploadId;

#[derive(Debug)]
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn shared(&self, digest: &Digest) -> PathBuf {
        below(&self.blobs(), digest)
    }

    pub(super) fn repository(&self, name: &Name) -> PathBuf {
        self.repositories().join(name.as_str())
    }

    pub(super) fn blob(&self, name: &Name, digest: &Digest) -> PathBuf {
        below(&self.repository(name).join("_blobs"), digest)
    }

    pub(super) fn manifest(&self, name: &Name, digest: &Digest) -> PathBuf {
        below(&self.repository(name).join("_manifests"), digest)
    }

    pub(super) fn media_type(&self, name: &Name, digest: &Digest) -> PathBuf {
        below(&self.repository(name).join("_types"), digest)
    }

    pub(super) fn referrers(&self, name: &Name, subject: &Digest) -> PathBuf {
        below(&self.repository(name).join("_referrers"), subject)
    }

    pub(super) fn tag(&self, name: &Name, tag: &Tag) -> PathBuf {
        self.repository(name).join("_tags").join(tag.as_str())
    }

    pub(super) fn upload(&self, name: &Name, id: &UploadId) -> PathBuf {
        self.repository(name).join("_uploads").join(id.as_str())
    }

    pub(super) fn lock(&self, name: &Name) -> PathBuf {
        self.repository(name).join("_lock")
    }
}

/// A digest as one file name.
pub(super) fn flat(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().as_str(), digest.hex())
}

/// The digest that [`flat`] wrote.
pub(super) fn unflat(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str()?.replacen('-', ":", 1).parse().ok()
}

fn below(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join(digest.algorithm().as_str()).join(digest.hex())
}
