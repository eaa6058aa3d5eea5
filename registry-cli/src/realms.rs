//! Which token endpoints were allowed at login: `registry/realms.json` in the configuration directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use registry_authn::Environment;
use registry_name::Registry;
use registry_transport::Hosts;

use crate::{failure::Failure, files};

/// Registries, and the hosts of their token endpoints that may see their passwords.
type Allowed = BTreeMap<Registry, BTreeSet<String>>;

/// The file; there is none in an environment without a home.
#[derive(Debug)]
pub(crate) struct Realms(Option<PathBuf>);

/// A larger file is none of ours.
const LARGEST: u64 = 1 << 20;

impl Realms {
    pub(crate) fn of(environment: &Environment) -> Self {
        Self(environment.config_dir().map(|directory| directory.join("registry/realms.json")))
    }

    /// The hosts with what was allowed. A file that cannot be read is an error.
    pub(crate) fn add_to(&self, hosts: Hosts) -> Result<Hosts, Failure> {
        let all = self.read()?.into_iter();
        let pairs = all.flat_map(|(registry, realms)| {
            realms.into_iter().map(move |realm| (registry.clone(), realm))
        });
        Ok(pairs.fold(hosts, |hosts, (registry, realm)| hosts.trust_realm(registry, realm)))
    }

    pub(crate) fn allow(&self, registry: &Registry, hosts: &[String]) -> Result<(), Failure> {
        let mut allowed = self.read()?;
        allowed.entry(registry.clone()).or_default().extend(hosts.iter().cloned());
        self.write(&allowed)
    }

    pub(crate) fn forget(&self, registry: &Registry) -> Result<(), Failure> {
        let mut allowed = self.read()?;
        match allowed.remove(registry) {
            Some(_) => self.write(&allowed),
            None => Ok(()),
        }
    }

    fn read(&self) -> Result<Allowed, Failure> {
        let Some(path) = &self.0 else { return Ok(Allowed::new()) };
        let bytes = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Allowed::new()),
            bytes => bytes.map_err(|error| Failure::file("read", path, error))?,
        };
        serde_json::from_slice(&bytes).map_err(|error| Failure::file("read", path, error.into()))
    }

    fn write(&self, allowed: &Allowed) -> Result<(), Failure> {
        let Some(path) = &self.0 else { return Ok(()) };
        let directory = path.parent().map_or(Ok(()), fs::create_dir_all);
        directory
            .and_then(|()| serde_json::to_vec_pretty(allowed).map_err(io::Error::from))
            .and_then(|bytes| files::replace(path, &bytes))
            .map_err(|error| Failure::file("write", path, error))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(path)?, LARGEST), &mut bytes)?;
    Ok(bytes)
}
