//! Pull, push and copy: one algorithm over a [`Source`] and a [`Sink`]. Plan, then run.

mod discover;
mod plan;
mod run;
mod watch;

use std::{fmt, sync::Arc};

use registry_name::{Digest, Identifier, Tag};

pub use self::plan::Plan;
use crate::{Descriptor, Error, Manifest, Platform, Sink, Source, Stored};

/// How a copy is done.
#[derive(Clone)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Which entries of an index travel. None: the index as it is, whole. One: the image that
    /// it names. Several: an index of those entries, which has a digest of its own. An image that
    /// stands alone travels unless its configuration names another platform.
    pub platforms: Vec<Platform>,
    /// How many blobs move at a time; at least one.
    pub jobs: usize,
    /// Whether layers travel that their registry declares as not for redistribution.
    pub nondistributable: bool,
    /// Is told what happens.
    pub events: Option<CopyListener>,
}

/// Is called with each event, on whatever task meets it: it must not block.
pub type CopyListener = Arc<dyn Fn(&CopyEvent) + Send + Sync>;

/// What happens during a copy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CopyEvent {
    /// Everything to do is known.
    Planned {
        /// Blobs that will be asked for.
        blobs: usize,
        /// Their size together, in bytes.
        bytes: u64,
        /// Manifests that will be written.
        manifests: usize,
    },
    /// A blob is read from `offset` on: from 0 at first, from elsewhere after an interruption.
    Reading {
        /// Which blob.
        blob: Digest,
        /// From which byte on.
        offset: u64,
    },
    /// Some bytes of a blob were read.
    Moved {
        /// Which blob.
        blob: Digest,
        /// How many bytes since the last such event.
        bytes: u64,
    },
    /// A blob is in the sink.
    Blob {
        /// Which.
        blob: Descriptor,
        /// How it came there.
        stored: Stored,
    },
    /// A manifest is in the sink.
    Manifest {
        /// Which.
        manifest: Descriptor,
        /// The tag that points at it now.
        tag: Option<Tag>,
    },
}

/// What a copy did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What arrived.
    pub root: Descriptor,
    /// Manifests written; none where everything was there.
    pub manifests: usize,
    /// Blobs whose bytes moved.
    pub written: usize,
    /// Blobs that were there already.
    pub present: usize,
    /// Blobs that the registry took from another of its repositories.
    pub mounted: usize,
    /// Size of the blobs whose bytes moved.
    pub bytes: u64,
}

/// Copies what `from` names in `source` to `sink`, under `tag` where one is given.
///
/// Nothing is visible under the tag before everything it needs is there. Whatever the sink has
/// already is not moved again; where it has the very manifest under the very tag, two requests
/// suffice.
///
/// # Errors
///
/// Whatever the two sides meet; [`Error::NoPlatform`] where the index does not offer a platform.
/// After an error the sink may hold blobs, and never a manifest that misses some.
pub async fn copy(
    source: &Arc<dyn Source>,
    from: &Identifier,
    sink: &Arc<dyn Sink>,
    tag: Option<&Tag>,
    options: &CopyOptions,
) -> Result<Report, Error> {
    let root = discover::root(source, from, &options.platforms).await?;
    if is_there(sink.as_ref(), &root, tag).await? {
        options.tell(|| CopyEvent::Planned { blobs: 0, bytes: 0, manifests: 0 });
        return Ok(Report::unchanged(&root));
    }
    let graph = discover::graph(source, sink, root, options).await?;
    let plan = Plan::new(graph, tag.cloned(), options.nondistributable)?;
    options.tell(|| CopyEvent::Planned {
        blobs: plan.blobs().len(),
        bytes: plan.bytes(),
        manifests: plan.manifests().len(),
    });
    run::run(plan, source, sink, options).await
}

async fn is_there(sink: &dyn Sink, root: &Manifest, tag: Option<&Tag>) -> Result<bool, Error> {
    let identifier = match tag {
        Some(tag) => Identifier::Tag(tag.clone()),
        None => Identifier::Digest(root.digest().clone()),
    };
    Ok(sink.resolve(&identifier).await?.as_ref() == Some(root.digest()))
}

impl CopyOptions {
    fn tell(&self, event: impl FnOnce() -> CopyEvent) {
        if let Some(events) = &self.events {
            events(&event());
        }
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { platforms: Vec::new(), jobs: 4, nondistributable: false, events: None }
    }
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions")
            .field("platforms", &self.platforms)
            .field("jobs", &self.jobs)
            .field("nondistributable", &self.nondistributable)
            .finish_non_exhaustive()
    }
}

impl Report {
    fn unchanged(root: &Manifest) -> Self {
        let root = root.descriptor().clone();
        Self { root, manifests: 0, written: 0, present: 0, mounted: 0, bytes: 0 }
    }
}
