//! What registries turned out to do or not to do, for as long as the process lives.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use registry_name::{Registry, Repository};

/// One registry's habits.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Learnt {
    /// A blob in the very request that begins an upload: taken, ignored, or not tried yet.
    pub(crate) single_post: Option<bool>,
    /// It answers an upload that names another repository to mount from with an error.
    pub(crate) no_mount: bool,
    /// It answers the question whether it has a blob, a mount from the target itself, with an error.
    pub(crate) no_question: bool,
    /// It looks for a blob to mount in all its repositories where none is named.
    pub(crate) finds_mounts: bool,
    /// Repositories that it does not let these credentials mount from.
    pub(crate) no_mount_from: BTreeSet<Repository>,
    /// It answers `HEAD` of a manifest with an error, or with less than is needed.
    pub(crate) no_head: bool,
    /// It sends a manifest whole although it is the one that the request knows of.
    pub(crate) no_condition: bool,
    /// It sets several tags in one request: yes, no, or not tried yet.
    pub(crate) many_tags: Option<bool>,
    /// It keeps referrers itself: yes, no, or not tried yet.
    pub(crate) keeps_referrers: Option<bool>,
    /// A body of this many bytes was too large for it, or was cut again and again.
    pub(crate) too_large: Option<u64>,
    /// It takes a blob in pieces: yes, no, or not tried yet.
    pub(crate) chunks: Option<bool>,
    /// The least size of a piece that it asks for, bytes.
    pub(crate) chunk_min: u64,
}

impl Learnt {
    /// A body of `size` bytes did not get through.
    pub(crate) fn refuse(&mut self, size: u64) {
        self.too_large = Some(self.too_large.map_or(size, |known| known.min(size)));
    }
}

/// The habits of every registry that was met.
#[derive(Debug, Default)]
pub(crate) struct Lessons(Mutex<HashMap<Registry, Learnt>>);

impl Lessons {
    pub(crate) fn of(&self, registry: &Registry) -> Learnt {
        let lessons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.get(registry).cloned().unwrap_or_default()
    }

    pub(crate) fn learn(&self, registry: &Registry, lesson: impl FnOnce(&mut Learnt)) {
        let mut lessons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lesson(lessons.entry(registry.clone()).or_default());
    }
}
