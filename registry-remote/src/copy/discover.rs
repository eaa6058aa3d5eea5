//! Which manifests a copy is about: the roots that were asked for, what goes along with them, and
//! all that they lead to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future;
use registry_name::{Digest, Identifier, Tag};

use super::{
    CopyOptions, Wanted,
    companions::Companions,
    parallel::in_order,
    plan::{Found, Node, Root},
};
use crate::{
    Descriptor, Error, Manifest, Platform, Sink, Source, limits::Allowance, media_type, referrer,
    select, store::named_manifest,
};

/// Looks at both sides, and reads every manifest that has to be written.
pub(super) async fn discover(
    source: &Arc<dyn Source>,
    wanted: &[Wanted],
    sink: &Arc<dyn Sink>,
    options: &CopyOptions,
) -> Result<Found, Error> {
    let allowance = &Allowance::new(source.as_ref(), options.limits, wanted.len());
    let ends = Ends { source, sink, options, allowance };
    let mut walk =
        Walk { ends, found: Found::default(), seen: HashSet::new(), asked: HashSet::new() };
    let looks = in_order(wanted.to_vec(), options.jobs, |wanted| look(ends, wanted, false));
    let mut subjects = walk.add(looks.await?).await?;
    let mut companions = Companions::new(ends);
    for _ in 0..options.rounds() {
        if subjects.is_empty() {
            break;
        }
        let looks = companions.of(subjects).await?;
        subjects = walk.add(looks).await?;
    }
    Ok(walk.found)
}

/// Both sides of a copy, how it is done, and how much of the source it may read yet.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) source: &'a Arc<dyn Source>,
    pub(super) sink: &'a Arc<dyn Sink>,
    pub(super) options: &'a CopyOptions,
    pub(super) allowance: &'a Allowance,
}

/// A root, seen from both sides.
pub(super) struct Look {
    pub(super) root: Root,
    pub(super) manifest: Manifest,
    /// The sink has this manifest, and so all that it needs.
    pub(super) present: bool,
}

/// Asks the source for an image and the sink for its tags, at the same time.
pub(super) async fn look(ends: Ends<'_>, wanted: Wanted, companion: bool) -> Result<Look, Error> {
    let Ends { source, sink, options, .. } = ends;
    let platforms = if companion { &[][..] } else { &options.platforms };
    let named = root(ends, &wanted.from, platforms);
    let tags = wanted.tags.iter().map(|tag| Identifier::Tag(tag.clone()));
    let there = future::try_join_all(tags.map(|tag| async move { sink.resolve(&tag).await }));
    // What the source says matters more, where both sides fail.
    let (named, there) = future::join(named, there).await;
    let (manifest, is_stored) = named?;
    let there = there?;
    let digest = manifest.digest();
    let name = if sink.repository().is_some() { manifest.name() } else { digest };
    let by_digest = wanted.tags.is_empty();
    let is_home = is_stored && is_same_repository(source.as_ref(), sink.as_ref());
    let there: Vec<_> = there
        .into_iter()
        .map(|there| {
            there.map(|there| if manifest.is_named(&there) { digest.clone() } else { there })
        })
        .collect();
    let present = match there.contains(&Some(digest.clone())) {
        false if by_digest => sink.resolve(&name.clone().into()).await?.as_ref() == Some(name),
        known => known || is_home,
    };
    let mut root = Root::new(manifest.descriptor().clone(), companion);
    root.name = name.clone();
    for (tag, there) in wanted.tags.into_iter().zip(there) {
        match there {
            Some(there) if there == *digest => root.present.push(tag),
            Some(_) if options.no_clobber => root.skipped.push(tag),
            _ => root.tags.push(tag),
        }
    }
    root.write = if by_digest { !present } else { !root.tags.is_empty() };
    Ok(Look { root, manifest, present })
}

