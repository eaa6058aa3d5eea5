//! Configuration files of registries: what they change, what `registry hosts` says about them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{fs, path::Path};

use common::{Bench, Outcome, outcome};
use registry_authn::Environment;
use registry_cli::{Exit, System};
use registry_faults::sample;
use serde_json::{Value, json};

const SIZE: u64 = 1 << 20;
const OWN: &str = "home/.config/registry/hosts.toml";

/// A registry and a machine with files: `home/…` and `etc/…`.
struct Machine(Bench);

impl Machine {
    async fn new() -> Self {
        Self(Bench::new().await)
    }

    fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    async fn run(&self, words: &[&str]) -> Outcome {
        let environment = Environment::empty().home(self.0.path("home"));
        let (system, captured) = System::captured(environment);
        outcome(words, system.root(self.0.directory.path()), &captured).await
    }

    async fn text(&self, words: &[&str]) -> String {
        let outcome = self.run(words).await;
        assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
        outcome.text().trim_end_matches('\n').to_owned()
    }

    /// An image in the registry; its digest.
    async fn image(&self, name: &str) -> String {
        let sample = sample::image(&self.0.path("in"), "v1", SIZE).unwrap();
        self.0.text(&["push", &self.0.word("in"), &self.0.image(name)]).await;
        sample.digest().to_owned()
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.directory.path().display()), "")
    }
}

#[tokio::test]
async fn a_file_says_where_a_registry_is() {
    let machine = Machine::new().await;
    let digest = machine.image("team/app:v1").await;
    let endpoint = format!("endpoint = \"http://{}\"\n", machine.0.host);
    machine.file(OWN, &format!("[registry.\"registry.example\"]\n{endpoint}"));
    assert_eq!(machine.text(&["digest", "registry.example/team/app:v1"]).await, digest);

    machine.file("other.toml", &format!("[registry.\"other.example\"]\n{endpoint}"));
    let other = machine.0.word("other.toml");
    let words = ["digest", "other.example/team/app:v1", "--hosts-file", &other];
    assert_eq!(machine.text(&words).await, digest);
}

#[tokio::test]
async fn a_file_of_each_kind_is_found_below_the_root() {
    let machine = Machine::new().await;
    let digest = machine.image("team/app:v1").await;
    machine.file(
        "etc/containerd/certs.d/a.example/hosts.toml",
        &format!("server = \"http://{}\"\n", machine.0.host),
    );
    assert_eq!(machine.text(&["digest", "a.example/team/app:v1"]).await, digest);
}

#[tokio::test]
async fn an_alias_is_taken_for_its_repository_only_when_asked_to() {
    let machine = Machine::new().await;
    let digest = machine.image("team/app:v1").await;
    let target = machine.0.image("team/app");
    machine.file(
        "etc/containers/registries.conf.d/000-shortnames.conf",
        &format!("[aliases]\napp = \"{target}\"\n"),
    );
    assert_eq!(machine.text(&["digest", "app:v1", "--aliases"]).await, digest);
    assert_eq!(machine.text(&["--aliases", "ls", "app"]).await, "v1");
    let place = format!("oci:{}", machine.0.word("out"));
    machine.text(&["pull", "app:v1", &place, "--aliases"]).await;
    machine.text(&["copy", "app:v1", &machine.0.image("other:v1"), "--aliases"]).await;
    machine.text(&["copy", &place, &machine.0.image("third:v1"), "--aliases"]).await;
    let first = |text: String| text.lines().next().unwrap().to_owned();
    assert_eq!(first(machine.text(&["hosts", "app:v1", "--aliases"]).await), target);
    assert_eq!(first(machine.text(&["hosts", "app:v1"]).await), "docker.io/library/app");
}

#[tokio::test]
async fn a_broken_file_is_named_with_its_line_and_nothing_is_asked() {
    let machine = Machine::new().await;
    machine.image("team/app:v1").await;
    let image = machine.0.image("team/app:v1");
    machine.file(OWN, "[registry.\"a.example\"]\nca_file = \"ca.pem\"\n");
    let outcome = machine.run(&["digest", &image]).await;
    assert_eq!(outcome.exit, Exit::Local, "{outcome:?}");
    assert_eq!(
        machine.short(&outcome.stderr).lines().collect::<Vec<_>>(),
        [
            "error: home/.config/registry/hosts.toml:2: \"ca_file\" is not known in [registry.\"a.example\"]",
            "hint: correct it; --no-hosts-files goes on without any such file",
        ]
    );
    machine.text(&["digest", &image, "--no-hosts-files"]).await;

    // A directory is about one registry, and stops no other.
    fs::remove_file(machine.0.path(OWN)).unwrap();
    let broken = "etc/containerd/certs.d/a.example/hosts.toml";
    machine.file(broken, "server = 1\n");
    machine.text(&["digest", &image]).await;
    let outcome = machine.run(&["digest", "a.example/x"]).await;
    assert_eq!(outcome.exit, Exit::Local, "{outcome:?}");
    let said = machine.short(&outcome.stderr);
    assert!(said.contains(&format!("{broken}:1: server is a whole number")), "{said}");
    assert!(said.contains("hint: correct it; --no-hosts-files"), "{said}");
}

