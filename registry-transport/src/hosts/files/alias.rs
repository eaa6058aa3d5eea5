//! Short names: `fedora` for `registry.fedoraproject.org/fedora`.

use std::collections::BTreeMap;

use registry_name::Repository;

use super::broken::BrokenFile;
use super::document::Table;
use super::setting::{Family, Place};

/// Short names, and what they stand for; `None` takes an earlier file's alias back.
pub(super) type Aliases = BTreeMap<String, (Option<Repository>, Place)>;

/// A short name that stands for a repository, and where that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alias {
    /// The short name, without tag and digest.
    pub name: String,
    /// What it stands for.
    pub repository: Repository,
    /// Where it was said.
    pub place: Place,
}

/// Takes the table `aliases` out of a file. Neither side of an alias has a tag or a digest.
pub(super) fn table(family: Family, root: &mut Table<'_>) -> Result<Aliases, BrokenFile> {
    let mut aliases = Aliases::new();
    let Some(pairs) = root.lines("aliases")? else { return Ok(aliases) };
    for (name, target) in pairs.value {
        let broken = |what: String| root.broken(target.line, what);
        if short(&name) != Some(name.as_str()) {
            return Err(broken(format!("{name:?} is not a short name")));
        }
        let repository = match target.value.as_str() {
            "" => None,
            text => {
                let host = text.split_once('/').map_or("", |(host, _)| host);
                let repository = text.parse::<Repository>();
                match repository {
                    Ok(repository) if is_host(host) => Some(repository),
                    Ok(_) => return Err(broken(format!("{text:?} does not name its registry"))),
                    Err(error) => return Err(broken(error.to_string())),
                }
            }
        };
        let place = Place {
            family,
            file: root.file().to_owned(),
            line: Some(target.line),
            table: Some("[aliases]".to_owned()),
        };
        aliases.insert(name, (repository, place));
    }
    Ok(aliases)
}

/// The part of an image's name that an alias may replace: without tag and digest. `None` if the name says which registry
/// it means.
pub(super) fn short(image: &str) -> Option<&str> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let (first, rest) =
        name.split_once('/').map_or((name, None), |(first, rest)| (first, Some(rest)));
    if rest.is_some() && is_host(first) {
        return None;
    }
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = name[last..].find(':').map_or(name, |colon| &name[..last + colon]);
    (!name.is_empty()).then_some(name)
}

/// As Docker tells a registry from a repository.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_names_no_registry() {
        for (image, want) in [
            ("fedora", Some("fedora")),
            ("fedora:41", Some("fedora")),
            ("fedora@sha256:00", Some("fedora")),
            ("fedora:41@sha256:00", Some("fedora")),
            ("ubi8/nodejs:1", Some("ubi8/nodejs")),
            ("ghcr.io/a", None),
            ("localhost/a", None),
            ("host:5000/a", None),
            ("", None),
            ("@sha256:00", None),
        ] {
            assert_eq!(short(image), want, "{image}");
        }
    }
}
