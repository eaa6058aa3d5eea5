//! How a copy is done.

use std::{fmt, num::NonZeroU64};

use registry_transport::Cancellation;

use super::{CopyListener, Limits, event::Listener};
use crate::{Platform, limits, tuning};

/// How many blobs move at a time, unless somebody says otherwise.
pub const DEFAULT_JOBS: usize = tuning::JOBS;

/// How a copy is done. The default copies what is asked for, whole, and nothing beside it.
///
/// ```
/// use registry_remote::{CopyOptions, copy::Referring};
///
/// let mut options = CopyOptions::default();
/// options.referrers = Some(Referring::default()); // signatures, SBOMs, and their signatures
/// options.digest_tags = true;                     // …and those under tags like sha256-….sig
/// options.no_clobber = true;
/// options.rate = std::num::NonZeroU64::new(10 << 20); // 10 MiB a second, all blobs together
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Which entries of an index travel. None: the index as it is, whole. One: the image that
    /// it names. Several, or one with a `*`: an index of those entries, which has a digest of its own. An image that
    /// stands alone travels unless its configuration names another platform.
    pub platforms: Vec<Platform>,
    /// How many blobs, or manifests, move at a time; at least one.
    pub jobs: usize,
    /// Whether layers travel that their registry declares as not for redistribution. What the
    /// source's registry lacks is read from the URLs that its descriptor names; see
    /// [`Remote::with_foreign_layers`](crate::Remote::with_foreign_layers).
    pub nondistributable: bool,
    /// Which manifests go along because they refer to what is copied, through their `subject`.
    pub referrers: Option<Referring>,
    /// Whether what is tagged by a digest that is copied goes along: `sha256-….sig` and the like.
    pub digest_tags: bool,
    /// Whether a tag that names something else in the sink stays as it is.
    pub no_clobber: bool,
    /// How far to follow what strangers list.
    pub limits: Limits,
    /// Bytes of blobs a second that are read at most, by all jobs together.
    pub rate: Option<NonZeroU64>,
    /// Is told what happens.
    pub events: Option<CopyListener>,
    /// Ends the copy with [`Error::Cancelled`](crate::Error::Cancelled), after what was under way
    /// has cleaned up after itself. Dropping the future ends it too.
    pub cancellation: Option<Cancellation>,
}

/// Which referrers go along with their subject.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Referring {
    /// How far: 1 for what refers to the copied manifests, 2 for what refers to those, too.
    pub depth: usize,
    /// Of these artifact types only; of every type where none is named.
    pub artifact_types: Vec<String>,
}

impl CopyOptions {
    pub(super) fn listener(&self) -> Listener {
        Listener(self.events.clone())
    }

    /// Rounds of looking for what goes along.
    pub(super) fn rounds(&self) -> usize {
        let referrers = self.referrers.as_ref().map_or(0, |referring| referring.depth);
        referrers.max(usize::from(self.digest_tags))
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            platforms: Vec::new(),
            jobs: DEFAULT_JOBS,
            nondistributable: false,
            referrers: None,
            digest_tags: false,
            no_clobber: false,
            limits: Limits::default(),
            rate: None,
            events: None,
            cancellation: None,
        }
    }
}

impl Default for Referring {
    fn default() -> Self {
        Self { depth: limits::DEPTH, artifact_types: Vec::new() }
    }
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions")
            .field("platforms", &self.platforms)
            .field("jobs", &self.jobs)
            .field("nondistributable", &self.nondistributable)
            .field("referrers", &self.referrers)
            .field("digest_tags", &self.digest_tags)
            .field("no_clobber", &self.no_clobber)
            .field("limits", &self.limits)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}
