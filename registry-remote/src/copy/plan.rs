//! What a copy will do, as data: which blobs, which manifests, in which order.

use std::collections::{HashMap, HashSet};

use registry_name::{Digest, Tag};

use crate::{Descriptor, Error, Manifest, media_type};

/// Everything a copy will write: blobs in any order, then manifests in theirs.
#[derive(Clone, Debug)]
pub struct Plan {
    roots: Vec<Root>,
    nodes: Vec<Node>,
    blobs: Vec<Descriptor>,
    left_out: Vec<Descriptor>,
}

/// Something that was asked for, or that goes along with it, and what becomes of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Root {
    /// The manifest.
    pub descriptor: Descriptor,
    /// The digest by which the sink knows it: in a repository [`Manifest::name`], elsewhere that of the
    /// bytes.
    pub name: Digest,
    /// The tags that will point at it; that of a list of referrers may come to name a list with
    /// more in it, see [`Sink::put_manifest`](crate::Sink::put_manifest).
    pub tags: Vec<Tag>,
    /// The tags that point at it already.
    pub present: Vec<Tag>,
    /// The tags that name something else and stay, as [`CopyOptions::no_clobber`] asks.
    ///
    /// [`CopyOptions::no_clobber`]: super::CopyOptions::no_clobber
    pub skipped: Vec<Tag>,
    /// Whether it will be written.
    pub write: bool,
    /// Whether it goes along with what was asked for: a referrer, or what a digest tag names.
    pub companion: bool,
}

/// What was found by looking at both sides. What the sink has already has no node.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) roots: Vec<Root>,
    pub(super) nodes: HashMap<Digest, Node>,
    /// Manifests of foreign types, which no descriptor tells from blobs.
    pub(super) foreign: HashSet<Digest>,
}

/// A manifest to write.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) manifest: Manifest,
    /// Whether its blobs have to be written before it; otherwise all it lacks is a tag.
    pub(super) whole: bool,
}

impl Plan {
    /// Plans what was found.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where two descriptors give one digest two sizes: one of them lies.
    pub(super) fn new(found: Found, nondistributable: bool) -> Result<Self, Error> {
        super::discover::check_names(&found.roots)?;
        let Found { roots, nodes, foreign } = found;
        if roots.is_empty() {
            return Err(Error::Unsupported { what: "a copy of nothing".to_owned() });
        }
        let nodes = post_order(&roots, nodes);
        let mut sizes = HashMap::new();
        let mut planned = Vec::new();
        let (mut left_out, mut seen) = (Vec::new(), HashSet::new());
        // An entry of an index may be a blob too.
        for Node { manifest, .. } in nodes.iter().filter(|node| node.whole) {
            let is_blob =
                |child: &&Descriptor| !child.is_manifest() && !foreign.contains(&child.digest);
            for blob in manifest.children().filter(is_blob) {
                if !nondistributable && media_type::is_nondistributable(&blob.media_type) {
                    if seen.insert(&blob.digest) {
                        left_out.push(blob.clone());
                    }
                    continue;
                }
                match sizes.insert(blob.digest.clone(), blob.size) {
                    None => planned.push(blob.clone()),
                    Some(size) if size == blob.size => {}
                    Some(size) => return Err(two_sizes(manifest, blob, size)),
                }
            }
        }
        Ok(Self { roots, nodes, blobs: planned, left_out })
    }

    /// Everything that was asked for, in that order, then what goes along with it.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The blobs, each once, in the order of their first mention. The sink may turn out to have
    /// some of them; see [`Plan::missing`].
    pub fn blobs(&self) -> &[Descriptor] {
        &self.blobs
    }

    /// Layers that do not travel, since their registry declares them as not for redistribution, each
    /// once; see [`CopyOptions::nondistributable`](super::CopyOptions::nondistributable).
    pub fn left_out(&self) -> &[Descriptor] {
        &self.left_out
    }

    /// The manifests, each once, children before parents; what was asked for comes last.
    pub fn manifests(&self) -> impl ExactSizeIterator<Item = &Manifest> {
        self.nodes.iter().map(|node| &node.manifest)
    }

    /// What the copy is about; of several images, the first.
    pub fn root(&self) -> &Root {
        // A plan of nothing is refused.
        &self.roots[0]
    }

