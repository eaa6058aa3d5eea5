//! Installs the programs that others wrote, for tests to compare with: with Go into `target/peers/`, with apt (as root) for the whole
//! machine. What cannot be had is said, and is no failure: tests that need it say that they are skipped.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use registry_faults::peers;

use crate::run::{output, succeed};

/// Programs that Go builds: the name here, the package, and the name that Go gives.
const GO: [(&str, &str, &str); 3] = [
    ("crane", "github.com/google/go-containerregistry/cmd/crane@v0.22.1", "crane"),
    ("regctl", "github.com/regclient/regclient/cmd/regctl@v0.11.7", "regctl"),
    ("registry3", "github.com/distribution/distribution/v3/cmd/registry@v3.1.2", "registry"),
];

/// Programs that Debian has: the name, and its package.
const DEBIAN: [(&str, &str); 5] = [
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("docker-credential-pass", "golang-docker-credential-helpers"),
    ("pass", "pass"),
    ("chromium", "chromium"),
];

/// Programs that are used if somebody installed them.
const PICKED_UP: [&str; 3] = ["oras", "zot", "conformance"];

pub(crate) fn run() {
    let debian = install_debian();
    for (name, package, built) in GO {
        let installed = match peers::find(name) {
            Some(_) => Ok(()),
            None => install_go(name, package, built),
        };
        report(name, installed.err());
    }
    for (name, _) in DEBIAN {
        let missing = peers::find(name).is_none();
        let reason =
            debian.as_ref().err().map_or("no reason given".to_owned(), |e| format!("{e:#}"));
        report(name, missing.then(|| anyhow::anyhow!(reason)));
    }
    for name in PICKED_UP {
        if peers::find(name).is_some() {
            report(name, None);
        }
    }
}

fn report(name: &str, missing: Option<anyhow::Error>) {
    match (peers::find(name), missing) {
        (Some(path), _) => println!("{name:24} {}", path.display()),
        (None, Some(reason)) => println!("{name:24} missing: {reason:#}"),
        (None, None) => println!("{name:24} missing: installed, and not found afterwards"),
    }
}

fn install_go(name: &str, package: &str, built: &str) -> Result<()> {
    let folder = peers::folder();
    fs::create_dir_all(&folder)?;
    let scratch = tempfile::tempdir_in(&folder)?;
    println!("{name:24} go install {package}");
    let mut go = Command::new("go");
    // Pure Go needs no C compiler, and its programs run anywhere.
    go.args(["install", package]).env("GOBIN", scratch.path()).env("CGO_ENABLED", "0");
    // What it prints is progress; the error, if any, is the last lines of it.
    output(&mut go)?;
    let file = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    fs::rename(scratch.path().join(file(built)), folder.join(file(name)))
        .with_context(|| format!("go installed {package} somewhere else"))
}

fn install_debian() -> Result<()> {
    let missing: Vec<_> = DEBIAN
        .into_iter()
        .filter(|(name, _)| peers::find(name).is_none())
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("not installed, and there is no apt-get here");
    }
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("not installed; as root: apt-get install {}", missing.join(" "));
    }
    let _quiet = NoServices::begin()?;
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(missing);
    apt(&install)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    succeed(apt.stdin(Stdio::null()).stdout(Stdio::null()))
}

/// While it lives, packages start no services: only the program is wanted (see Debian's invoke-rc.d(8), policy-rc.d).
struct NoServices {
    created: bool,
}

impl NoServices {
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn begin() -> Result<Self> {
        let file = fs::OpenOptions::new().write(true).create_new(true).open(Self::POLICY);
        let Ok(mut file) = file else {
            // The machine has a policy of its own.
            return Ok(Self { created: false });
        };
        let begun = Self { created: true };
        file.write_all(b"#!/bin/sh\nexit 101\n")?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
        Ok(begun)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.created {
            // It was ours; if somebody removed it already, all the better.
            let _ = fs::remove_file(Self::POLICY);
        }
    }
}
