//! Where config files are.

use std::ffi::OsStr;
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
    let under = |base: Option<&OsStr>, home: &str, file: &str| {
        let base = base.map(PathBuf::from).or_else(|| Some(environment.home_dir()?.join(home)));
        base.map(|base| Place::File(base.join(Path::new(file))))
    };
    places.extend(under(environment.get("DOCKER_CONFIG"), ".docker", "config.json"));
    if let Some(file) = environment.get("REGISTRY_AUTH_FILE") {
        places.push(Place::File(file.into()));
        return places;
    }
    if let Some(runtime) = environment.get("XDG_RUNTIME_DIR") {
        places.push(Place::File(Path::new(runtime).join("containers/auth.json")));
    }
    places.extend(under(environment.get("XDG_CONFIG_HOME"), ".config", "containers/auth.json"));
    places
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name, _) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
