//! What the keys of a config file mean.

use registry_name::Registry;

/// Docker Hub's key, as Docker itself writes it and asks its helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The canonical form of a key: a registry's name, perhaps with a path. `None`: no registry has it.
///
/// A scheme does not matter, nor does the `/v1/` or `/v2/` of a registry's API. A bare `host/v1` is a path.
pub(super) fn canonical(key: &str) -> Option<String> {
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
    let registry: Registry = host.parse().ok()?;
    let api = matches!(path, "v1" | "v2") && (address || registry.is_docker_hub());
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
