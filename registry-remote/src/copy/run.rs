//! Carries a plan out: blobs in parallel, then manifests wave by wave.

use std::{future::Future, sync::Arc};

use registry_name::Tag;
use tokio::task::{JoinError, JoinSet};

use super::{
    CopyEvent, CopyOptions, Plan, Report, cancelled, discover::child, unless_cancelled,
    watch::Watched,
};
use crate::{Descriptor, Error, Manifest, Sink, Source, limits::Allowance, select};

impl Plan {
    /// Does what is planned.
    ///
    /// # Errors
    ///
    /// Whatever the two sides meet. After an error the sink may hold blobs, and never a manifest
    /// that misses some, as far as its type is known; the same is so where the future is dropped.
    pub async fn run(
        self,
        source: &Arc<dyn Source>,
        sink: &Arc<dyn Sink>,
        options: &CopyOptions,
    ) -> Result<Report, Error> {
        let events = options.listener();
        events.tell(|| CopyEvent::Planned {
            blobs: self.blobs().len(),
            bytes: self.bytes(),
            manifests: self.manifests().len(),
        });
        for root in self.roots() {
            for tag in root.skipped.iter().cloned() {
                events.tell(|| CopyEvent::Skipped { tag, digest: root.descriptor.digest.clone() });
            }
        }
        for blob in self.left_out().iter().cloned() {
            events.tell(|| CopyEvent::LeftOut { blob });
        }
        let root =
            Descriptor { digest: self.root().name.clone(), ..self.root().descriptor.clone() };
        let mut report = Report::new(root, self.roots().to_vec());
        if self.is_empty() {
            return Ok(report);
        }
        let foreign = options.nondistributable.then(|| source.with_foreign_layers()).flatten();
        let source = Watched::new(foreign.as_ref().unwrap_or(source), options);
        match self.put(&source, sink, options, &mut report).await {
            Ok(()) => Ok(report),
            Err(error) => {
                sink.abandon().await;
                Err(error)
            }
        }
    }

    async fn put(
        &self,
        source: &Arc<dyn Source>,
        sink: &Arc<dyn Sink>,
        options: &CopyOptions,
        report: &mut Report,
    ) -> Result<(), Error> {
        sink.begin(self).await?;
        self.put_blobs(source, sink, options, report).await?;
        self.put_manifests(source, sink, options, report).await?;
        sink.finish().await
    }

    async fn put_blobs(
        &self,
        source: &Arc<dyn Source>,
        sink: &Arc<dyn Sink>,
        options: &CopyOptions,
        report: &mut Report,
    ) -> Result<(), Error> {
        let events = options.listener();
        // The largest first: what starts last should be short.
        let mut blobs = self.blobs().to_vec();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        for blob in &blobs {
            events.tell(|| CopyEvent::Queued { blob: blob.clone() });
        }
        let put = |blob: Descriptor| {
            let (source, sink, events) = (Arc::clone(source), Arc::clone(sink), events.clone());
            async move {
                events.tell(|| CopyEvent::Started { blob: blob.clone() });
                sink.put_blob(&blob, &source).await.map(|stored| (blob, stored))
            }
        };
        for_each(blobs, options, put, |(blob, stored)| {
            report.count(stored, blob.size);
            events.tell(|| CopyEvent::Blob { blob, stored });
        })
        .await
    }

    async fn put_manifests(
        &self,
        source: &Arc<dyn Source>,
        sink: &Arc<dyn Sink>,
        options: &CopyOptions,
        report: &mut Report,
    ) -> Result<(), Error> {
        let events = options.listener();
        let roots = self.roots().len();
        let allowance = Arc::new(Allowance::new(source.as_ref(), options.limits, roots));
        for wave in self.waves() {
            let put = |manifest: Manifest| {
                let (source, sink) = (Arc::clone(source), Arc::clone(sink));
                let allowance = Arc::clone(&allowance);
                let tags: Vec<_> = self.tags(manifest.digest()).cloned().collect();
                let is_optional = self.is_optional(&manifest);
                async move {
                    let ends = Ends { source: &source, sink: sink.as_ref(), allowance: &allowance };
                    let descriptor = manifest.descriptor().clone();
                    match ends.put_manifest(&manifest, &tags, 0).await {
                        Ok(()) => Ok((descriptor, Some(tags))),
                        Err(error) if is_optional && error.is_manifest_refused() => {
                            tracing::info!(manifest = %descriptor.digest, %error, "left out");
                            Ok((descriptor, None))
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            for_each(wave, options, put, |(manifest, tags)| {
                let Some(tags) = tags else { return report.refuse(manifest) };
                report.manifests += 1;
                events.tell(|| CopyEvent::Manifest { manifest, tags });
            })
            .await?;
        }
        Ok(())
    }
}

/// Both sides of a copy, and how much of the source may be read again.
#[derive(Clone, Copy)]
struct Ends<'a> {
    source: &'a Arc<dyn Source>,
    sink: &'a dyn Sink,
    allowance: &'a Allowance,
}

impl Ends<'_> {
    /// Once more, where the sink finds out only now that it misses something which it said it had.
    async fn put_manifest(
        self,
        manifest: &Manifest,
        tags: &[Tag],
        level: usize,
    ) -> Result<(), Error> {
        match self.sink.put_manifest(manifest, tags).await {
            Err(error) if error.is_blob_unknown() && self.repair(manifest, level).await? => {
                self.sink.put_manifest(manifest, tags).await
            }
            result => result,
        }
    }

    /// Brings what a manifest needs, whatever was said of it before: its blobs, and the manifests
    /// below it.
    async fn repair(self, manifest: &Manifest, level: usize) -> Result<bool, Error> {
        if !self.sink.repair(manifest, self.source).await? {
            return Ok(false);
        }
        for descriptor in manifest.children().filter(|child| child.is_manifest()) {
            self.allowance.level(level + 1)?;
            self.allowance.count(1)?;
            self.allowance.read(descriptor.size)?;
            let child = child(self.source.as_ref(), descriptor).await?;
            Box::pin(self.put_manifest(&child, &[], level + 1)).await?;
        }
        for entry in manifest.manifests().iter().filter(|entry| select::may_be_foreign(entry)) {
            self.allowance.count(1)?;
            let found = select::foreign(self.source.as_ref(), entry, self.allowance).await?;
            if let Some(child) = found {
                self.allowance.level(level + 1)?;
                Box::pin(self.put_manifest(&child, &[], level + 1)).await?;
            }
        }
        Ok(true)
    }
}

/// Does `work` for each item, up to `jobs` at a time on as many cores, and `then` for each result.
/// The first error ends it, once what was still running has been ended and has cleaned up.
async fn for_each<T, R, F>(
    items: Vec<T>,
    options: &CopyOptions,
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
        while running.len() < options.jobs.max(1)
            && let Some(item) = waiting.next()
        {
            running.spawn(work(item));
        }
        let Some(next) = unless_cancelled(options, running.join_next()).await else {
            running.shutdown().await;
            return Err(cancelled());
        };
        let Some(joined) = next else { return Ok(()) };
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
        Err(_) => Err(cancelled()),
    }
}
