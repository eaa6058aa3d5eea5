//! Host configuration from files: our own, and those that other tools have on this machine already.
//!
//! Four kinds of files say how registries are reached. For each setting the first kind that says something counts, and
//! within a kind the order that its own documentation gives:
//!
//! | kind | where | what it can say |
//! |---|---|---|
//! | our own | `~/.config/registry/hosts.toml` | everything that [`Host`] knows, rewrites, short names |
//! | containerd | `certs.d/HOST/hosts.toml`, `certs.d/_default/hosts.toml` | server, mirrors, certificates, headers |
//! | Docker, containers | `certs.d/HOST/{*.crt,*.cert,*.key}` | certificates |
//! | containers | `registries.conf`, `registries.conf.d/*.conf` | locations, mirrors, insecure, blocked, short names |
//!
//! A file that is broken is an error with its name and line, for every request that it may concern; nothing is guessed in
//! its place. A key that is not known is an error in our own file, and in the others a [`Note`].
//!
//! ```
//! # use registry_authn::Environment;
//! use registry_transport::{Transport, files::{HostFiles, Places}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (root, environment) = ("/nonexistent", Environment::empty());
//! let files = HostFiles::read(Places::of(&environment, root));
//! let registry = "registry.example.com:5000".parse()?;
//! println!("{}", files.explain(&registry, None)); // which file decided what
//! let transport = Transport::builder().hosts(files.hosts()?).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! Our own file, with all that it can hold:
//!
//! ```toml
//! [registry."registry.example.com:5000"]
//! endpoint = "https://10.0.0.7:8443"      # where it is, if not at its name
//! proxy = "socks5h://proxy.example.com"   # or "none"
//! ca = "ca.pem"                           # or a list; beside this file
//! client-certificate = "client.pem"
//! client-key = "client.key"
//! headers = { X-Team = "blue" }           # for this registry and nobody else
//! concurrency = 4
//! user-agent = "robot/7"
//! trusted-realms = ["login.example.com"]  # may see the registry's credentials
//! allowed-private-hosts = ["storage.example.com"]
//! strict-uploads = true                   # to the registry itself, and nowhere that it sends them on to
//!
//! [[registry."registry.example.com:5000".mirror]]
//! endpoint = "https://mirror.example.com/cache"
//! ns = true                               # says for which registry a request is
//! resolve = false                         # content by its digest, and no tags
//! ca = "mirror.pem"                       # and everything else about the connection
//!
//! [registry."registry.lab"]
//! plain-http = true                       # or
//! dangerously-skip-verify = true
//!
//! [registry."untrusted.example.org"]
//! blocked = true
//!
//! [[rewrite]]                             # for reading
//! prefix = "docker.io/library"
//! location = "registry.example.com:5000/hub"
//!
//! [aliases]
//! busybox = "quay.io/prometheus/busybox"
//! ```

mod alias;
mod broken;
mod certs;
mod containerd;
mod decide;
mod document;
mod explain;
mod load;
mod own;
mod places;
mod read;
mod registries;
mod setting;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use registry_name::{Registry, Repository};

pub use self::alias::Alias;
pub use self::broken::BrokenFile;
pub use self::explain::{Decision, Explanation, LookedAt, Outcome, State};
use self::load::{Directories, Shared};
pub use self::places::Places;
pub use self::setting::{Family, MirrorSetting, Note, Place, Setting, Statement};
use super::{Host, Hosts, Prefix};

/// Host configuration as files have it. Clones share what was read.
///
/// Our own file and `registries.conf` are read at once; the directories of a registry and the certificates when it is first
/// asked about. What was read is kept: files that change later change nothing.
#[derive(Clone)]
pub struct HostFiles {
    shared: Arc<Shared>,
    places: Arc<Places>,
    flags: Vec<(Registry, Statement)>,
    directories: Arc<Mutex<HashMap<Registry, Directories>>>,
    hosts: Arc<Mutex<HashMap<(Registry, String), Answer>>>,
}

type Answer = Result<(Prefix, Host), BrokenFile>;

/// More repositories than this are not remembered; their files are read again.
const CROWDED: usize = 1024;