#[tokio::test]
async fn a_file_that_was_asked_for_and_is_not_there_is_a_failure() {
    let machine = Machine::new().await;
    let outcome = machine.run(&["digest", "a.example/x", "--hosts-file", "/nonexistent"]).await;
    assert_eq!(outcome.exit, Exit::Local);
    assert!(outcome.stderr.starts_with("error: /nonexistent: there is no such file"));
    let words = ["digest", "a.example/x", "--hosts-file", "x", "--no-hosts-files"];
    assert_eq!(machine.run(&words).await.exit, Exit::Usage);
}

/// A self-signed one.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUUxG+qFqEIgbuvo6Z2vm3x+42eacwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMTQzMzE3WhgPMjEy
NjEwMjgxNDMzMTdaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEqhpekG2BAPY3fnwTC6O8dUYpQKHXmm4VhU5vXVwi
Aj480LtpMnIN8EQg8zOaoIsllBbvQ8FzVrzbhyiZ06LhdqNTMFEwHQYDVR0OBBYE
FOSD7ua0qrvu1dzNOro7Lu1zWqnhMB8GA1UdIwQYMBaAFOSD7ua0qrvu1dzNOro7
Lu1zWqnhMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgJbKdv7PS
pAGNFM5vnjXvNMtSJ1Dx2S6uvdIejBClMBcCIQDJEWnH4EpdBowEKQjVSiLrWkbM
n91jgJJw0LNO37ajwg==
-----END CERTIFICATE-----
";
const CONTAINERD: &str = "etc/containerd/certs.d/a.example/hosts.toml";
const MIRRORS: &str = "server = \"https://upstream.example\"\n\
    [host.\"https://m.example\"]\n  capabilities = [\"pull\"]\n  skip_verify = true\n\
    [host.\"https://n.example/cache\"]\n  dial_timeout = \"1s\"\n";

/// A mirror may lag behind: what is written has to come from the registry.
#[tokio::test]
async fn a_stale_mirror_neither_moves_a_tag_back_nor_says_what_is_deleted() {
    let (machine, mirror) = (Machine::new().await, Bench::new().await);
    let new = machine.image("team/app:v1").await;
    let stale = sample::image(&mirror.path("in"), "v1", 2 * SIZE).unwrap();
    mirror.text(&["push", &mirror.word("in"), &mirror.image("team/app:v1")]).await;
    let host = &machine.0.host;
    let at = format!("[[registry.\"{host}\".mirror]]\nendpoint = \"http://{}\"\n", mirror.host);
    machine.file(OWN, &at);
    let (image, stable) = (machine.0.image("team/app:v1"), machine.0.image("team/app:stable"));
    assert_eq!(machine.text(&["digest", &image]).await, stale.digest());
    machine.text(&["tag", &image, "stable"]).await;
    // Without the file, nobody knows the mirror.
    assert_eq!(machine.0.text(&["digest", &stable]).await, new);
    let deleted = machine.text(&["delete", "--resolve", &image]).await;
    assert!(deleted.ends_with(&new), "{deleted}");
}

