//! Writes config files: login and logout.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::file::{Config, Keeper, unusable};
use super::places::{self, Place};
use super::{edit, key};
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::helper::Helper;
use crate::resource::Resource;

/// A config file that log-ins are written to.
///
/// A secret goes where the file says: to the helper that `credHelpers` or `credsStore` names, otherwise into
/// the file itself. The file is replaced as a whole, with mode 0600, and everything that is not about the
/// resource stays as it is, byte for byte. A file that is a link stays one. Two of these that write at the
/// same time, in one process or in several, wait for each other.
#[derive(Clone, Debug)]
pub struct Logins {
    path: PathBuf,
    environment: Environment,
}

/// Where a secret was put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kept {
    /// In the file, readable for everybody who can read the file.
    InFile(PathBuf),
    /// By the helper of that name.
    ByHelper(String),
}

impl Logins {
    /// Docker's config file; `None` in an environment without a home.
    pub fn docker(environment: &Environment) -> Option<Self> {
        places::docker(environment).map(|path| Self::file(path, environment))
    }

    /// This file, Docker's or Podman's; the environment is for the helpers that it names.
    pub fn file(path: impl Into<PathBuf>, environment: &Environment) -> Self {
        Self { path: path.into(), environment: environment.clone() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a credential for a resource.
    pub async fn save(&self, resource: &Resource, credential: &Credential) -> Result<Kept, Error> {
        let fields = fields(credential).map_err(|what| self.error(ErrorKind::Input, what))?;
        let wanted = resource.to_string();
        let config = self.read().await?;
        let (kept, fields) = match config.keeper(&wanted)? {
            Keeper::File => (Kept::InFile(self.path.clone()), fields),
            Keeper::Helper { name, servers } => {
                let server = servers.first().unwrap_or(&wanted);
                let helper = Helper::new(&name, &self.environment)?;
                helper.store(server, credential).await?;
                (Kept::ByHelper(helper.program().to_owned()), Map::new())
            }
        };
        self.change(move |config, document| {
            let written = config.written(&wanted);
            let written = written.first().map_or(key::conventional(&wanted), |&key| key.to_owned());
            let mut entry = fields.clone();
            let known = ["auth", "username", "password", "identitytoken", "registrytoken"];
            let others = config.entry(&written).into_iter();
            entry.extend(others.filter(|(name, _)| !known.contains(&name.as_str())));
            let entry = Zeroizing::new(Value::Object(entry).to_string());
            edit::set(document, "auths", &written, &entry)
        })
        .await?;
        Ok(kept)
    }

    /// Forgets what is kept for exactly this resource, in the file and at its helper. Whether there was
    /// anything in the file.
    pub async fn remove(&self, resource: &Resource) -> Result<bool, Error> {
        let wanted = resource.to_string();
        let config = self.read().await?;
        if let Keeper::Helper { name, servers } = config.keeper(&wanted)? {
            let helper = Helper::new(&name, &self.environment)?;
            for server in &servers {
                helper.erase(server).await?;
            }
        }
        if config.written(&wanted).is_empty() {
            return Ok(false);
        }
        self.change(move |config, document| {
            config
                .written(&wanted)
                .into_iter()
                .try_fold(document.to_owned(), |text, key| edit::remove(&text, "auths", key))
        })
        .await?;
        Ok(true)
    }

    async fn read(&self) -> Result<Config, Error> {
        let place = Place::File(self.path.clone());
        self.blocking(move || {
            Config::read(place.clone())?.map_or_else(|| Config::parse(place, b""), Ok)
        })
        .await
    }

    /// Reads, changes and replaces the file while nobody else does.
    async fn change(
        &self,
        change: impl Fn(&Config, &str) -> Option<String> + Send + 'static,
    ) -> Result<(), Error> {
        let path = self.path.clone();
        self.blocking(move || {
            let place = Place::File(path.clone());
            let failed = |cause: io::Error| unusable(&place, "cannot be written").because(cause);
            let target = target(&path).map_err(failed)?;
            let directory = target.parent().unwrap_or(Path::new("."));
            create_private(directory).map_err(failed)?;
            let _lock = lock(directory).map_err(failed)?;
            let bytes = file::read(&target).map_err(failed)?.unwrap_or_default();
            let config = Config::parse(place.clone(), &bytes)?;
            let text = std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes));
            let changed = text.ok().and_then(|text| change(&config, text)).map(Zeroizing::new);
            let changed = changed.ok_or_else(|| unusable(&place, "cannot be changed"))?;
            replace(&target, directory, changed.as_bytes()).map_err(failed)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(cause) => Err(self.error(ErrorKind::File, "cannot be used").because(cause)),
        }
    }

    fn error(&self, kind: ErrorKind, what: &'static str) -> Error {
        Error::new(kind, self.path.display().to_string(), what)
    }
}

/// The fields of an entry of `auths`.
fn fields(credential: &Credential) -> Result<Map<String, Value>, &'static str> {
    let (name, secret) = match credential {
        Credential::Anonymous => return Err("cannot keep an anonymous log-in"),
        Credential::Basic { username, .. } if username.is_empty() || username.contains(':') => {
            return Err("cannot keep a user name that is empty or has a colon");
        }
        Credential::Basic { username, password } => {
            let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
            ("auth", STANDARD.encode(pair.as_bytes()))
        }
        Credential::IdentityToken(token) => ("identitytoken", token.expose().to_owned()),
        Credential::RegistryToken(token) => ("registrytoken", token.expose().to_owned()),
    };
    Ok(Map::from_iter([(name.to_owned(), Value::String(secret))]))
}

/// The file behind a chain of links; it need not exist, a link to nowhere is an error.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        Err(_) if fs::symlink_metadata(path).is_err() => std::path::absolute(path),
        Err(error) => Err(error),
    }
}

fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Held while the file is replaced. On Unix the directory itself is locked, so that no file is left behind.
fn lock(directory: &Path) -> io::Result<File> {
    #[cfg(unix)]
    let file = File::open(directory)?;
    #[cfg(not(unix))]
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("config.json.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Either the old file or the new one is there, whatever happens in between.
fn replace(target: &Path, directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.new", std::process::id()));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    // One that is left over from a crash; nobody else writes while we hold the lock.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    #[cfg(unix)]
    if written.is_ok() {
        // The rename itself; some file systems cannot, and the file is there all the same.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    written
}