impl HostFiles {
    /// Reads what is for all registries. What is broken there is an error later, of [`hosts`](Self::hosts) and of
    /// everything that asks about a registry, and a part of each [`Explanation`].
    pub fn read(places: Places) -> Self {
        Self {
            shared: Arc::new(Shared::load(&places)),
            places: Arc::new(places),
            flags: Vec::new(),
            directories: Arc::default(),
            hosts: Arc::default(),
        }
    }

    /// What the caller says for this run, which counts more than any file; `flag` is what an [`Explanation`] calls it.
    #[must_use]
    pub fn flag(mut self, registry: Registry, setting: Setting, flag: impl Into<PathBuf>) -> Self {
        let place = Place { family: Family::Flags, file: flag.into(), line: None, table: None };
        self.flags.push((registry, Statement { setting, place }));
        // What was made before did not know of it.
        self.hosts = Arc::default();
        self
    }

    /// Fails if a file for all registries is broken.
    pub fn check(&self) -> Result<(), BrokenFile> {
        load::broken(&self.shared.looked_at)
    }

    /// The registries that files and flags name, in order; certificates that nobody asked for are not looked for.
    pub fn registries(&self) -> Vec<Registry> {
        let own = self.shared.own.registries.keys();
        let flags = self.flags.iter().map(|(registry, _)| registry);
        let prefixes = self.shared.registries.tables.keys();
        let rewrites = self.shared.own.rewrites.iter().map(|(prefix, _)| prefix);
        let prefixes = prefixes.chain(rewrites).filter_map(Prefix::registry);
        let mut registries: Vec<Registry> = own.chain(flags).chain(prefixes).cloned().collect();
        registries.sort();
        registries.dedup();
        registries
    }

    /// The files for all registries that were looked at.
    pub fn looked_at(&self) -> &[LookedAt] {
        &self.shared.looked_at
    }

    /// Everything that is said about a registry, or about the repository of this path at it.
    pub fn explain(&self, registry: &Registry, path: Option<&str>) -> Explanation {
        let (_, ranked) = self.ranked(registry, path.unwrap_or_default());
        let directories = self.directories(registry);
        let shared = &self.shared;
        let mut looked_at = shared.looked_at.clone();
        looked_at.extend(directories.looked_at);
        looked_at.sort_by_key(|at| at.family);
        let mut notes = directories.notes;
        notes.extend(shared.registries.notes.iter().cloned());
        let (registry, path) = (registry.clone(), path.map(str::to_owned));
        Explanation { registry, path, decisions: decide::decide(ranked), notes, looked_at }
    }

