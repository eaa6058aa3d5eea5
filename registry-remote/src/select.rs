//! From an index to what is wanted of it.

use registry_name::Identifier;
use serde::Deserialize;

use crate::{Descriptor, Error, Manifest, Mismatch, Platform, Source, media_type, read_blob};

/// Indexes in indexes that are followed, at most: for a platform, and in a copy.
pub(crate) const MAX_DEPTH: usize = 8;
/// The largest configuration that is searched for a platform, bytes.
const MAX_CONFIG: u64 = 4 << 20;

/// What the configuration of an image says of where it runs
/// ([image-spec, config](https://github.com/opencontainers/image-spec/blob/main/config.md)).
#[derive(Default, Deserialize)]
struct Config {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

/// The image for a platform: the first entry of the index, or of an index within it, that matches.
/// An image that stands alone is it too, unless its configuration names another platform.
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
                if entry.platform.is_none() && media_type::is_index(&entry.media_type) {
                    nested.push(child(source, entry).await?);
                }
            }
        }
        level = nested;
    }
    Err(Error::NoPlatform { wanted: Box::new(wanted.clone()), offered })
}

/// The index with only the entries for some platforms; all of them must be offered.
pub(crate) async fn entries(
    source: &dyn Source,
    index: Manifest,
    wanted: &[Platform],
) -> Result<Manifest, Error> {
    if !index.is_index() {
        check_alone(source, &index, wanted).await?;
        return Ok(index);
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

/// Refuses an image that stands alone for the first platform that its configuration contradicts.
async fn check_alone(
    source: &dyn Source,
    image: &Manifest,
    wanted: &[Platform],
) -> Result<(), Error> {
    let types = [media_type::OCI_CONFIG, media_type::DOCKER_CONFIG];
    let config = image.config().filter(|config| types.contains(&config.media_type.as_str()));
    let Some(config) = config else { return Ok(()) };
    let bytes = read_blob(source, config, MAX_CONFIG).await?;
    // Whether a configuration makes sense is for whoever runs it to judge.
    let said: Config = serde_json::from_slice(&bytes).unwrap_or_default();
    match wanted.iter().find(|wanted| said.contradicts(wanted)) {
        Some(wanted) => Err(Error::NoPlatform {
            wanted: Box::new(wanted.clone()),
            offered: vec![said.platform()],
        }),
        None => Ok(()),
    }
}

impl Config {
    fn contradicts(&self, wanted: &Platform) -> bool {
        let differs = |said: &Option<String>, wanted: Option<&String>| {
            let said = said.as_ref().filter(|said| !said.is_empty());
            said.zip(wanted).is_some_and(|(said, wanted)| said != wanted)
        };
        differs(&self.os, Some(&wanted.os))
            || differs(&self.architecture, Some(&wanted.architecture))
            || differs(&self.variant, wanted.variant.as_ref())
            || differs(&self.os_version, wanted.os_version.as_ref())
    }

    fn platform(self) -> Platform {
        let unknown = || "unknown".to_owned();
        Platform {
            os: self.os.unwrap_or_else(unknown),
            architecture: self.architecture.unwrap_or_else(unknown),
            variant: self.variant,
            os_version: self.os_version,
            os_features: Vec::new(),
        }
    }
}

fn is_for(entry: &Descriptor, wanted: &Platform) -> bool {
    entry.platform.as_ref().is_some_and(|offered| wanted.matches(offered))
}
