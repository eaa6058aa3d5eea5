//! From an index to what is wanted of it.

use registry_name::Identifier;

use crate::{Descriptor, Error, Manifest, Mismatch, Platform, Source};

/// Indexes in indexes that are searched for a platform, at most.
const MAX_DEPTH: usize = 8;

/// The image for a platform: `named` itself where it is an image, else the first entry of the
/// index, or of an index within it, that matches.
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
        return Ok(named);
    }
    let mut offered = Vec::new();
    let mut level = vec![named];
    for _ in 0..MAX_DEPTH {
        let mut nested = Vec::new();
        for index in &level {
            if let Some(entry) = index.manifests().iter().find(|entry| is_for(entry, wanted)) {
                let found = child(source, entry).await?;
                if !found.is_index() {
                    return Ok(found);
                }
                nested.push(found);
                continue;
            }
            offered.extend(index.platforms());
            for entry in index.manifests() {
                if entry.platform.is_none() && crate::media_type::is_index(&entry.media_type) {
                    nested.push(child(source, entry).await?);
                }
            }
        }
        level = nested;
    }
    Err(Error::NoPlatform { wanted: Box::new(wanted.clone()), offered })
}

/// The index with only the entries for some platforms; all of them must be offered.
pub(crate) fn entries(index: &Manifest, wanted: &[Platform]) -> Result<Manifest, Error> {
    if !index.is_index() {
        return Ok(index.clone());
    }
    for platform in wanted {
        if !index.manifests().iter().any(|entry| is_for(entry, platform)) {
            let offered = index.platforms();
            return Err(Error::NoPlatform { wanted: Box::new(platform.clone()), offered });
        }
    }
    index.with_entries(|entry| wanted.iter().any(|platform| is_for(entry, platform)))
}

/// The manifest that an entry of an index describes, verified against the entry.
pub(crate) async fn child(source: &dyn Source, entry: &Descriptor) -> Result<Manifest, Error> {
    let manifest = source.manifest(&Identifier::Digest(entry.digest.clone())).await?;
    let what = || format!("manifest {} of {}", entry.digest, source.location());
    if manifest.descriptor().size != entry.size {
        let mismatch = Mismatch::Size { expected: entry.size, actual: manifest.descriptor().size };
        return Err(Error::Integrity { what: what(), mismatch });
    }
    if manifest.media_type() != entry.media_type {
        let reason =
            format!("it is {} and its index says {}", manifest.media_type(), entry.media_type);
        return Err(Error::Manifest { what: what(), reason });
    }
    Ok(manifest)
}

fn is_for(entry: &Descriptor, wanted: &Platform) -> bool {
    entry.platform.as_ref().is_some_and(|offered| wanted.matches(offered))
}
