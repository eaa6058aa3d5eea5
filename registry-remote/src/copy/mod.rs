//! Pull, push and copy: one algorithm over a [`Source`] and a [`Sink`]. Plan, then run.
//!
//! [`copy()`] does both for one image. [`plan()`] takes any number of images, and what it returns
//! can be looked at before, or instead of, [`Plan::run`].

mod companions;
mod discover;
mod estimate;
mod event;
mod filter;
mod options;
mod parallel;
mod plan;
mod rate;
mod report;
mod run;
mod watch;

use std::sync::Arc;

use registry_name::{Identifier, Tag};

pub(crate) use self::event::Listener;
pub use self::{
    event::{CopyEvent, CopyListener},
    filter::{PatternError, TagFilter, TagPattern},
    options::{CopyOptions, DEFAULT_JOBS, Referring},
    plan::{Plan, Root},
    report::Report,
};
pub use crate::limits::Limits;
use crate::{Error, Sink, Source};

/// One image to copy: what names it in the source, and its tags in the sink. Without a tag it
/// goes by its digest alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is in the source.
    pub from: Identifier,
    /// What it will be called in the sink.
    pub tags: Vec<Tag>,
}

impl Wanted {
    /// What a tag names, under the same tag.
    pub fn tag(tag: &Tag) -> Self {
        Self { from: tag.clone().into(), tags: vec![tag.clone()] }
    }
}

/// Copies what `from` names in `source` to `sink`, under `tag` where one is given.
///
/// Nothing is visible under the tag before everything it needs is there. Whatever the sink has
/// already is not moved again; where it has the very manifest under the very tag, two requests at
/// the same time suffice.
///
/// # Errors
///
/// Whatever the two sides meet; [`Error::NoPlatform`] where the index does not offer a platform.
/// After an error the sink may hold blobs, and never a manifest that misses some, as far as its type
/// is known.
pub async fn copy(
    source: &Arc<dyn Source>,
    from: &Identifier,
    sink: &Arc<dyn Sink>,
    tag: Option<&Tag>,
    options: &CopyOptions,
) -> Result<Report, Error> {
    let wanted = Wanted { from: from.clone(), tags: tag.cloned().into_iter().collect() };
    plan(source, &[wanted], sink, options).await?.run(source, sink, options).await
}

/// Finds out what copying some images takes. Nothing is written.
///
/// Blobs and manifests that several images share are planned once, and what the sink has under
/// its tag, or by its digest, is left out.
///
/// ```
/// # use std::sync::Arc;
/// # use registry_remote::{CopyOptions, Memory, Sink, Source, copy};
/// # async fn all_releases(source: Arc<dyn Source>, sink: Arc<dyn Sink>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let options = CopyOptions::default();
/// let releases = copy::TagFilter { include: vec!["v*".parse()?], exclude: vec!["*-rc*".parse()?] };
/// let wanted = releases.choose(source.as_ref()).await?;
/// let plan = copy::plan(&source, &wanted, &sink, &options).await?;
/// println!("{} manifests, {} blobs, {} bytes at most",
///     plan.manifests().len(), plan.blobs().len(), plan.bytes());
/// let report = plan.run(&source, &sink, &options).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`copy()`]; [`Error::Limit`] where there is more to it than [`CopyOptions::limits`] lets in;
/// [`Error::Unsupported`] where nothing is asked for, or where the source cannot list what is to go
/// along.
pub async fn plan(
    source: &Arc<dyn Source>,
    wanted: &[Wanted],
    sink: &Arc<dyn Sink>,
    options: &CopyOptions,
) -> Result<Plan, Error> {
    let found = discover::discover(source, wanted, sink, options);
    let found = unless_cancelled(options, found).await.ok_or_else(cancelled)??;
    Plan::new(found, options.nondistributable)
}

/// What a future comes to; `None` where nobody wants to know any more.
async fn unless_cancelled<F: Future>(options: &CopyOptions, work: F) -> Option<F::Output> {
    match &options.cancellation {
        Some(cancellation) => cancellation.run_until_cancelled(work).await,
        None => Some(work.await),
    }
}

fn cancelled() -> Error {
    Error::Cancelled { what: "the copy".to_owned() }
}

#[cfg(test)]
mod tests;
