//! The four kinds of files: what is said in real-looking ones, what is broken in others, and who decides.

mod broken;
mod kinds;
mod precedence;
mod random;

use std::fs;
use std::path::PathBuf;

use registry_authn::Environment;
use tempfile::TempDir;

use super::*;

/// A self-signed certificate.
const PEM: &str = "\
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

/// A machine of its own: `/etc` and a home in a directory that goes away.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a file: `etc/…` or `home/…`.
    fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn environment(&self) -> Environment {
        Environment::empty().home(self.path("home"))
    }

    fn files(&self) -> HostFiles {
        HostFiles::read(Places::of(&self.environment(), self.0.path()))
    }

    /// What counts for a repository, a line each: `NAME = VALUE (FILE:LINE)`, paths from the root of this machine.
    fn used(&self, name: &str) -> Vec<String> {
        self.lines(name, &Outcome::Used)
    }

    fn outranked(&self, name: &str) -> Vec<String> {
        self.lines(name, &Outcome::Outranked)
    }

    fn lines(&self, name: &str, outcome: &Outcome) -> Vec<String> {
        let explanation = explain(&self.files(), name);
        assert_eq!(explanation.broken(), None);
        let decisions = explanation.decisions.iter();
        let decisions = decisions.filter(|decision| decision.outcome == *outcome);
        decisions
            .map(|Decision { statement: Statement { setting, place }, .. }| {
                let line = place.line.map_or(String::new(), |line| format!(":{line}"));
                let text =
                    format!("{} = {setting} ({}{line})", setting.name(), place.file.display());
                self.short(&text)
            })
            .collect()
    }

    /// What has no effect: `WHAT (FILE:LINE) WHY`
    fn notes(&self, name: &str) -> Vec<String> {
        let notes = explain(&self.files(), name).notes;
        notes
            .iter()
            .map(|Note { what, why, place }| {
                let line = place.line.map_or(String::new(), |line| format!(":{line}"));
                self.short(&format!("{what} ({}{line}) {why}", place.file.display()))
            })
            .collect()
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// What is said about `registry` or `registry/path`.
fn explain(files: &HostFiles, name: &str) -> Explanation {
    let (registry, path) = name.split_once('/').map_or((name, None), |(r, p)| (r, Some(p)));
    files.explain(&registry.parse().unwrap(), path)
}

/// The mirrors that count: `TARGET [pull] [resolve] [ns]`, with the settings of their own.
fn mirrors(files: &HostFiles, name: &str) -> Vec<String> {
    let explanation = explain(files, name);
    let mirrors = explanation.used().filter_map(|statement| match &statement.setting {
        Setting::Mirrors(mirrors) => Some(mirrors),
        _ => None,
    });
    mirrors
        .flatten()
        .map(|mirror| {
            let mut words = vec![mirror.to_string()];
            for (has, word) in
                [(mirror.pull, "pull"), (mirror.resolve, "resolve"), (mirror.ns, "ns")]
            {
                words.extend(has.then(|| word.to_owned()));
            }
            let settings = mirror.settings.iter();
            words.extend(settings.map(|said| format!("{:?}", said.setting)));
            words.join(" ")
        })
        .collect()
}