    /// How the repository of this path at a registry is reached, or with an empty path the registry itself. The prefix is
    /// what locations in the host stand for.
    pub fn host(&self, registry: &Registry, path: &str) -> Result<(Prefix, Host), BrokenFile> {
        let known = || self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry.clone(), path.to_owned());
        if let Some(answer) = known().get(&key) {
            return answer.clone();
        }
        let answer = self.make_host(registry, path);
        let mut known = known();
        if known.len() < CROWDED {
            known.insert(key, answer.clone());
        }
        answer
    }

    fn make_host(&self, registry: &Registry, path: &str) -> Answer {
        let explanation = self.explain(registry, Some(path));
        load::broken(&explanation.looked_at)?;
        let (prefix, _) = self.ranked(registry, path);
        let about = |registry: &Registry| self.about_mirror(registry);
        Ok((prefix, decide::host(Some(registry), explanation.used(), &about)?))
    }

    /// What a short name stands for: `fedora` and `fedora:41` may both be short for a repository elsewhere.
    pub fn alias(&self, image: &str) -> Result<Option<Alias>, BrokenFile> {
        self.check()?;
        let Some(name) = alias::short(image) else { return Ok(None) };
        let (own, theirs) = (&self.shared.own.aliases, &self.shared.registries.aliases);
        let found = own.get(name).or_else(|| theirs.get(name));
        Ok(found.and_then(|(repository, place)| {
            let (name, place) = (name.to_owned(), place.clone());
            Some(Alias { name, repository: repository.clone()?, place })
        }))
    }

    /// An image's name with the short name in it replaced; tag and digest stay.
    pub fn resolve(&self, image: &str) -> Result<Option<String>, BrokenFile> {
        let alias = self.alias(image)?;
        Ok(alias.map(|alias| format!("{}{}", alias.repository, &image[alias.name.len()..])))
    }

    /// Hosts of which nothing is known but what files say.
    pub fn hosts(self) -> Result<Hosts, BrokenFile> {
        self.check()?;
        Ok(Hosts::default().files(self))
    }

    /// Who may see the credentials of which registry.
    pub(super) fn trusted_realms(&self) -> Vec<(Registry, String)> {
        self.own(|registry, setting| match setting {
            Setting::TrustedRealms(hosts) => {
                hosts.iter().map(|host| (registry.clone(), host.clone())).collect()
            }
            _ => Vec::new(),
        })
    }

    /// Where a public registry may send us although it is on a private network.
    pub(super) fn private_hosts(&self) -> Vec<String> {
        self.own(|_, setting| match setting {
            Setting::PrivateHosts(hosts) => hosts.clone(),
            _ => Vec::new(),
        })
    }

    fn own<T>(&self, of: impl Fn(&Registry, &Setting) -> Vec<T>) -> Vec<T> {
        let registries = self.shared.own.registries.iter();
        registries
            .flat_map(|(registry, said)| said.iter().map(move |said| (registry, &said.setting)))
            .flat_map(|(registry, setting)| of(registry, setting))
            .collect()
    }

    /// What is said, the most important first, and the prefix that it is said for.
    fn ranked(&self, registry: &Registry, path: &str) -> (Prefix, Vec<Statement>) {
        let own = &self.shared.own;
        let rewrites = own.rewrites.iter().map(|(prefix, statement)| (prefix, statement));
        let rewrite = best(rewrites, registry, path);
        let tables = self.shared.registries.tables.iter();
        let table = best(tables.map(|(prefix, table)| (prefix, &table.0)), registry, path);
        let paths = [rewrite.map(|(prefix, _)| prefix), table.map(|(prefix, _)| prefix)];
        let longest =
            paths.iter().flatten().map(|prefix| prefix.path()).max_by_key(|path| path.len());
        let longest = longest.unwrap_or_default();

        let mut ranked: Vec<Statement> = self.flags(registry);
        ranked.extend(own.registries.get(registry).into_iter().flatten().cloned());
        ranked.extend(rewrite.map(|(prefix, statement)| {
            let mut statement = statement.clone();
            decide::rebase(&mut statement, prefix.path(), longest);
            statement
        }));
        ranked.extend(self.directories(registry).statements);
        if let Some((prefix, statements)) = table {
            ranked.extend(statements.iter().cloned().map(|mut statement| {
                decide::rebase(&mut statement, prefix.path(), longest);
                statement
            }));
        }
        let whole = || Prefix::from(registry.clone());
        (Repository::new(registry, longest).map_or_else(|_| whole(), Prefix::from), ranked)
    }

    fn flags(&self, registry: &Registry) -> Vec<Statement> {
        let flags = self.flags.iter().filter(|(about, _)| about == registry);
        flags.map(|(_, statement)| statement.clone()).collect()
    }

    /// What is said about the host of a mirror, whoever it is a mirror of: how to connect.
    fn about_mirror(&self, registry: &Registry) -> Result<Vec<Statement>, BrokenFile> {
        let mut ranked = self.flags(registry);
        ranked.extend(self.shared.own.registries.get(registry).into_iter().flatten().cloned());
        let certificates = Directories::certificates(&self.places, registry);
        load::broken(&certificates.looked_at)?;
        ranked.extend(certificates.statements);
        ranked.retain(|statement| {
            !matches!(
                statement.setting,
                Setting::Mirrors(_) | Setting::Location(_) | Setting::Endpoint { .. }
            )
        });
        Ok(ranked)
    }

    fn directories(&self, registry: &Registry) -> Directories {
        let known = || self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(registry) {
            return found.clone();
        }
        let found = Directories::load(&self.places, registry);
        let mut known = known();
        if known.len() < CROWDED {
            known.insert(registry.clone(), found.clone());
        }
        found
    }
}

/// The best prefix that covers a repository.
fn best<'a, T>(
    all: impl Iterator<Item = (&'a Prefix, T)>,
    registry: &Registry,
    path: &str,
) -> Option<(&'a Prefix, T)> {
    all.filter(|(prefix, _)| prefix.rest(registry, path).is_some())
        .max_by_key(|(prefix, _)| prefix.rank())
}

impl fmt::Debug for HostFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFiles").field("places", &self.places).finish_non_exhaustive()
    }
}
