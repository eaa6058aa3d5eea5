//! From an index to what is wanted of it.

use std::collections::{HashSet, VecDeque};

use registry_name::Identifier;
use serde_json::value::RawValue;

use crate::{
    Descriptor, Error, ErrorKind, Manifest, Mismatch, Platform, Source,
    image::{Config, MAX_CONFIG},
    limits::Allowance,
    media_type, read_blob,
};

/// Entries without a platform that are read to learn theirs, at most.
const MAX_UNNAMED: usize = 32;

/// The image for a platform. An image that stands alone is it too, unless its configuration names
/// another platform.
///
/// Of several entries that match, the first in the order of the index is taken; an index within an
/// index comes after the entries that stand beside it. Images whose entries name no platform are
/// asked last, by their configuration.
///
/// # Errors
///
/// [`Error::NoPlatform`], with all that is offered; [`Error::Limit`] where there is more to look at
/// than [`Limits`](crate::copy::Limits) let in by default, or more than 32 entries without a
/// platform.
pub async fn image(
    source: &dyn Source,
    named: Manifest,
    wanted: &Platform,
) -> Result<Manifest, Error> {
    image_within(source, named, wanted, &Allowance::usual(source)).await
}

/// The same, with what is left to a larger operation.
pub(crate) async fn image_within(
    source: &dyn Source,
    named: Manifest,
    wanted: &Platform,
    allowance: &Allowance,
) -> Result<Manifest, Error> {
    if !named.is_index() {
        check_alone(source, &named, std::slice::from_ref(wanted)).await?;
        return Ok(named);
    }
    let mut offered = Offers::default();
    let mut unnamed = Vec::new();
    // What was left out matters only where nothing is found without it.
    let mut left_out = None;
    let mut seen = HashSet::from([named.digest().clone()]);
    let mut nested = VecDeque::new();
    let mut next = Some((1, named));
    while let Some((level, index)) = next {
        let images = index.manifests().iter();
        for entry in images.filter(|entry| media_type::has_platform(&entry.media_type)) {
            let is_index = media_type::is_index(&entry.media_type);
            match &entry.platform {
                Some(platform) if wanted.matches(platform) && !is_index => {
                    return read(source, entry, allowance).await;
                }
                Some(platform) if is_index && !wanted.matches(platform) => {}
                _ if is_index && seen.insert(entry.digest.clone()) => {
                    match allowance.level(level + 1) {
                        Ok(()) => {
                            allowance.count(1)?;
                            nested.push_back((level + 1, entry.clone()));
                        }
                        Err(error) => left_out = Some(error),
                    }
                }
                None if is_unnamed(entry) => match check_unnamed(unnamed.len(), allowance) {
                    Ok(()) => unnamed.push(entry.clone()),
                    Err(error) => left_out = Some(error),
                },
                _ => {}
            }
        }
        offered.extend(index.platforms());
        next = match nested.pop_front() {
            Some((level, entry)) => Some((level, read(source, &entry, allowance).await?)),
            None => None,
        };
    }
    for entry in &unnamed {
        let image = read(source, entry, allowance).await?;
        match platform_of(source, &image).await? {
            Some(platform) if wanted.matches(&platform) => return Ok(image),
            other => offered.extend(other),
        }
    }
    Err(left_out.unwrap_or_else(|| none(wanted, offered)))
}

