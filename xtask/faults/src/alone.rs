//! A program that is started away from this user.

use std::path::Path;
use std::process::Command;

/// A program that sees neither this user's configuration nor a proxy: everything of its user's is below `home`.
pub fn alone(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    for variable in ["HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
        command.env(variable, home);
    }
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_ascii_lowercase());
    }
    command
}
