//! The programs that are compared, and how each is told to do the same work. At their default settings.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use registry_faults::{alone, peers};

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// From a registry into a new OCI layout.
    Pull { image: String, layout: PathBuf },
    /// From an OCI layout, tag `v1`, to a registry.
    Push { layout: PathBuf, image: String },
    /// From one place of a registry to another.
    Copy { from: String, to: String },
    /// From a registry into a docker archive.
    Archive { image: String, file: PathBuf },
    /// The digest of a tag.
    Digest { image: String },
}

/// Who does it.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    path: PathBuf,
}

/// How the registries of a work are reached.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// `HOST:PORT` of each.
    pub(crate) hosts: Vec<String>,
    /// The certificate authority, where they speak TLS.
    pub(crate) authority: Option<PathBuf>,
    /// The user's home directory, with the credentials.
    pub(crate) home: PathBuf,
}

pub(crate) const OURS: &str = "registry";

/// Ours first, then every installed peer.
pub(crate) fn all(ours: PathBuf) -> Vec<Program> {
    let mut programs = vec![Program { name: OURS, path: ours }];
    for name in ["crane", "regctl", "skopeo", "oras"] {
        match peers::find(name) {
            Some(path) => programs.push(Program { name, path }),
            None => println!("skipped: {name} is not installed"),
        }
    }
    programs
}

impl Program {
    /// The command line for a deed; `None` where the program does not do such a thing.
    pub(crate) fn command(&self, deed: &Deed, reach: &Reach) -> Option<Command> {
        let words = match self.name {
            OURS => ours(deed, reach),
            "crane" => crane(deed),
            "regctl" => regctl(deed, reach),
            "skopeo" => skopeo(deed, reach),
            _ => oras(deed, reach)?,
        };
        let mut command = alone(&self.path, &reach.home);
        command.args(words).stdin(Stdio::null()).current_dir(&reach.home);
        // Apart, so that it can be cleared.
        command.env("XDG_CACHE_HOME", reach.home.join("cache"));
        match &reach.authority {
            Some(file) => command.env("SSL_CERT_FILE", file),
            None => command.env_remove("SSL_CERT_FILE"),
        };
        Some(command)
    }
}

fn ours(deed: &Deed, reach: &Reach) -> Vec<String> {
    let mut words = vec!["--quiet".to_owned()];
    if reach.authority.is_some() {
        for host in &reach.hosts {
            words.extend(["--tls".to_owned(), host.clone()]);
        }
    }
    words.extend(match deed {
        Deed::Pull { image, layout } => vec!["pull".into(), image.clone(), oci(layout)],
        Deed::Push { layout, image } => vec!["push".into(), oci(layout), image.clone()],
        Deed::Copy { from, to } => vec!["copy".into(), from.clone(), to.clone()],
        Deed::Archive { image, file } => {
            vec!["pull".into(), image.clone(), format!("docker-archive:{}", file.display())]
        }
        Deed::Digest { image } => vec!["digest".into(), image.clone()],
    });
    words
}

fn crane(deed: &Deed) -> Vec<String> {
    match deed {
        Deed::Pull { image, layout } => {
            vec!["pull".into(), "--format=oci".into(), image.clone(), shown(layout)]
        }
        Deed::Push { layout, image } => vec!["push".into(), shown(layout), image.clone()],
        Deed::Copy { from, to } => vec!["copy".into(), from.clone(), to.clone()],
        Deed::Archive { image, file } => vec!["pull".into(), image.clone(), shown(file)],
        Deed::Digest { image } => vec!["digest".into(), image.clone()],
    }
}

fn regctl(deed: &Deed, reach: &Reach) -> Vec<String> {
    let tls = if reach.authority.is_some() { "enabled" } else { "disabled" };
    let hosts = reach.hosts.iter().map(|host| format!("--host=reg={host},tls={tls}"));
    let mut words: Vec<String> = hosts.collect();
    let layout = |path: &Path| format!("ocidir://{}:v1", path.display());
    words.push("image".into());
    words.extend(match deed {
        Deed::Pull { image, layout: to } => vec!["copy".into(), image.clone(), layout(to)],
        Deed::Push { layout: from, image } => vec!["copy".into(), layout(from), image.clone()],
        Deed::Copy { from, to } => vec!["copy".into(), from.clone(), to.clone()],
        Deed::Archive { image, file } => vec!["export".into(), image.clone(), shown(file)],
        Deed::Digest { image } => vec!["digest".into(), image.clone()],
    });
    words
}

fn skopeo(deed: &Deed, reach: &Reach) -> Vec<String> {
    let verify = reach.authority.is_some();
    let (from_tls, to_tls) =
        (format!("--src-tls-verify={verify}"), format!("--dest-tls-verify={verify}"));
    let docker = |image: &str| format!("docker://{image}");
    match deed {
        Deed::Pull { image, layout } => {
            vec!["copy".into(), "-q".into(), from_tls, docker(image), oci(layout)]
        }
        Deed::Push { layout, image } => {
            vec!["copy".into(), "-q".into(), to_tls, oci(layout), docker(image)]
        }
        Deed::Copy { from, to } => {
            vec!["copy".into(), "-q".into(), from_tls, to_tls, docker(from), docker(to)]
        }
        Deed::Archive { image, file } => {
            let to = format!("docker-archive:{}", file.display());
            vec!["copy".into(), "-q".into(), from_tls, docker(image), to]
        }
        Deed::Digest { image } => vec![
            "inspect".into(),
            format!("--tls-verify={verify}"),
            "--no-tags".into(),
            "--format={{.Digest}}".into(),
            docker(image),
        ],
    }
}

fn oras(deed: &Deed, reach: &Reach) -> Option<Vec<String>> {
    let plain = reach.authority.is_none();
    let (from_plain, to_plain) =
        (format!("--from-plain-http={plain}"), format!("--to-plain-http={plain}"));
    let layout = |path: &Path| format!("{}:v1", path.display());
    Some(match deed {
        Deed::Pull { image, layout: to } => {
            vec!["cp".into(), from_plain, image.clone(), "--to-oci-layout".into(), layout(to)]
        }
        Deed::Push { layout: from, image } => {
            vec!["cp".into(), to_plain, "--from-oci-layout".into(), layout(from), image.clone()]
        }
        Deed::Copy { from, to } => {
            vec!["cp".into(), from_plain, to_plain, from.clone(), to.clone()]
        }
        Deed::Archive { .. } => return None,
        Deed::Digest { image } => {
            vec!["resolve".into(), format!("--plain-http={plain}"), image.clone()]
        }
    })
}

fn oci(layout: &Path) -> String {
    format!("oci:{}:v1", layout.display())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