/// The index with only the entries for some platforms, in its order and all of them; each platform
/// must be offered. Matching entries of an index within it stand in that one's place. Images whose
/// entries name no platform are asked for it.
pub(crate) async fn entries(
    source: &dyn Source,
    index: Manifest,
    wanted: &[Platform],
    allowance: &Allowance,
) -> Result<Manifest, Error> {
    if !index.is_index() {
        check_alone(source, &index, wanted).await?;
        return Ok(index);
    }
    let is_wanted = |offered: &Platform| wanted.iter().any(|wanted| wanted.matches(offered));
    let mut kept: Vec<Box<RawValue>> = Vec::new();
    let (mut found, mut others) = (Offers::default(), Offers::default());
    let mut seen = HashSet::from([index.digest().clone()]);
    // What is still to be looked at, the next on top.
    let mut waiting = listed(&index, 1)?;
    let mut unnamed = 0;
    while let Some((level, raw, entry)) = waiting.pop() {
        let is_index = media_type::is_index(&entry.media_type);
        let platform = if is_unnamed(&entry) {
            check_unnamed(unnamed, allowance)?;
            unnamed += 1;
            platform_of(source, &read(source, &entry, allowance).await?).await?
        } else {
            entry.platform.clone()
        };
        let is_image = media_type::has_platform(&entry.media_type);
        match platform {
            // What else is listed for it goes along, and stands for no image.
            Some(platform) if is_wanted(&platform) => {
                kept.push(raw);
                found.extend(is_image.then_some(platform));
            }
            None if is_index && seen.insert(entry.digest.clone()) => {
                allowance.level(level + 1)?;
                allowance.count(1)?;
                waiting.extend(listed(&read(source, &entry, allowance).await?, level + 1)?);
            }
            other => others.extend(other.filter(|platform| is_image && !platform.is_unknown())),
        }
    }
    match wanted.iter().find(|wanted| !found.list.iter().any(|found| wanted.matches(found))) {
        Some(missing) => {
            found.extend(others.list);
            Err(none(missing, found))
        }
        None => index.with_raw_entries(&kept),
    }
}

/// The images that a manifest offers and their platforms, in its order, through indexes within.
/// Placeholders are left out, and so is what does not say where it runs. Images whose entries name
/// no platform are asked for it.
///
/// # Errors
///
/// [`Error::Limit`] where there is more to look at than [`Limits`](crate::copy::Limits) let in by
/// default, or more than 32 entries without a platform.
pub async fn offered(
    source: &dyn Source,
    manifest: &Manifest,
) -> Result<Vec<(Descriptor, Platform)>, Error> {
    if !manifest.is_index() {
        let platform = platform_of(source, manifest).await?;
        return Ok(platform.map(|at| (manifest.descriptor().clone(), at)).into_iter().collect());
    }
    let allowance = Allowance::usual(source);
    let mut images = Vec::new();
    let mut unnamed = 0;
    let mut seen = HashSet::from([manifest.digest().clone()]);
    let entries = |index: &Manifest, level: usize| {
        let entries = index.manifests().iter().rev().cloned();
        entries.map(|entry| (level, entry)).collect::<Vec<_>>()
    };
    let mut waiting = entries(manifest, 1);
    while let Some((level, mut entry)) = waiting.pop() {
        if media_type::is_index(&entry.media_type) {
            if seen.insert(entry.digest.clone()) {
                allowance.level(level + 1)?;
                allowance.count(1)?;
                waiting.extend(entries(&read(source, &entry, &allowance).await?, level + 1));
            }
        } else if let Some(platform) = entry.platform.take() {
            if media_type::has_platform(&entry.media_type) && !platform.is_unknown() {
                images.push((entry, platform));
            }
        } else if is_unnamed(&entry) {
            check_unnamed(unnamed, &allowance)?;
            unnamed += 1;
            let platform = platform_of(source, &read(source, &entry, &allowance).await?).await?;
            images.extend(platform.map(|platform| (entry, platform)));
        }
    }
    Ok(images)
}

/// Whether an entry may be an image whose configuration alone says where it runs.
fn is_unnamed(entry: &Descriptor) -> bool {
    let is_image = media_type::is_image(&entry.media_type);
    is_image && entry.platform.is_none() && entry.artifact_type.is_none()
}

/// Whether one entry more without a platform may be read for it.
fn check_unnamed(before: usize, allowance: &Allowance) -> Result<(), Error> {
    if before < MAX_UNNAMED {
        return Ok(());
    }
    let what = "the number of entries without a platform";
    Err(allowance.exceeded(what, format!("{MAX_UNNAMED} entries")))
}

/// The entries of an index, the last one first, with their exact text.
fn listed(
    index: &Manifest,
    level: usize,
) -> Result<Vec<(usize, Box<RawValue>, Descriptor)>, Error> {
    let raw = index.raw_entries()?;
    let entries = raw.into_iter().zip(index.manifests().iter().cloned());
    Ok(entries.rev().map(|(raw, entry)| (level, raw, entry)).collect())
}

