//! A home of its own for each test, and the example helper under the names that it answers to.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use registry_authn::{Credential, DockerConfig, Environment, Error, Keychain, Resource};
use tempfile::TempDir;

pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) environment: Environment,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment::empty().home(directory.path());
        Self { directory, environment }
    }

    /// With Docker's config file.
    pub(crate) fn with_config(text: &str) -> Self {
        let home = Self::new();
        home.write(".docker/config.json", text);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[must_use]
    pub(crate) fn var(mut self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        self.environment = self.environment.var(name, value);
        self
    }

    /// With the example helper on `PATH` under these names, and a log of what it was asked.
    #[must_use]
    pub(crate) fn with_helpers(self, names: &[&str]) -> Self {
        let programs: Vec<_> =
            names.iter().map(|name| format!("docker-credential-{name}")).collect();
        self.with_programs(&programs)
    }

    /// With the example on `PATH` as these programs.
    #[must_use]
    pub(crate) fn with_programs(self, names: &[impl AsRef<str>]) -> Self {
        for name in names {
            link(&example(), &self.path("bin").join(name.as_ref()));
        }
        let path =
            std::env::join_paths([self.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        let log = self.path("log");
        self.var("PATH", path).var("HELPER_LOG", log)
    }

    /// What the helpers were asked since the last time, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = self.path("log");
        let lines = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(log);
        lines.lines().map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned()).collect()
    }

    pub(crate) fn keychain(&self) -> DockerConfig {
        DockerConfig::new(&self.environment)
    }

    /// With a clock that stands still until it is moved.
    #[must_use]
    pub(crate) fn with_clock(mut self) -> (Self, Clock) {
        let clock = Clock::default();
        let now = clock.clone();
        self.environment = self.environment.clock(move || now.now());
        (self, clock)
    }

    /// What this home's config has for a registry, or for a repository if there is a slash.
    pub(crate) async fn look_up(&self, name: &str) -> Result<String, Error> {
        look_up(&self.keychain(), name).await
    }
}

/// A clock that is moved by hand.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Mutex<SystemTime>>);

impl Default for Clock {
    /// 2023-11-14T22:13:20Z
    fn default() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Self(Arc::new(Mutex::new(start)))
    }
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        *self.0.lock().unwrap() -= Duration::from_secs(seconds);
    }
}

fn link(original: &Path, link: &Path) {
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(original, link).unwrap();
    #[cfg(not(unix))]
    std::fs::copy(original, link.with_extension("exe")).unwrap();
}

/// The compiled example beside this test.
pub(crate) fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("docker-credential-example{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "no {}: `cargo test` builds it, `cargo test --test` does not",
        path.display()
    );
    path
}

pub(crate) fn resource(name: &str) -> Resource {
    if name.contains('/') {
        Resource::Repository(name.parse().unwrap())
    } else {
        Resource::Registry(name.parse().unwrap())
    }
}

pub(crate) async fn look_up(keychain: &dyn Keychain, name: &str) -> Result<String, Error> {
    match keychain.resolve(&resource(name)).await? {
        None => Ok("nothing".to_owned()),
        Some(authenticator) => Ok(show(&authenticator.credential().await?)),
    }
}

pub(crate) fn show(credential: &Credential) -> String {
    match credential {
        Credential::Anonymous => "anonymous".to_owned(),
        Credential::Basic { username, password } => format!("{username} / {}", password.expose()),
        Credential::IdentityToken(token) => format!("identity {}", token.expose()),
        Credential::RegistryToken(token) => format!("registry {}", token.expose()),
        _ => unreachable!(),
    }
}

/// `A` stands for `foo:bar` in base64, `b64(…)` for its content.
pub(crate) fn fill(template: &str) -> String {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut text = template.replace(r#""A""#, &format!("\"{}\"", encode("foo:bar")));
    while let Some(start) = text.find("b64(") {
        let end = start + text[start..].find(')').unwrap();
        let inner = text[start + 4..end].replace("\\0", "\0");
        text.replace_range(start..=end, &encode(&inner));
    }
    text
}

/// An error and all its causes, and its `Debug`: everything that could reach a log.
pub(crate) fn everything(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{}", error.hint().unwrap_or_default());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, "\n{error}");
        cause = error.source();
    }
    text
}
