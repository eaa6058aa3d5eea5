//! Reads the files. What is broken is kept: it hides nothing else, and is an error for whom it concerns.

use std::path::{Path, PathBuf};

use registry_name::Registry;

use super::broken::BrokenFile;
use super::certs::{self, Certificates};
use super::containerd::{self, HostsToml};
use super::explain::{LookedAt, State};
use super::own::{self, Own};
use super::places::{Places, RegistriesConf};
use super::read;
use super::registries::{self, Registries};
use super::setting::{Family, Note, Place, Statement};

/// What is read once, for all registries.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) own: Own,
    pub(super) registries: Registries,
    pub(super) looked_at: Vec<LookedAt>,
}

/// What the directories say about one registry, in the order of their importance.
#[derive(Clone, Debug, Default)]
pub(super) struct Directories {
    pub(super) statements: Vec<Statement>,
    pub(super) notes: Vec<Note>,
    pub(super) looked_at: Vec<LookedAt>,
}

impl Shared {
    pub(super) fn load(places: &Places) -> Self {
        let mut shared = Self::default();
        if let Some((path, required)) = &places.own {
            let parsed = shared.look(Family::Own, path, *required, |bytes| own::parse(path, bytes));
            shared.own = parsed.unwrap_or_default();
        }
        if let Some(conf) = choose(&places.registries) {
            shared.load_registries(conf);
        }
        shared
    }

    fn load_registries(&mut self, conf: &RegistriesConf) {
        let main = self.look(Family::RegistriesConf, &conf.main, conf.required, |bytes| {
            registries::parse(&conf.main, bytes, false)
        });
        self.registries = main.unwrap_or_default();
        for directory in &conf.drop_ins {
            let listed = read::directory(directory);
            let files = listed.clone().unwrap_or_default().unwrap_or_default();
            self.looked_at.push(LookedAt::new(Family::RegistriesConf, directory, &listed));
            for file in files.iter().filter(|file| is_drop_in(file)) {
                let parsed = self.look(Family::RegistriesConf, file, false, |bytes| {
                    registries::parse(file, bytes, true)
                });
                self.registries.merge(parsed.unwrap_or_default());
            }
        }
    }

    fn look<T>(
        &mut self,
        family: Family,
        path: &Path,
        required: bool,
        parse: impl FnOnce(&[u8]) -> Result<T, BrokenFile>,
    ) -> Option<T> {
        let read = match read::file(path) {
            Ok(None) if required => Err(BrokenFile::new(path, None, "there is no such file")),
            read => read,
        };
        let parsed = read.and_then(|bytes| bytes.map(|bytes| parse(&bytes)).transpose());
        self.looked_at.push(LookedAt::new(family, path, &parsed));
        parsed.ok().flatten()
    }
}

impl Directories {
    pub(super) fn load(places: &Places, registry: &Registry) -> Self {
        let mut found = Self::default();
        found.containerd(places, registry);
        found.certs(places, registry);
        found
    }

    /// What is for every host of this name, whatever file of another kind is about it: certificates.
    pub(super) fn certificates(places: &Places, registry: &Registry) -> Self {
        let mut found = Self::default();
        found.certs(places, registry);
        found
    }

    /// The first directory that exists counts, and `_default` if there is none.
    fn containerd(&mut self, places: &Places, registry: &Registry) {
        let mut names = Vec::new();
        if let Some(port) = registry.port() {
            names.push(format!("{}_{port}_", registry.host()));
        }
        names.extend([registry.to_string(), "_default".to_owned()]);
        for base in &places.containerd {
            for name in &names {
                let directory = base.join(name);
                let listed = read::directory(&directory);
                if matches!(listed, Ok(None)) {
                    self.looked_at.push(LookedAt::new(Family::HostsToml, &directory, &listed));
                    continue;
                }
                return self.host_directory(&directory, listed);
            }
        }
    }

    fn host_directory(
        &mut self,
        directory: &Path,
        listed: Result<Option<Vec<PathBuf>>, BrokenFile>,
    ) {
        let file = directory.join("hosts.toml");
        let parsed = listed.and_then(|listed| {
            let bytes = read::file(&file)?;
            let parsed = bytes.map(|bytes| containerd::parse(&file, &bytes)).transpose()?;
            match parsed {
                Some(HostsToml { statements, notes }) => {
                    Ok(Some(Certificates { statements, notes }))
                }
                // Without the file, the directory is one of certificates.
                None => certs::sort(directory, &listed.unwrap_or_default()).map(Some),
            }
        });
        self.looked_at.push(LookedAt::new(Family::HostsToml, &file, &parsed));
        self.add(parsed);
    }

    /// The first directory that exists counts, and no other.
    fn certs(&mut self, places: &Places, registry: &Registry) {
        let mut chosen: Option<PathBuf> = None;
        for base in &places.certs {
            let directory = base.join(registry.as_str());
            let listed = read::directory(&directory);
            if matches!(listed, Ok(None)) {
                self.looked_at.push(LookedAt::new(Family::CertsD, &directory, &listed));
                continue;
            }
            if let Some(chosen) = &chosen {
                let why = format!("{} exists, and comes first", chosen.display());
                let place =
                    Place { family: Family::CertsD, file: directory, line: None, table: None };
                self.notes.push(Note { what: "certificates".to_owned(), why, place });
                continue;
            }
            let sorted = listed.and_then(|listed| {
                listed.map(|listed| certs::sort(&directory, &listed)).transpose()
            });
            self.looked_at.push(LookedAt::new(Family::CertsD, &directory, &sorted));
            self.add(sorted);
            chosen = Some(directory);
        }
    }

    fn add(&mut self, found: Result<Option<Certificates>, BrokenFile>) {
        let Certificates { statements, notes } = found.ok().flatten().unwrap_or_default();
        self.statements.extend(statements);
        self.notes.extend(notes);
    }
}

/// The first broken one of what was looked at.
pub(super) fn broken(looked_at: &[LookedAt]) -> Result<(), BrokenFile> {
    let broken = looked_at.iter().find_map(|at| match &at.state {
        State::Broken(broken) => Some(broken.clone()),
        State::Absent | State::Read => None,
    });
    broken.map_or(Ok(()), Err)
}

fn choose(all: &[RegistriesConf]) -> Option<&RegistriesConf> {
    all.iter().find(|conf| conf.main.symlink_metadata().is_ok()).or(all.last())
}

fn is_drop_in(file: &Path) -> bool {
    // Directories are left aside whatever their name; a pipe or a device is an error.
    file.extension().is_some_and(|end| end == "conf") && !file.is_dir()
}
