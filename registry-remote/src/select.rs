//! From an index to what is wanted of it.

use std::collections::HashSet;

use registry_name::Identifier;
use serde_json::value::RawValue;

use crate::{
    Descriptor, Error, Manifest, Mismatch, Platform, Source,
    image::{Config, MAX_CONFIG},
    media_type, read_blob,
};

/// Indexes in indexes that are followed, at most: for a platform, and in a copy.
pub(crate) const MAX_DEPTH: usize = 8;
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
/// [`Error::NoPlatform`], with all that is offered.
pub async fn image(
    source: &dyn Source,
    named: Manifest,
    wanted: &Platform,
) -> Result<Manifest, Error> {
    if !named.is_index() {
        check_alone(source, &named, std::slice::from_ref(wanted)).await?;
        return Ok(named);
    }
    let mut offered = Vec::new();
    let mut unnamed = Vec::new();
    let mut seen = HashSet::from([named.digest().clone()]);
    let mut level = vec![named];
    for _ in 0..=MAX_DEPTH {
        let mut nested = Vec::new();
        for index in &level {
            for entry in index.manifests() {
                let is_index = media_type::is_index(&entry.media_type);
                match &entry.platform {
                    Some(platform) if wanted.matches(platform) && !is_index => {
                        return child(source, entry).await;
                    }
                    Some(platform) if is_index && !wanted.matches(platform) => {}
                    _ if is_index && seen.insert(entry.digest.clone()) => {
                        nested.push(entry.clone());
                    }
                    None if media_type::is_image(&entry.media_type) => unnamed.push(entry.clone()),
                    _ => {}
                }
            }
            offered.extend(index.platforms());
        }
        level.clear();
        for entry in &nested {
            level.push(child(source, entry).await?);
        }
        if level.is_empty() {
            break;
        }
    }
    for entry in unnamed.iter().take(MAX_UNNAMED) {
        let image = child(source, entry).await?;
        match platform_of(source, &image).await? {
            Some(platform) if wanted.matches(&platform) => return Ok(image),
            other => offered.extend(other),
        }
    }
    Err(none(wanted, offered))
}

/// The index with only the entries for some platforms, in its order and all of them; each platform
/// must be offered. Matching entries of an index within it stand in that one's place.
pub(crate) async fn entries(
    source: &dyn Source,
    index: Manifest,
    wanted: &[Platform],
) -> Result<Manifest, Error> {
    if !index.is_index() {
        check_alone(source, &index, wanted).await?;
        return Ok(index);
    }
    let is_wanted = |offered: &Platform| wanted.iter().any(|wanted| wanted.matches(offered));
    let mut kept: Vec<Box<RawValue>> = Vec::new();
    let (mut found, mut offered) = (Vec::new(), Vec::new());
    let mut seen = HashSet::from([index.digest().clone()]);
    // What is still to be looked at, the next on top.
    let mut waiting = listed(&index, 0)?;
    while let Some((depth, raw, entry)) = waiting.pop() {
        let is_index = media_type::is_index(&entry.media_type);
        match entry.platform {
            Some(platform) if is_wanted(&platform) => {
                kept.push(raw);
                found.push(platform);
            }
            None if is_index && depth < MAX_DEPTH && seen.insert(entry.digest.clone()) => {
                waiting.extend(listed(&child(source, &entry).await?, depth + 1)?);
            }
            other => offered.extend(other.filter(|platform| !platform.is_unknown())),
        }
    }
    match wanted.iter().find(|wanted| !found.iter().any(|found| wanted.matches(found))) {
        Some(missing) => {
            found.extend(offered);
            Err(none(missing, found))
        }
        None => index.with_raw_entries(&kept),
    }
}

/// The images that a manifest offers and their platforms, in its order, through indexes within.
/// Placeholders are left out, and so is what does not say where it runs.
pub(crate) async fn offered(
    source: &dyn Source,
    manifest: &Manifest,
) -> Result<Vec<(Descriptor, Platform)>, Error> {
    if !manifest.is_index() {
        let platform = platform_of(source, manifest).await?;
        return Ok(platform.map(|at| (manifest.descriptor().clone(), at)).into_iter().collect());
    }
    let mut images = Vec::new();
    let mut unnamed = 0;
    let mut seen = HashSet::from([manifest.digest().clone()]);
    let entries = |index: &Manifest, depth: usize| {
        let entries = index.manifests().iter().rev().cloned();
        entries.map(|entry| (depth, entry)).collect::<Vec<_>>()
    };
    let mut waiting = entries(manifest, 0);
    while let Some((depth, mut entry)) = waiting.pop() {
        if media_type::is_index(&entry.media_type) {
            if depth < MAX_DEPTH && seen.insert(entry.digest.clone()) {
                waiting.extend(entries(&child(source, &entry).await?, depth + 1));
            }
        } else if let Some(platform) = entry.platform.take() {
            if !platform.is_unknown() {
                images.push((entry, platform));
            }
        } else if media_type::is_image(&entry.media_type) && unnamed < MAX_UNNAMED {
            unnamed += 1;
            let platform = platform_of(source, &child(source, &entry).await?).await?;
            images.extend(platform.map(|platform| (entry, platform)));
        }
    }
    Ok(images)
}

/// The entries of an index, the last one first, with their exact text.
fn listed(
    index: &Manifest,
    depth: usize,
) -> Result<Vec<(usize, Box<RawValue>, Descriptor)>, Error> {
    let raw = index.raw_entries()?;
    let entries = raw.into_iter().zip(index.manifests().iter().cloned());
    Ok(entries.rev().map(|(raw, entry)| (depth, raw, entry)).collect())
}

fn none(wanted: &Platform, offered: Vec<Platform>) -> Error {
    let mut seen = HashSet::new();
    let offered = offered.into_iter().filter(|platform| seen.insert(platform.clone()));
    Error::NoPlatform { wanted: Box::new(wanted.clone()), offered: offered.collect() }
}

/// The manifest that an entry of an index describes, verified against the entry.
pub(crate) async fn child(source: &dyn Source, entry: &Descriptor) -> Result<Manifest, Error> {
    let manifest = source.manifest(&Identifier::Digest(entry.digest.clone())).await?;
    let what = || format!("manifest {} of {}", entry.digest, source.location());
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
    if manifest.media_type() != entry.media_type {
        let reason =
            format!("it is {} and its index says {}", manifest.media_type(), entry.media_type);
        return Err(Error::Manifest { what: what(), reason });
    }
    Ok(manifest)
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
        Some(wanted) => Err(none(wanted, vec![said])),
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
