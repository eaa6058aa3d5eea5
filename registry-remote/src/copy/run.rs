//! Carries a plan out: blobs in parallel, then manifests wave by wave.

use std::{future::Future, sync::Arc};

use registry_name::Tag;
use tokio::task::{JoinError, JoinSet};

use super::{CopyEvent, CopyOptions, Plan, Report, watch::Watched};
use crate::{Descriptor, Error, Manifest, Sink, Source, Stored};

pub(super) async fn run(
    plan: Plan,
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    options: &CopyOptions,
) -> Result<Report, Error> {
    let Some(root) = plan.root().map(|root| root.descriptor().clone()) else {
        return Err(Error::Unsupported { what: "a plan without a root".to_owned() });
    };
    let mut report = Report { root, manifests: 0, written: 0, present: 0, mounted: 0, bytes: 0 };
    sink.begin(&plan).await?;
    let source = Watched::new(Arc::clone(source), options.events.clone());
    // The largest first: what starts last should be short.
    let mut blobs = plan.blobs().to_vec();
    blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
    let put = |blob: Descriptor| {
        let (source, sink) = (Arc::clone(&source), Arc::clone(sink));
        async move { sink.put_blob(&blob, &source).await.map(|stored| (blob, stored)) }
    };
    for_each(blobs, options.jobs, put, |(blob, stored)| {
        report.count(stored, blob.size);
        options.tell(|| CopyEvent::Blob { blob, stored });
    })
    .await?;
    for wave in plan.waves() {
        let put = |manifest: Manifest| {
            let (source, sink) = (Arc::clone(&source), Arc::clone(sink));
            let is_root = *manifest.digest() == report.root.digest;
            let tag = plan.tag().filter(|_| is_root).cloned();
            async move {
                put_manifest(sink.as_ref(), &manifest, tag.as_ref(), &source).await?;
                Ok((manifest.descriptor().clone(), tag))
            }
        };
        let mut done = 0;
        for_each(wave, options.jobs, put, |(manifest, tag)| {
            done += 1;
            options.tell(|| CopyEvent::Manifest { manifest, tag });
        })
        .await?;
        report.manifests += done;
    }
    sink.finish().await?;
    Ok(report)
}

/// Once more, where the sink finds out only now that it misses a blob which it said it had.
async fn put_manifest(
    sink: &dyn Sink,
    manifest: &Manifest,
    tag: Option<&Tag>,
    source: &Arc<dyn Source>,
) -> Result<(), Error> {
    match sink.put_manifest(manifest, tag).await {
        Err(error) if error.is_blob_unknown() && sink.repair(manifest, source).await? => {
            sink.put_manifest(manifest, tag).await
        }
        result => result,
    }
}

/// Does `work` for each item, up to `jobs` at a time on as many cores, and `then` for each result.
/// The first error ends it, once what was still running has been ended and has cleaned up.
async fn for_each<T, R, F>(
    items: Vec<T>,
    jobs: usize,
    work: impl Fn(T) -> F,
    mut then: impl FnMut(R),
) -> Result<(), Error>
where
    F: Future<Output = Result<R, Error>> + Send + 'static,
    R: Send + 'static,
{
    let mut waiting = items.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < jobs.max(1)
            && let Some(item) = waiting.next()
        {
            running.spawn(work(item));
        }
        let Some(joined) = running.join_next().await else { return Ok(()) };
        match joined.unwrap_or_else(broken) {
            Ok(result) => then(result),
            Err(error) => {
                running.shutdown().await;
                return Err(error);
            }
        }
    }
}

fn broken<R>(task: JoinError) -> Result<R, Error> {
    match task.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::Unsupported { what: "the copy was cancelled".to_owned() }),
    }
}

impl Report {
    fn count(&mut self, stored: Stored, bytes: u64) {
        match stored {
            Stored::Written => {
                self.written += 1;
                self.bytes = self.bytes.saturating_add(bytes);
            }
            Stored::Present => self.present += 1,
            Stored::Mounted => self.mounted += 1,
        }
    }
}