/// Platforms that are offered, each once: a stranger may repeat one for ever.
#[derive(Default)]
struct Offers {
    list: Vec<Platform>,
    known: HashSet<Platform>,
}

impl Extend<Platform> for Offers {
    fn extend<T: IntoIterator<Item = Platform>>(&mut self, offered: T) {
        let new = offered.into_iter().filter(|platform| self.known.insert(platform.clone()));
        self.list.extend(new);
    }
}

fn none(wanted: &Platform, offered: Offers) -> Error {
    Error::NoPlatform { wanted: Box::new(wanted.clone()), offered: offered.list, image: None }
}

/// As [`child`], where there is leave to read it.
async fn read(
    source: &dyn Source,
    entry: &Descriptor,
    allowance: &Allowance,
) -> Result<Manifest, Error> {
    allowance.read(entry.size)?;
    child(source, entry).await
}

/// The manifest that an entry of an index describes, verified against the entry.
pub(crate) async fn child(source: &dyn Source, entry: &Descriptor) -> Result<Manifest, Error> {
    let what = || format!("manifest {} of {}", entry.digest, source.location());
    let manifest = match entry.embedded() {
        Some(bytes) => Manifest::verified(bytes, Some(&entry.media_type), &entry.digest, &what())?,
        None => source.manifest(&Identifier::Digest(entry.digest.clone())).await?,
    };
    if manifest.descriptor().size != entry.size {
        let mismatch = Mismatch::Size { expected: entry.size, actual: manifest.descriptor().size };
        return Err(Error::Integrity { what: what(), mismatch });
    }
    // What a source calls it is not believed: a graph whose edges are digests of what they lead to
    // has no cycles.
    if *manifest.digest() != entry.digest {
        let (expected, actual) = (entry.digest.clone(), manifest.digest().clone());
        let mismatch = Mismatch::Digest { expected, actual };
        return Err(Error::Integrity { what: what(), mismatch });
    }
    // Under a type that nobody knows, a body that is silent about its own decides.
    let decides = !media_type::is_manifest(&entry.media_type) && !manifest.declares_type();
    if manifest.media_type() != entry.media_type && !decides {
        let reason =
            format!("it is {} and its index says {}", manifest.media_type(), entry.media_type);
        return Err(Error::Manifest { what: what(), reason });
    }
    Ok(manifest)
}

/// An entry of an index whose type does not say what it is, where the source keeps it among its
/// manifests: whatever is not among the blobs is asked for there, and read under the entry's type.
pub(crate) async fn foreign(
    source: &dyn Source,
    entry: &Descriptor,
    allowance: &Allowance,
) -> Result<Option<Manifest>, Error> {
    if !may_be_foreign(entry) {
        return Ok(None);
    }
    match source.describe_blob(&entry.digest).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // Of what else there is to say, whoever reads the blob is told.
        _ => return Ok(None),
    }
    match read(source, entry, allowance).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether an entry may be a manifest, although its type does not say so.
pub(crate) fn may_be_foreign(entry: &Descriptor) -> bool {
    !entry.is_manifest() && entry.media_type.ends_with("+json") && entry.embedded().is_none()
}

/// Refuses an image that stands alone for the first platform that its configuration contradicts.
async fn check_alone(
    source: &dyn Source,
    image: &Manifest,
    wanted: &[Platform],
) -> Result<(), Error> {
    image.check_understood(&format!("{} of {}", image.digest(), source.location()))?;
    let Some(said) = platform_of(source, image).await? else { return Ok(()) };
    match wanted.iter().find(|wanted| said.contradicts(wanted)) {
        Some(wanted) => Err(Error::NoPlatform {
            wanted: Box::new(wanted.clone()),
            offered: vec![said],
            image: None,
        }),
        None => Ok(()),
    }
}

/// What the configuration of an image says of where it runs, if it is one and says something.
pub(crate) async fn platform_of(
    source: &dyn Source,
    image: &Manifest,
) -> Result<Option<Platform>, Error> {
    let config = image.config().filter(|config| media_type::is_config(&config.media_type));
    let Some(config) = config else { return Ok(None) };
    let bytes = read_blob(source, config, MAX_CONFIG).await?;
    // Whether a configuration makes sense is for whoever runs it to judge.
    let said: Config = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(said.platform())
}
