//! A program that is started away from this user.

use std::path::Path;
use std::process::Command;

/// Whose values are directories of the user's own.
const DIRECTORIES: [&str; 6] = [
    "HOME",
    "DOCKER_CONFIG",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
];

/// Whose values are credentials, or files of the user's own.
const OTHERS: [&str; 4] =
    ["DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF", "REGCTL_CONFIG"];

/// In lower case, too.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A program, ours or another's, that sees neither this user's configuration nor a proxy: everything of its user's is below `home`.
pub fn alone(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.envs(DIRECTORIES.map(|variable| (variable, home)));
    for variable in OTHERS {
        command.env_remove(variable);
    }
    for variable in PROXIES {
        command.env_remove(variable).env_remove(variable.to_ascii_lowercase());
    }
    command
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What `registry` looks up in its environment, and what other programs do.
    #[test]
    fn no_variable_leads_to_what_is_the_users_own() {
        let home = Path::new("/elsewhere");
        let command = alone(Path::new("true"), home);
        let told: BTreeMap<_, _> = command.get_envs().collect();
        for variable in [
            "HOME",
            "DOCKER_CONFIG",
            "DOCKER_AUTH_CONFIG",
            "REGISTRY_AUTH_FILE",
            "CONTAINERS_REGISTRIES_CONF",
            "REGCTL_CONFIG",
            "XDG_RUNTIME_DIR",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_DATA_HOME",
            "https_proxy",
        ] {
            let value = told.get(std::ffi::OsStr::new(variable)).copied();
            assert!(value.is_some(), "{variable} is this user's");
            assert!(value.flatten().is_none_or(|value| value == home), "{variable}: {value:?}");
        }
    }
}
