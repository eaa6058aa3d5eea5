//! What the keys of a config file mean.

use std::cmp::Reverse;

use registry_name::Registry;

use crate::resource::Resource;

/// Docker Hub's key, as Docker itself writes it and asks its helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The canonical form of a key: a registry's name, perhaps with a path. `None`: no registry has it.
///
/// A scheme does not matter, nor does the `/v1/` or `/v2/` of a registry's API. A bare `host/v1` is a path.
pub(super) fn canonical(key: &str) -> Option<String> {
    let Key { host, path, address } = Key::split(key)?;
    let registry: Registry = host.parse().ok()?;
    let api = is_api(path) && (address || registry.is_docker_hub());
    if path.is_empty() || api {
        return Some(registry.to_string());
    }
    Some(format!("{registry}/{path}"))
}

/// The keys that a helper may know a registry under, beside the one that the user wrote.
pub(super) fn conventional(canonical: &str) -> String {
    let hub = canonical.parse::<Registry>().is_ok_and(|registry| registry.is_docker_hub());
    if hub { DOCKER_HUB.to_owned() } else { canonical.to_owned() }
}

struct Key<'a> {
    host: &'a str,
    path: &'a str,
    /// Whether it is written as a URL.
    address: bool,
}

impl<'a> Key<'a> {
    fn split(key: &'a str) -> Option<Self> {
        let bare = match key.split_once("://") {
            Some((scheme, rest))
                if ["http", "https"].iter().any(|s| s.eq_ignore_ascii_case(scheme)) =>
            {
                rest
            }
            Some(_) => return None,
            None => key,
        };
        let address = bare.len() < key.len() || bare.ends_with('/');
        let bare = bare.trim_end_matches('/');
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        Some(Self { host, path, address })
    }
}

fn is_api(path: &str) -> bool {
    matches!(path, "v1" | "v2")
}

/// A key of a pull secret, whose host may have `*` in it.
pub(super) struct Pattern {
    host: String,
    path: String,
}

/// What comes first is used first: a longer path, then a host without `*`.
pub(super) type Rank = (Reverse<usize>, bool);

impl Pattern {
    pub(super) fn parse(key: &str) -> Option<Self> {
        let split = Key::split(key)?;
        if !split.host.contains('*') {
            let canonical = canonical(key)?;
            let (host, path) = canonical.split_once('/').unwrap_or((&canonical, ""));
            return Some(Self { host: host.to_owned(), path: path.to_owned() });
        }
        let path = if split.address && is_api(split.path) { "" } else { split.path };
        Some(Self { host: split.host.to_ascii_lowercase(), path: path.to_owned() })
    }

    /// `None`: it is for something else.
    pub(super) fn rank(&self, resource: &Resource) -> Option<Rank> {
        let name = resource.to_string();
        let (host, path) = name.split_once('/').unwrap_or((&name, ""));
        let below = path.strip_prefix(&self.path)?;
        if !(self.path.is_empty() || below.is_empty() || below.starts_with('/')) {
            return None;
        }
        let glob = self.host.contains('*');
        let fits = if glob { host_fits(&self.host, host) } else { self.host == host };
        fits.then_some((Reverse(self.path.len()), glob))
    }
}

/// Label by label, and the same port.
fn host_fits(pattern: &str, host: &str) -> bool {
    let split = |host: &str| -> (Vec<String>, Option<String>) {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.to_owned())),
            None => (host, None),
        };
        (name.split('.').map(str::to_owned).collect(), port)
    };
    let ((labels, port), (wanted, wanted_port)) = (split(host), split(pattern));
    port == wanted_port
        && labels.len() == wanted.len()
        && wanted.iter().zip(&labels).all(|(pattern, label)| label_fits(pattern, label))
}

/// `*` stands for any characters, also for none.
fn label_fits(pattern: &str, label: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == label };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = label.strip_prefix(start).and_then(|left| left.strip_suffix(end)) else {
        return false;
    };
    for piece in middle.split('*') {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    true
}
