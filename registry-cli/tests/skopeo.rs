//! The same files lead skopeo and `registry` to the same place: `registries.conf` and `certs.d` in a home directory, a
//! registry on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod served;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use registry_faults::{
    peers::{self, Kind, Server},
    sample, skip,
};
use served::{Served, alone, registry, succeed, text};
use tempfile::TempDir;

const SIZE: u64 = 1 << 20;

/// A home directory that skopeo and `registry` share.
struct Home {
    skopeo: PathBuf,
    directory: TempDir,
}

impl Home {
    /// None where skopeo is not installed.
    fn new() -> Option<Self> {
        let Some(skopeo) = peers::find("skopeo") else {
            skip!("skopeo is not installed");
            return None;
        };
        Some(Self { skopeo, directory: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file below `.config/containers`.
    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(".config/containers").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// An image for `reference`; its digest.
    fn image(&self, reference: &str, options: &[&str]) -> String {
        let directory = self.path("in");
        let sample = sample::image(&directory, "v1", SIZE).unwrap();
        let mut words = vec!["push", directory.to_str().unwrap(), reference];
        words.extend(options);
        text(&words);
        sample.digest().to_owned()
    }

    fn skopeo(&self, image: &str) -> Command {
        let mut command = alone(&self.skopeo);
        let image = format!("docker://{image}");
        command.args([
            "--insecure-policy",
            "inspect",
            "--no-tags",
            "--format",
            "{{.Digest}}",
            &image,
        ]);
        self.at_home(command)
    }

    fn ours(&self, image: &str) -> Command {
        let mut command = registry(&["digest", image]);
        command.args(["--output", "json"]);
        self.at_home(command)
    }

    fn at_home(&self, mut command: Command) -> Command {
        let home = self.directory.path();
        // Both look in `.config`.
        command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env_remove("XDG_CONFIG_HOME");
        command
    }

    /// Both see this digest.
    fn both_find(&self, image: &str, digest: &str) {
        assert_eq!(succeed(self.skopeo(image)), digest, "skopeo {image}");
        let found = succeed(self.ours(image));
        assert!(found.contains(&format!("\"digest\":\"{digest}\"")), "{image}: {found}");
    }

    /// Both refuse.
    fn both_fail(&self, image: &str) -> (Output, Output) {
        let outputs = (self.skopeo(image).output().unwrap(), self.ours(image).output().unwrap());
        assert!(!outputs.0.status.success() && !outputs.1.status.success(), "{outputs:?}");
        outputs
    }
}

/// A registry that others wrote, where it is installed, and our own.
fn registries() -> (Option<Server>, Served) {
    let theirs = match Server::start(Kind::DockerRegistry) {
        Ok(server) => Some(server),
        Err(error) => {
            skip!("docker-registry does not start: {error}");
            None
        }
    };
    (theirs, Served::start(&[]))
}

#[test]
fn registries_conf_leads_to_the_same_mirror_and_the_same_location() {
    let Some(home) = Home::new() else { return };
    let (theirs, ours) = registries();
    for host in theirs.iter().map(Server::host).chain([ours.host.clone()]) {
        let digest = home.image(&format!("{host}/copies/app:v1"), &[]);
        home.file(
            "registries.conf",
            format!(
                "[[registry]]\nlocation = \"mirrored.example\"\n\
                 [[registry.mirror]]\nlocation = \"{host}/copies\"\ninsecure = true\n\
                 [[registry]]\nprefix = \"moved.example/team\"\nlocation = \"{host}/copies\"\ninsecure = true\n\
                 [[registry]]\nlocation = \"{host}\"\ninsecure = true\n\
                 [[registry]]\nprefix = \"{host}/blocked\"\nlocation = \"{host}/other\"\nblocked = true\n"
            ),
        );
        home.both_find("mirrored.example/app:v1", &digest);
        home.both_find("moved.example/team/app:v1", &digest);
        home.both_find(&format!("{host}/copies/app:v1"), &digest);
        let (skopeo, ours) = home.both_fail(&format!("{host}/blocked/app:v1"));
        for output in [skopeo, ours] {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("blocked"), "{said}");
        }
    }
}

#[test]
fn certs_d_makes_both_trust_the_same_registry() {
    let Some(home) = Home::new() else { return };
    let ca = home.path("ca.pem");
    let served = Served::start(&["--tls-self-signed", ca.to_str().unwrap()]);
    let image = format!("{}/app:v1", served.host);
    // Without the certificate neither trusts it.
    home.both_fail(&image);
    home.file(&format!("certs.d/{}/ca.crt", served.host), fs::read(&ca).unwrap());
    let directory = home.path("in");
    let sample = sample::image(&directory, "v1", SIZE).unwrap();
    let push = registry(&["push", directory.to_str().unwrap(), &image]);
    succeed(home.at_home(push));
    home.both_find(&image, sample.digest());
}

#[test]
fn insecure_makes_both_accept_an_unknown_certificate() {
    let Some(home) = Home::new() else { return };
    let served = Served::start(&["--tls-self-signed", home.path("ca.pem").to_str().unwrap()]);
    let image = format!("{}/app:v1", served.host);
    home.both_fail(&image);
    let conf = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", served.host);
    home.file("registries.conf", conf);
    let directory = home.path("in");
    let sample = sample::image(&directory, "v1", SIZE).unwrap();
    let push = registry(&["push", directory.to_str().unwrap(), &image]);
    succeed(home.at_home(push));
    home.both_find(&image, sample.digest());
}
