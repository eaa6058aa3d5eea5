//! The process's surroundings, as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::clock::Clock;

/// The variables, the home directory and the clock that credentials are looked up with.
///
/// `Debug` shows the names of the variables, not their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    clock: Clock,
}

impl Environment {
    /// The surroundings of this process. Nothing else in this crate reads them.
    pub fn current() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            home: std::env::home_dir(),
            clock: Clock::default(),
        }
    }

    /// No variables and no home, and the system's clock.
    pub fn empty() -> Self {
        Self::default()
    }

    /// With this variable set.
    #[must_use]
    pub fn var(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// With this home directory; helpers find it in `HOME`.
    #[must_use]
    pub fn home(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.variables.insert("HOME".into(), path.clone().into());
        self.home = Some(path);
        self
    }

    /// With this clock, which tells what has expired.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    pub(crate) fn time(&self) -> &Clock {
        &self.clock
    }

    /// The value of a variable; one that is empty counts as not set.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value.as_os_str())
    }

    /// The home directory.
    pub fn home_dir(&self) -> Option<&Path> {
        self.home.as_deref().filter(|home| !home.as_os_str().is_empty())
    }

    /// Where programs keep what they can do without: `XDG_CACHE_HOME`, or `.cache` in the home directory (XDG Base Directory
    /// Specification). `None` in an environment without a home.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        self.directory("XDG_CACHE_HOME", ".cache")
    }

    /// Where programs keep their configuration: `XDG_CONFIG_HOME`, or `.config` in the home directory. `None` in an
    /// environment without a home.
    pub fn config_dir(&self) -> Option<PathBuf> {
        self.directory("XDG_CONFIG_HOME", ".config")
    }

    /// The specification has relative paths ignored.
    fn directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(self.home_dir()?.join(below_home)))
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("home", &self.home)
            .field("clock", &self.clock)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_those_of_the_specification() {
        let home = Environment::empty().home("/home/me");
        for (environment, want) in [
            (Environment::empty(), None),
            (home.clone(), Some("/home/me/.cache")),
            (home.clone().var("XDG_CACHE_HOME", "/var/cache/me"), Some("/var/cache/me")),
            (home.clone().var("XDG_CACHE_HOME", "cache"), Some("/home/me/.cache")),
            (home.clone().var("XDG_CACHE_HOME", ""), Some("/home/me/.cache")),
        ] {
            assert_eq!(environment.cache_dir().as_deref(), want.map(Path::new), "{environment:?}");
        }
        assert_eq!(home.config_dir().as_deref(), Some(Path::new("/home/me/.config")));
    }
}
