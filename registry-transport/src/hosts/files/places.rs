//! Where configuration files are.

use std::path::{Path, PathBuf};

use registry_authn::Environment;

use super::own;

/// The files and directories that configuration is read from. The surroundings are a value: nothing else is looked at.
///
/// ```
/// use registry_authn::Environment;
/// use registry_transport::files::Places;
///
/// // Those of this machine, with our own file elsewhere.
/// let places = Places::of(&Environment::current(), "/").own_file("hosts.toml");
/// // Our own file alone.
/// let alone = Places::none().own_file("hosts.toml");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Our own file, and whether it has to be there.
    pub(super) own: Option<(PathBuf, bool)>,
    /// Directories of directories with a `hosts.toml`, the most important first.
    pub(super) containerd: Vec<PathBuf>,
    /// Directories of directories with certificates, the most important first.
    pub(super) certs: Vec<PathBuf>,
    pub(super) registries: Vec<RegistriesConf>,
}

/// A main file and its drop-in directories, in the order in which they are read. The first whose main file exists counts,
/// or else the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RegistriesConf {
    pub(super) main: PathBuf,
    pub(super) drop_ins: Vec<PathBuf>,
    /// Whether the main file has to be there.
    pub(super) required: bool,
}

impl Places {
    /// Nowhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// The usual places: below `root`, which is `/`, and in the user's directories, which the variables
    /// `XDG_CONFIG_HOME` and `CONTAINERS_REGISTRIES_CONF` and the home directory tell.
    pub fn of(environment: &Environment, root: impl AsRef<Path>) -> Self {
        let mut places = Self::user(environment);
        let etc = root.as_ref().join("etc");
        places.containerd.push(etc.join("containerd/certs.d"));
        places.certs.extend([etc.join("containers/certs.d"), etc.join("docker/certs.d")]);
        if environment.get("CONTAINERS_REGISTRIES_CONF").is_some() {
            return places;
        }
        let mut drop_ins = vec![etc.join("containers/registries.conf.d")];
        drop_ins.extend(places.registries.iter().flat_map(|user| user.drop_ins.clone()));
        for main in [etc, root.as_ref().join("usr/share")] {
            let main = main.join("containers/registries.conf");
            let drop_ins = drop_ins.clone();
            places.registries.push(RegistriesConf { main, drop_ins, required: false });
        }
        places
    }

    /// The user's own places alone.
    pub fn user(environment: &Environment) -> Self {
        let mut places = Self::none();
        let variable = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
        if let Some(config) =
            variable.or_else(|| environment.home_dir().map(|home| home.join(".config")))
        {
            places.own = Some((own::default_path(&config), false));
            places.containerd.push(config.join("containerd/certs.d"));
            places.certs.push(config.join("containers/certs.d"));
            places.certs.push(config.join("docker/certs.d"));
            places.registries.push(RegistriesConf {
                main: config.join("containers/registries.conf"),
                drop_ins: vec![config.join("containers/registries.conf.d")],
                required: false,
            });
        }
        if let Some(main) = environment.get("CONTAINERS_REGISTRIES_CONF") {
            let main = main.into();
            places.registries = vec![RegistriesConf { main, drop_ins: Vec::new(), required: true }];
        }
        places
    }

    /// Our own file is this one, and has to be there.
    #[must_use]
    pub fn own_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.own = Some((path.into(), true));
        self
    }

    /// One more directory of containerd's kind, after those that are known: `DIR/HOST/hosts.toml`.
    #[must_use]
    pub fn hosts_toml(mut self, directory: impl Into<PathBuf>) -> Self {
        self.containerd.push(directory.into());
        self
    }

    /// One more directory of Docker's kind, after those that are known: `DIR/HOST/*.crt`.
    #[must_use]
    pub fn certs_d(mut self, directory: impl Into<PathBuf>) -> Self {
        self.certs.push(directory.into());
        self
    }

    /// This file of the containers tools, which has to be there, in place of all that are known.
    #[must_use]
    pub fn registries_conf(mut self, path: impl Into<PathBuf>) -> Self {
        let (main, drop_ins) = (path.into(), Vec::new());
        self.registries = vec![RegistriesConf { main, drop_ins, required: true }];
        self
    }
}