#[tokio::test]
async fn it_is_shown_which_file_decides() {
    let machine = Machine::new().await;
    machine
        .file(OWN, "[registry.\"a.example\"]\nuser-agent = \"robot/7\"\n")
        .file(CONTAINERD, MIRRORS)
        .file("etc/docker/certs.d/a.example/ca.crt", CERTIFICATE)
        .file("etc/containers/registries.conf", "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\nlocation = \"o.example\"\n");
    let text = machine.text(&["hosts", "a.example/team/app"]).await;
    let expected = format!(
        "a.example/team/app

read from, in this order
  https://m.example/, by digest only, with ns=
      {CONTAINERD}:2 [host.\"https://m.example\"]
    dangerously-skip-verify: true
      {CONTAINERD}:4 [host.\"https://m.example\"]
  https://n.example/cache, with ns=
      {CONTAINERD}:5 [host.\"https://n.example/cache\"]
  https://upstream.example/

what counts
  user-agent: robot/7
      {OWN}:2 [registry.\"a.example\"]
  endpoint: https://upstream.example/
      {CONTAINERD}:1
  ca: etc/docker/certs.d/a.example/ca.crt
      etc/docker/certs.d/a.example

what does not count
  mirror: o.example
      etc/containers/registries.conf:3 [[registry]]
      something more important says it
  dial_timeout
      {CONTAINERD}:6 [host.\"https://n.example/cache\"]
      every connection has the same deadline

looked at
  {OWN}
  home/.config/containerd/certs.d/a.example: nothing there
  home/.config/containerd/certs.d/_default: nothing there
  {CONTAINERD}
  home/.config/containers/certs.d/a.example: nothing there
  home/.config/docker/certs.d/a.example: nothing there
  etc/containers/certs.d/a.example: nothing there
  etc/docker/certs.d/a.example
  etc/containers/registries.conf
  etc/containers/registries.conf.d: nothing there
  home/.config/containers/registries.conf.d: nothing there"
    );
    // Where a long path ends a line, its table stands on the next one.
    assert_eq!(machine.short(&text).replace("\n          [", " ["), expected);
    let outcome = machine.run(&["hosts", "a.example/team/app", "--output", "json"]).await;
    let document: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(document["registry"], "a.example");
    assert_eq!(document["path"], "team/app");
    assert_eq!(document["endpoint"], "https://upstream.example/");
    assert_eq!(document["mirrors"][0]["at"], "https://m.example/");
    assert_eq!(document["mirrors"][0]["resolve"], false);
    assert_eq!(
        document["used"][0],
        json!({
            "setting": "user-agent",
            "value": "robot/7",
            "place": {
                "kind": "registry hosts.toml",
                "file": machine.0.word(OWN),
                "line": 2,
                "table": "[registry.\"a.example\"]",
            },
        })
    );
    assert_eq!(document["notUsed"][0]["what"], "mirror");
    assert_eq!(document["lookedAt"][0]["state"], "read");
}

#[tokio::test]
async fn flags_are_shown_too_and_lines_fit_a_terminal() {
    let machine = Machine::new().await;
    let hosts: Vec<_> = (0..9).map(|n| format!("\"realm-{n}.example\"")).collect();
    let realms = format!("trusted-realms = [{}]\n", hosts.join(", "));
    machine.file(OWN, &format!("[registry.\"a.example\"]\nplain-http = true\n{realms}"));
    let text = machine.text(&["hosts", "a.example", "--tls", "a.example"]).await;
    let text = machine.short(&text);
    assert!(text.contains("\n  https://a.example/\n"), "{text}");
    assert!(text.contains("\n  plain-http: false\n      --tls\n"), "{text}");
    assert!(text.contains("\n  plain-http: true\n"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[tokio::test]
async fn a_broken_file_is_explained_and_the_exit_code_says_so() {
    let machine = Machine::new().await;
    machine.file(CONTAINERD, "server = 1\n");
    let outcome = machine.run(&["hosts", "a.example"]).await;
    assert_eq!(outcome.exit, Exit::Local, "{outcome:?}");
    let text = machine.short(outcome.text());
    let words: Vec<_> = text.split_whitespace().collect();
    let said = format!("broken: {CONTAINERD}:1: server is a whole number");
    assert!(words.join(" ").contains(&said), "{text}");
    assert!(machine.short(&outcome.stderr).starts_with(&format!("error: {CONTAINERD}:1: ")));
    assert_eq!(machine.run(&["hosts", "b.example"]).await.exit, Exit::Done);

    machine.file("etc/docker/certs.d/c.example/ca.crt", "no certificate");
    let outcome = machine.run(&["hosts", "c.example"]).await;
    assert_eq!(outcome.exit, Exit::Local, "{outcome:?}");
    assert!(outcome.stderr.contains("ca.crt: this is not PEM"), "{outcome:?}");
}

#[tokio::test]
async fn without_a_name_the_registries_are_listed() {
    let machine = Machine::new().await;
    machine
        .file(OWN, "[registry.\"a.example\"]\n[[rewrite]]\nprefix = \"b.example/x\"\nlocation = \"c.example\"\n")
        .file("etc/containers/registries.conf", "[[registry]]\nlocation = \"d.example\"\n");
    let text = machine.short(&machine.text(&["hosts"]).await);
    let start = format!(
        "the files are about\n  a.example\n  b.example\n  d.example\n\nlooked at\n  {OWN}\n"
    );
    assert!(text.starts_with(&start), "{text}");
    let words = ["hosts", "--no-hosts-files"];
    assert_eq!(machine.text(&words).await, "no file is about a registry\n\nlooked at");
}

#[tokio::test]
async fn nobody_s_files_are_read_unless_the_surroundings_lead_there() {
    // The tests of all other verbs depend on it.
    let bench = Bench::new().await;
    let text = bench.text(&["hosts", "docker.io"]).await;
    assert!(text.ends_with("looked at"), "{text}");
    assert!(!text.contains(&Path::new("/etc").display().to_string()), "{text}");
}
