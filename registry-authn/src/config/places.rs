//! Where config files are.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::secret::Secret;

/// Somewhere that credentials are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The name of a variable and its text.
    Variable(&'static str, Secret),
    File(PathBuf),
}

/// All places, the most important first.
pub(super) fn of(environment: &Environment) -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(text) = environment.get("DOCKER_AUTH_CONFIG") {
        places.push(Place::Variable("DOCKER_AUTH_CONFIG", Secret::new(text.to_string_lossy())));
    }
    places.extend(docker(environment).map(Place::File));
    if let Some(file) = environment.get("REGISTRY_AUTH_FILE") {
        places.push(Place::File(file.into()));
        return places;
    }
    if let Some(runtime) = environment.get("XDG_RUNTIME_DIR") {
        places.push(Place::File(Path::new(runtime).join("containers/auth.json")));
    }
    let podman = under(environment, "XDG_CONFIG_HOME", ".config");
    places.extend(podman.map(|base| Place::File(base.join("containers/auth.json"))));
    places
}

/// Docker's config file.
pub(super) fn docker(environment: &Environment) -> Option<PathBuf> {
    under(environment, "DOCKER_CONFIG", ".docker").map(|base| base.join("config.json"))
}

/// A directory that a variable names, otherwise one in the home directory.
fn under(environment: &Environment, variable: &str, home: &str) -> Option<PathBuf> {
    match environment.get(variable) {
        Some(directory) => Some(directory.into()),
        None => Some(environment.home_dir()?.join(home)),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name, _) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
