//! Programs that others wrote push to and pull from `registry serve`, and read the layouts that
//! `registry pull` writes: byte for byte the same digests.
//!
//! `cargo xtask peers` installs them; a test whose program is missing says that it is skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod served;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use registry_faults::{layout, peers, sample, skip};
use served::{Served, alone, succeed, text};
use tempfile::TempDir;

/// At least 20 MiB of real files.
const SIZE: u64 = 20 << 20;

/// A program's way to copy one image.
struct Peer {
    program: PathBuf,
    /// From a layout to a registry.
    push: fn(&mut Command, layout: &str, image: &str),
    /// From a registry to a fresh layout.
    pull: fn(&mut Command, image: &str, layout: &str),
}

#[test]
fn skopeo_and_registry_agree_on_every_digest() {
    agree(
        "skopeo",
        |command, layout, image| {
            let (from, to) = (format!("oci:{layout}:v1"), format!("docker://{image}"));
            command.args(["copy", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
            command.args([from, to]);
        },
        |command, image, layout| {
            let (from, to) = (format!("docker://{image}"), format!("oci:{layout}:v1"));
            command.args(["copy", "--all", "--preserve-digests", "--src-tls-verify=false"]);
            command.args([from, to]);
        },
    );
}

#[test]
fn crane_and_registry_agree_on_every_digest() {
    agree(
        "crane",
        |command, layout, image| {
            command.args(["push", "--insecure", layout, image]);
        },
        |command, image, layout| {
            command.args(["pull", "--insecure", "--format=oci", image, layout]);
        },
    );
}

#[test]
fn regctl_and_registry_agree_on_every_digest() {
    agree(
        "regctl",
        |command, layout, image| {
            command.args(["image", "copy", &format!("ocidir://{layout}:v1"), image]);
        },
        |command, image, layout| {
            command.args(["image", "copy", image, &format!("ocidir://{layout}:v1")]);
        },
    );
}

fn agree(name: &str, push: fn(&mut Command, &str, &str), pull: fn(&mut Command, &str, &str)) {
    let Some(program) = peers::find(name) else {
        return skip!("{name} is not installed; `cargo xtask peers` does it");
    };
    let peer = Peer { program, push, pull };
    let served = Served::start(&[]);
    for (name, sample) in [("image", sample::image as Write), ("index", sample::index)] {
        let directory = tempfile::tempdir().unwrap();
        let written = sample(&directory.path().join("in"), "v1", SIZE).unwrap();
        both_ways(&peer, &served, &directory, name, written.digest());
    }
}

type Write = fn(&Path, &str, u64) -> std::io::Result<sample::Sample>;

/// The peer pushes and we pull; the peer pushes what we pulled; we push and the peer pulls.
fn both_ways(peer: &Peer, served: &Served, directory: &TempDir, name: &str, digest: &str) {
    let path = |name: &str| directory.path().join(name);
    let word = |name: &str| path(name).to_str().unwrap().to_owned();
    let all = layout::verified_blobs(&path("in")).unwrap();
    let theirs = served.image(&format!("theirs/{name}:v1"));
    peer.run(served, |command| (peer.push)(command, &word("in"), &theirs));
    assert_eq!(text(&["digest", &theirs]), digest);

    text(&["pull", &theirs, &word("ours")]);
    assert_eq!(layout::verified_blobs(&path("ours")).unwrap(), all);
    let again = served.image(&format!("again/{name}:v1"));
    peer.run(served, |command| (peer.push)(command, &word("ours"), &again));
    assert_eq!(text(&["digest", &again]), digest);

    let ours = served.image(&format!("ours/{name}:v1"));
    text(&["push", &word("ours"), &ours]);
    peer.run(served, |command| (peer.pull)(command, &ours, &word("back")));
    assert_eq!(listed(&path("back")), digest);
    assert_eq!(layout::verified_blobs(&path("back")).unwrap(), all);
}

/// The digest of the only entry.
fn listed(layout: &Path) -> String {
    let entries = layout::entries(layout).unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0]["digest"].as_str().unwrap().to_owned()
}

impl Peer {
    fn run(&self, served: &Served, arguments: impl FnOnce(&mut Command)) {
        let mut command = alone(&self.program);
        if self.program.ends_with("regctl") {
            command.args(["--host", &format!("reg={},tls=disabled", served.host)]);
        }
        arguments(&mut command);
        succeed(command);
    }
}