/// What `identifier` names, narrowed to the platforms that were asked for; and whether the source
/// holds it, rather than it having been made here.
async fn root(
    ends: Ends<'_>,
    identifier: &Identifier,
    platforms: &[Platform],
) -> Result<(Manifest, bool), Error> {
    let Ends { source, allowance, .. } = ends;
    let named = named_manifest(source.as_ref(), identifier).await?;
    allowance.read(named.descriptor().size)?;
    // A list of referrers names no platform.
    let is_list = identifier.tag().is_some_and(|tag| referrer::is_list(tag, &named));
    let platforms = if is_list { &[][..] } else { platforms };
    if named.is_schema1() && platforms.is_empty() {
        return Ok((sized(source.as_ref(), named).await?, true));
    }
    let of_image = |error| match error {
        Error::NoPlatform { wanted, offered, .. } => {
            let image = Some(format!("{identifier} of {}", source.location()));
            Error::NoPlatform { wanted, offered, image }
        }
        other => other,
    };
    match platforms {
        [] => Ok((named, true)),
        [one] if !one.is_wildcard() => {
            let image = select::image_within(source.as_ref(), named, one, allowance).await;
            Ok((image.map_err(of_image)?, true))
        }
        several => {
            let digest = named.digest().clone();
            let narrowed = select::entries(source.as_ref(), named, several, allowance).await;
            let narrowed = narrowed.map_err(of_image)?;
            let is_stored = *narrowed.digest() == digest;
            Ok((narrowed, is_stored))
        }
    }
}

fn is_same_repository(source: &dyn Source, sink: &dyn Sink) -> bool {
    source.repository().is_some() && source.repository() == sink.repository()
}

struct Walk<'a> {
    ends: Ends<'a>,
    found: Found,
    seen: HashSet<Digest>,
    asked: HashSet<Digest>,
}

/// What some manifests lead to.
#[derive(Default)]
struct Level {
    manifests: Vec<Below>,
    /// Entries of an index whose type does not tell a manifest from a blob.
    others: Vec<Below>,
}

/// Something below a root.
struct Below {
    descriptor: Descriptor,
    /// Known to be in the sink, since a parent is.
    present: bool,
}

impl Walk<'_> {
    /// Adds roots and what is below them; says which manifests these are.
    async fn add(&mut self, looks: Vec<Look>) -> Result<Vec<Digest>, Error> {
        let mut subjects = Vec::new();
        let mut new = Vec::new();
        for look in looks {
            // What stays as it is in the sink brings nothing along.
            let goes_on = look.root.write || look.present;
            if goes_on && self.seen.insert(look.manifest.digest().clone()) {
                subjects.push(look.manifest.digest().clone());
                new.push((look.manifest.clone(), look.present));
            }
            self.found.add(look);
        }
        for depth in 1.. {
            let Level { manifests, others } = self.below(&new)?;
            if manifests.is_empty() && others.is_empty() {
                break;
            }
            let ends = self.ends;
            ends.allowance.level(depth)?;
            let asked = in_order(others, ends.options.jobs, |below| foreign(ends, below));
            let foreign: Vec<_> = asked.await?.into_iter().flatten().collect();
            subjects.extend(manifests.iter().map(|below| below.descriptor.digest.clone()));
            for (manifest, _) in &foreign {
                if self.seen.insert(manifest.digest().clone()) {
                    subjects.push(manifest.digest().clone());
                }
                self.found.foreign.insert(manifest.digest().clone());
            }
            let read = in_order(manifests, ends.options.jobs, |below| read(ends, below));
            new = read.await?.into_iter().flatten().chain(foreign).collect();
            for (manifest, present) in &new {
                if !present {
                    self.found.insert(Node { manifest: manifest.clone(), whole: true });
                }
            }
        }
        Ok(subjects)
    }

    /// What these lead to and was not met yet. Of one that is in the sink it matters only where
    /// something may refer to it.
    fn below(&mut self, parents: &[(Manifest, bool)]) -> Result<Level, Error> {
        let mut level = Level::default();
        for (manifest, present) in parents {
            if *present && self.ends.options.rounds() == 0 {
                continue;
            }
            let below = |child: &Descriptor| Below { descriptor: child.clone(), present: *present };
            let before = level.manifests.len();
            let manifests = manifest.children().filter(|child| child.is_manifest());
            let new = manifests.filter(|child| self.seen.insert(child.digest.clone()));
            level.manifests.extend(new.map(below));
            self.ends.allowance.count(level.manifests.len() - before)?;
            let before = level.others.len();
            let others = manifest.manifests().iter().filter(|entry| select::may_be_foreign(entry));
            let new = others.filter(|entry| self.asked.insert(entry.digest.clone()));
            level.others.extend(new.map(below));
            self.ends.allowance.count(level.others.len() - before)?;
        }
        Ok(level)
    }
}

