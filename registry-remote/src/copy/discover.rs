//! Which manifests a copy is about: the root that was asked for, and all that it leads to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use registry_name::{Digest, Identifier};

use super::{CopyOptions, plan::Graph};
use crate::{Descriptor, Error, Manifest, Platform, Sink, Source, select};

/// Manifests of one copy, at most.
const MAX_MANIFESTS: usize = 10_000;

/// What `identifier` names, narrowed to the platforms that were asked for.
pub(super) async fn root(
    source: &Arc<dyn Source>,
    identifier: &Identifier,
    platforms: &[Platform],
) -> Result<Manifest, Error> {
    let named = source.manifest(identifier).await?;
    match platforms {
        [] => Ok(named),
        [one] => select::image(source.as_ref(), named, one).await,
        several => select::entries(source.as_ref(), named, several).await,
    }
}

/// Reads the manifests below `root`, level by level, and leaves out what the sink has.
pub(super) async fn graph(
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    root: Manifest,
    options: &CopyOptions,
) -> Result<Graph, Error> {
    let digest = root.digest().clone();
    let mut seen = HashSet::from([digest.clone()]);
    let mut level = child_manifests(&root, &mut seen);
    let mut manifests = HashMap::from([(digest.clone(), root)]);
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        if depth == select::MAX_DEPTH {
            return Err(limit("the nesting of indexes", select::MAX_DEPTH));
        }
        if seen.len() > MAX_MANIFESTS {
            return Err(limit("the number of manifests", MAX_MANIFESTS));
        }
        let mut next = Vec::new();
        for manifest in read_level(source, sink, level, options.jobs).await? {
            next.extend(child_manifests(&manifest, &mut seen));
            manifests.insert(manifest.digest().clone(), manifest);
        }
        level = next;
    }
    Ok(Graph { root: digest, manifests })
}

/// The manifests of one level that the sink lacks, a few at a time.
async fn read_level(
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    level: Vec<Descriptor>,
    jobs: usize,
) -> Result<Vec<Manifest>, Error> {
    let mut waiting = level.into_iter();
    let mut running = FuturesUnordered::new();
    let mut found = Vec::new();
    loop {
        while running.len() < jobs.max(1)
            && let Some(descriptor) = waiting.next()
        {
            running.push(read_one(Arc::clone(source), Arc::clone(sink), descriptor));
        }
        match running.next().await {
            Some(manifest) => found.extend(manifest?),
            None => return Ok(found),
        }
    }
}

async fn read_one(
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    descriptor: Descriptor,
) -> Result<Option<Manifest>, Error> {
    let identifier = Identifier::Digest(descriptor.digest.clone());
    if sink.resolve(&identifier).await?.is_some() {
        return Ok(None);
    }
    select::child(source.as_ref(), &descriptor).await.map(Some)
}

fn child_manifests(manifest: &Manifest, seen: &mut HashSet<Digest>) -> Vec<Descriptor> {
    let children = manifest.children().filter(|child| child.is_manifest());
    children.filter(|child| seen.insert(child.digest.clone())).cloned().collect()
}

fn limit(what: &str, limit: usize) -> Error {
    Error::Limit { what: what.to_owned(), limit: limit.to_string() }
}
