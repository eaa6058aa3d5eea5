//! `registry serve` with its options, as a program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod served;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use registry_faults::sample;
use served::{registry, succeed};
use tempfile::TempDir;

/// `alice` and `bob`, with the password `wonderland`, hashed by bcrypt at its lowest cost.
const HTPASSWD: &str = "\
alice:$2y$04$z/Y3XhzEpWgOJPXBSPvt0OIkFI2OmORmtMlRTPWcjXpTFbKO0NwI2
bob:$2y$04$gf7wBfnej.lGG8zbIdlefe/ddVzqojGGju4od8KmvTgRFsGi0BUV6
";

fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

/// A server with options, until it is dropped.
struct Server {
    child: std::process::Child,
    url: String,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut child = registry(&["serve", "--address", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim_end().to_owned() }
    }

    fn host(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Ends it; what it has said on standard error.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn its_help_fits_into_80_columns_and_names_every_option() {
    let help = succeed({
        let mut command = registry(&["serve", "--help"]);
        command.env("COLUMNS", "80");
        command
    });
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for option in [
        "--disk",
        "--address",
        "--read-only",
        "--no-ui",
        "--gc",
        "--htpasswd",
        "--allow",
        "--bearer",
        "--anonymous-pull",
        "--tls-cert",
        "--tls-key",
        "--tls-self-signed",
        "--tls-name",
        "--max-blob",
        "--max-manifest",
        "--max-header",
        "--max-uploads",
        "--max-connections",
        "--rate-limit",
        "--page",
        "--log",
        "--metrics",
        "--warning",
        "--fault",
    ] {
        assert!(
            help.contains(&format!(" {option} "))
                || help.contains(&format!(" {option}\n"))
                || help.contains(&format!(" {option}[")),
            "{option}\n{help}"
        );
    }
}

#[test]
fn users_of_a_file_do_what_they_may() {
    let directory = tempfile::tempdir().unwrap();
    sample::image(&directory.path().join("in"), "v1", 1000).unwrap();
    std::fs::write(path(&directory, "htpasswd"), HTPASSWD).unwrap();
    for more in [&[][..], &["--bearer"]] {
        let file = path(&directory, "htpasswd");
        let mut options = vec!["--htpasswd", &file, "--allow", "bob=pull"];
        options.extend(more);
        let server = Server::start(&options);
        let image = format!("{}/app:v1", server.host());
        let run = |user: &str, words: &[&str]| {
            use std::io::Write as _;
            let config = directory.path().join(user);
            std::fs::create_dir_all(&config).unwrap();
            let mut file = std::fs::File::create(config.join("config.json")).unwrap();
            let auth = match user {
                "alice" => "YWxpY2U6d29uZGVybGFuZA==",
                _ => "Ym9iOndvbmRlcmxhbmQ=",
            };
            write!(file, r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.host()).unwrap();
            registry(words).env("DOCKER_CONFIG", config).output().unwrap().status.code()
        };
        let layout = path(&directory, "in");
        assert_eq!(run("bob", &["push", &layout, &image]), Some(4), "{more:?}");
        assert_eq!(run("alice", &["push", &layout, &image]), Some(0), "{more:?}");
        assert_eq!(run("bob", &["digest", &image]), Some(0), "{more:?}");
        let anonymous = registry(&["digest", &image]).output().unwrap();
        assert_eq!(anonymous.status.code(), Some(4), "{more:?}");
    }
}

#[test]
fn a_certificate_that_is_made_on_the_spot_can_be_trusted() {
    let directory = tempfile::tempdir().unwrap();
    sample::image(&directory.path().join("in"), "v1", 1000).unwrap();
    let ca = path(&directory, "ca.pem");
    // Whoever has the old file open never sees a part of the new one.
    std::fs::write(&ca, "of an earlier start").unwrap();
    std::fs::hard_link(&ca, path(&directory, "old.pem")).unwrap();
    let server = Server::start(&["--tls-self-signed", &ca]);
    let old = std::fs::read_to_string(path(&directory, "old.pem")).unwrap();
    assert_eq!(old, "of an earlier start");
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let image = format!("{}/app:v1", server.host());
    let words = ["push", &path(&directory, "in"), &image, "--tls", server.host()];
    let trusting = registry(&words).env("SSL_CERT_FILE", &ca).output().unwrap();
    let said = String::from_utf8_lossy(&trusting.stderr);
    assert!(trusting.status.success(), "{said}");
    let other = registry(&words).output().unwrap();
    assert_eq!(other.status.code(), Some(7), "an unknown CA");
}

#[test]
fn requests_are_logged_and_faults_happen_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    sample::image(&directory.path().join("in"), "v1", 1000).unwrap();
    let server = Server::start(&["--log=json", "--fault", "fail=1:503", "--warning", "old"]);
    let image = format!("{}/app:v1", server.host());
    let pushed = registry(&["push", &path(&directory, "in"), &image]).output().unwrap();
    assert!(pushed.status.success(), "one failure is got over");
    let said = server.stop();
    let records: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.iter().filter(|record| record["status"] == 503).count(), 1, "{said}");
    let last = records.last().unwrap();
    assert_eq!((&last["method"], &last["status"]), (&"PUT".into(), &201.into()), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(path(&directory, "plain"), "alice:wonderland\n").unwrap();
    std::fs::write(path(&directory, "htpasswd"), HTPASSWD).unwrap();
    let (plain, good) = (path(&directory, "plain"), path(&directory, "htpasswd"));
    for (options, code, about) in [
        (&["--fault", "fail"][..], 2, "fail=N[:STATUS]"),
        (&["--allow", "bob=pull"], 2, "--htpasswd"),
        (&["--htpasswd", &good, "--allow", "bob=everything"], 2, "pull, push, delete and catalog"),
        (&["--htpasswd", &good, "--allow", "eve=pull"], 2, "no user \"eve\""),
        (&["--htpasswd", &plain], 8, "line 1"),
        (&["--htpasswd", "/nonexistent"], 8, "cannot read /nonexistent"),
        (&["--tls-cert", "x"], 2, "--tls-key"),
        (&["--tls-cert", "/nonexistent", "--tls-key", "x"], 8, "/nonexistent"),
        (&["--warning", "two\nlines"], 8, "printable ASCII"),
    ] {
        let output =
            registry(&["serve", "--address", "127.0.0.1:0"]).args(options).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
        assert!(said.contains(about), "{options:?}: {said}");
        assert!(!said.contains("wonderland"), "{said}");
    }
}
