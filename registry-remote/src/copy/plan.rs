//! What a copy will do, as data: which blobs, which manifests, in which order.

use std::collections::{HashMap, HashSet};

use registry_name::{Digest, Tag};

use crate::{Descriptor, Error, Manifest, media_type};

/// Everything a copy will write: blobs in any order, then manifests in theirs.
#[derive(Clone, Debug)]
pub struct Plan {
    manifests: Vec<Manifest>,
    blobs: Vec<Descriptor>,
    tag: Option<Tag>,
}

/// The manifests that a root leads to. What the sink has already is not among them.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) root: Digest,
    pub(super) manifests: HashMap<Digest, Manifest>,
}

impl Plan {
    /// Plans what a graph needs.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where two descriptors give one digest two sizes: one of them lies.
    pub(super) fn new(
        graph: Graph,
        tag: Option<Tag>,
        nondistributable: bool,
    ) -> Result<Self, Error> {
        let manifests = post_order(graph);
        let mut sizes = HashMap::new();
        let mut planned = Vec::new();
        for manifest in &manifests {
            for blob in blobs(manifest, nondistributable) {
                match sizes.insert(blob.digest.clone(), blob.size) {
                    None => planned.push(blob.clone()),
                    Some(size) if size == blob.size => {}
                    Some(size) => return Err(two_sizes(manifest, blob, size)),
                }
            }
        }
        Ok(Self { manifests, blobs: planned, tag })
    }

    /// The blobs, each once, in the order of their first mention.
    pub fn blobs(&self) -> &[Descriptor] {
        &self.blobs
    }

    /// The manifests, each once, children before parents; the root is the last.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// What the copy is about.
    pub fn root(&self) -> Option<&Manifest> {
        self.manifests.last()
    }

    /// The tag that the root will have.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The size of the blobs together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// The manifests in waves: what is in one wave needs nothing but earlier ones.
    pub(super) fn waves(&self) -> Vec<Vec<Manifest>> {
        let mut heights: HashMap<&Digest, usize> = HashMap::new();
        let mut waves: Vec<Vec<Manifest>> = Vec::new();
        for manifest in &self.manifests {
            let below = manifest.children().filter_map(|child| heights.get(&child.digest));
            let height = below.max().map_or(0, |height| height + 1);
            heights.insert(manifest.digest(), height);
            if waves.len() <= height {
                waves.resize_with(height + 1, Vec::new);
            }
            waves[height].push(manifest.clone());
        }
        waves
    }
}

/// The children that are no manifests, so travel as blobs. An entry of an index may be one too.
fn blobs(manifest: &Manifest, nondistributable: bool) -> impl Iterator<Item = &Descriptor> {
    manifest.children().filter(move |child| {
        let may_travel = nondistributable || !media_type::is_nondistributable(&child.media_type);
        !child.is_manifest() && may_travel
    })
}

fn two_sizes(manifest: &Manifest, blob: &Descriptor, size: u64) -> Error {
    Error::Manifest {
        what: format!("manifest {}", manifest.digest()),
        reason: format!("{} has {} bytes here and {size} elsewhere", blob.digest, blob.size),
    }
}

/// A true post-order: reversing a pre-order breaks where two indexes share a child.
fn post_order(mut graph: Graph) -> Vec<Manifest> {
    let mut ordered = Vec::with_capacity(graph.manifests.len());
    let mut entered = HashSet::new();
    let mut stack = vec![(graph.root, false)];
    while let Some((digest, leaving)) = stack.pop() {
        if leaving {
            ordered.extend(graph.manifests.remove(&digest));
        } else if entered.insert(digest.clone())
            && let Some(manifest) = graph.manifests.get(&digest)
        {
            stack.push((digest, true));
            let children: Vec<_> = manifest.children().collect();
            stack.extend(children.into_iter().rev().map(|child| (child.digest.clone(), false)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests;