    /// The tags that a manifest will have.
    pub fn tags<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Tag> {
        let roots = self.roots.iter().filter(move |root| root.descriptor.digest == *digest);
        roots.flat_map(|root| &root.tags)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The size of the blobs together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// Whether the rest is of use without this manifest: it only goes along, nothing lists it, and its
    /// type is one that not every registry takes.
    pub(super) fn is_optional(&self, manifest: &Manifest) -> bool {
        let (digest, kind) = (manifest.digest(), manifest.media_type());
        let mut roots = self.roots.iter().filter(|root| root.descriptor.digest == *digest);
        let lists = |parent: &Manifest| parent.children().any(|child| child.digest == *digest);
        !media_type::is_image(kind)
            && !media_type::is_index(kind)
            && roots.all(|root| root.companion)
            && !self.manifests().any(lists)
    }

    pub(super) fn retain_blobs(&mut self, is_missing: impl Fn(&Digest) -> bool) {
        self.blobs.retain(|blob| is_missing(&blob.digest));
    }

    /// The manifests in waves: what is in one wave needs nothing but earlier ones. What was asked for
    /// comes after all that goes along with it, and in the last wave where nothing else needs it.
    pub(super) fn waves(&self) -> Vec<Vec<Manifest>> {
        let digests = |companion: bool| -> HashSet<&Digest> {
            let roots = self.roots.iter().filter(move |root| root.companion == companion);
            roots.map(|root| &root.descriptor.digest).collect()
        };
        let (companions, mut asked) = (digests(true), digests(false));
        let is_companion = |node: &Node| companions.contains(node.manifest.digest());
        // They and what they need are in front.
        let along = self.nodes.iter().rposition(is_companion).map_or(0, |last| last + 1);
        let mut heights: HashMap<&Digest, usize> = HashMap::new();
        let mut parents: HashSet<&Digest> = HashSet::new();
        let mut after_those = 0;
        for (n, manifest) in self.manifests().enumerate() {
            let below = manifest.children().filter_map(|child| heights.get(&child.digest));
            let mut height = below.max().map_or(0, |height| height + 1);
            if n < along {
                after_those = after_those.max(height + 1);
                asked.remove(manifest.digest());
            } else if asked.contains(manifest.digest()) {
                height = height.max(after_those);
            }
            heights.insert(manifest.digest(), height);
            parents.extend(manifest.children().map(|child| &child.digest));
        }
        let mut last = asked;
        last.retain(|digest| !parents.contains(digest));
        let mut waves: Vec<Vec<Manifest>> = Vec::new();
        waves.resize_with(heights.values().max().map_or(0, |height| height + 2), Vec::new);
        for manifest in self.manifests() {
            let end = waves.len() - 1;
            let wave =
                if last.contains(manifest.digest()) { end } else { heights[manifest.digest()] };
            waves[wave].push(manifest.clone());
        }
        waves.retain(|wave| !wave.is_empty());
        waves
    }
}

impl Root {
    pub(super) fn new(descriptor: Descriptor, companion: bool) -> Self {
        let (tags, present, skipped) = (Vec::new(), Vec::new(), Vec::new());
        let name = descriptor.digest.clone();
        Self { descriptor, name, tags, present, skipped, write: false, companion }
    }
}

fn two_sizes(manifest: &Manifest, blob: &Descriptor, size: u64) -> Error {
    Error::Manifest {
        what: format!("manifest {}", manifest.digest()),
        reason: format!("{} has {} bytes here and {size} elsewhere", blob.digest, blob.size),
    }
}

/// A true post-order: reversing a pre-order breaks where two indexes share a child. What was asked
/// for comes after what goes along with it.
fn post_order(roots: &[Root], mut nodes: HashMap<Digest, Node>) -> Vec<Node> {
    let mut ordered = Vec::with_capacity(nodes.len());
    let mut entered = HashSet::new();
    let (companions, asked): (Vec<_>, Vec<_>) = roots.iter().partition(|root| root.companion);
    for root in companions.into_iter().chain(asked) {
        let mut stack = vec![(root.descriptor.digest.clone(), false)];
        while let Some((digest, leaving)) = stack.pop() {
            if leaving {
                ordered.extend(nodes.remove(&digest));
            } else if !entered.contains(&digest)
                && let Some(node) = nodes.get(&digest)
            {
                let children: Vec<_> = node.manifest.children().collect();
                let below = children.into_iter().rev().map(|child| (child.digest.clone(), false));
                stack.push((digest.clone(), true));
                stack.extend(below);
                entered.insert(digest);
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests;