/// Reads a manifest that has to be written, or whose children have to be known.
async fn read(ends: Ends<'_>, below: Below) -> Result<Option<(Manifest, bool)>, Error> {
    let Below { descriptor, present } = below;
    let identifier = Identifier::Digest(descriptor.digest.clone());
    let present = present || ends.sink.resolve(&identifier).await?.is_some();
    let searching = ends.options.rounds() > 0;
    let is_index = media_type::is_index(&descriptor.media_type);
    if present && !(searching && is_index) {
        return Ok(None);
    }
    ends.allowance.read(descriptor.size)?;
    Ok(Some((child(ends.source.as_ref(), &descriptor).await?, present)))
}

/// What a descriptor names, under the name that it has there, with the sizes of its blobs.
pub(super) async fn child(source: &dyn Source, descriptor: &Descriptor) -> Result<Manifest, Error> {
    let manifest = select::child(source, descriptor).await?;
    sized(source, manifest.with_name(descriptor.digest.clone())).await
}

/// What turns out to be a manifest, although its type does not say so.
async fn foreign(ends: Ends<'_>, entry: Below) -> Result<Option<(Manifest, bool)>, Error> {
    let Below { descriptor, present } = entry;
    let found = select::foreign(ends.source.as_ref(), &descriptor, ends.allowance).await?;
    let Some(manifest) = found else { return Ok(None) };
    let identifier = Identifier::Digest(descriptor.digest);
    let present = present || ends.sink.resolve(&identifier).await?.is_some();
    Ok(Some((manifest, present)))
}

/// Docker's schema 1 does not say how long its blobs are; the source does.
async fn sized(source: &dyn Source, manifest: Manifest) -> Result<Manifest, Error> {
    let mut blobs = Vec::new();
    for digest in manifest.fs_layers() {
        let size = source.describe_blob(digest).await?.size;
        blobs.push(Descriptor::new(media_type::DOCKER_LAYER, digest.clone(), size));
    }
    Ok(if blobs.is_empty() { manifest } else { manifest.with_blobs(blobs) })
}

impl Found {
    fn add(&mut self, look: Look) {
        if look.root.write {
            self.insert(Node { manifest: look.manifest, whole: !look.present });
        }
        self.roots.push(look.root);
    }

    /// What one look found to be in the sink is so for all.
    fn insert(&mut self, node: Node) {
        let whole = node.whole;
        let entry = self.nodes.entry(node.manifest.digest().clone()).or_insert(node);
        entry.whole &= whole;
    }
}

/// The tags that a copy is about to write, to find one that is meant twice.
pub(super) fn check_names(roots: &[Root]) -> Result<(), Error> {
    let mut named: HashMap<&Tag, &Digest> = HashMap::new();
    for root in roots {
        for tag in &root.tags {
            let digest = &root.descriptor.digest;
            if named.insert(tag, digest).is_some_and(|other| other != digest) {
                let what = format!("two different images cannot both become {tag}");
                return Err(Error::Unsupported { what });
            }
        }
    }
    Ok(())
}
