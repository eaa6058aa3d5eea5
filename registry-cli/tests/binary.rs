//! The compiled program: streams, signals, and a registry that serves.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod served;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use registry_faults::{
    content::{Blob, Image},
    layout::Layout,
    origin::{End, Reply, Rule, Script, Stage, on},
    registry::Registry,
    sample,
};
use served::{Served, registry, text};

const UPLOADS: &str = "*/blobs/uploads/*";

#[cfg(unix)]
#[test]
fn a_registry_on_disk_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let sample = sample::image(&directory.path().join("in"), "v1", 1 << 20).unwrap();

    let served = Served::start(&["--disk", &path("kept")]);
    text(&["push", &path("in"), &served.image("app:v1")]);
    assert!(served.terminate().success(), "a server that is asked to stop ends well");

    let served = Served::start(&["--disk", &path("kept")]);
    assert_eq!(text(&["digest", &served.image("app:v1")]), sample.digest());
    text(&["pull", &served.image("app:v1"), &path("out")]);
}

/// A limit on the size of files stands for a disk that is full: writes fail in the same places.
#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_a_local_failure_and_nothing_half_written_stays() {
    let (served, directory) = (Served::start(&[]), tempfile::tempdir().unwrap());
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    sample::image(&directory.path().join("in"), "v1", 4 << 20).unwrap();
    text(&["push", &path("in"), &served.image("app:v1")]);
    std::fs::create_dir(path("out")).unwrap();
    for place in ["oci:out/layout", "oci-archive:out/a.tar", "docker-archive:out/b.tar"] {
        // Blocks of 512 bytes.
        let script = r#"trap '' XFSZ; ulimit -f 256; exec "$0" "$@""#;
        let output = served::alone("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_registry"), "pull", "--quiet"])
            .args([&served.image("app:v1"), place])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(8), "{place}: {said}");
        assert!(said.starts_with("error: cannot "), "{said}");
        assert!(said.contains("hint: make room"), "{said}");
        assert!(!directory.path().join("out/layout/index.json").exists());
    }
    let mut left = vec![directory.path().join("out")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(name.len() == 64 || name == "oci-layout" || name.ends_with("lock"), "{name}");
        }
    }
}

#[test]
fn an_address_that_is_taken_is_a_local_failure() {
    let served = Served::start(&[]);
    let output = registry(&["serve", "--address", &served.host]).output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("error: cannot listen on {}", served.host)), "{said}");
}

#[test]
fn a_server_can_say_where_it_is_in_json() {
    let mut child = registry(&["serve", "--address", "127.0.0.1:0", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["url"], format!("http://{}", said["host"].as_str().unwrap()));
}

#[test]
fn x03_a_reader_that_leaves_is_no_failure() {
    let many = (0..20_000).map(|n| format!("\"t{n}\"")).collect::<Vec<_>>().join(",");
    let list = Reply::new(200).body(format!("{{\"tags\":[{many}]}}"));
    let stage = Stage::single(Script::new().rule(on("GET", "/v2/*").always(list))).unwrap();
    let mut child = registry(&["ls", &format!("{}/app", stage.host())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "t0\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn usage_errors_have_their_code() {
    for (words, code) in [(&["nothing"][..], 2), (&[], 2), (&["--help"], 0), (&["version"], 0)] {
        let status = registry(words).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{words:?}");
    }
}

#[test]
fn verbose_says_what_is_sent_and_no_secret() {
    let served = Served::start(&[]);
    let output = registry(&["ls", &served.image("app"), "--verbose"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/v2/app/tags/list"), "{said}");
    assert!(!said.contains("hyper"), "only our own crates log: {said}");
}

#[cfg(unix)]
#[test]
fn x01_an_interrupted_pull_ends_with_130_or_143_and_leaves_nothing() {
    let image = Image::small();
    let layer = format!("/v2/app/blobs/{}", image.last_layer().digest);
    let stall = Reply::registry().cut(1000, End::Hold);
    let script = Script::registry(Registry::new().with_image("app", "v1", &image))
        .rule(on("GET", layer.as_str()).always(stall));
    let stage = Stage::single(script).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("a.tar");
    let reference = format!("{}/app:v1", stage.host());
    for (signal, code, word) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated")] {
        let before = stage.log().count("GET", &layer);
        let mut child = registry(&["pull", &reference, archive.to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while stage.log().count("GET", &layer) == before {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            std::thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((status.code(), said), (Some(code), format!("error: {word}\n")));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{signal}");
    }
}

/// Two layers that are each sent by a `PUT` of its own, in a layout; and a registry where that of the larger one is never
/// answered.
fn pushed(directory: &std::path::Path, others: impl Fn(&Blob) -> Rule) -> Stage {
    let image = Image::new(&[200_000, 300_000]);
    Layout::create(directory).unwrap().put_image(&image, "v1").unwrap();
    let stuck = put(image.last_layer()).always(Reply::new(500).unsaid(End::Hold));
    // The second deletion takes more than a request.
    let wait = on("DELETE", UPLOADS).times(1, Reply::registry()).times(1, Reply::new(503));
    let script = Script::registry(Registry::new()).rule(stuck).rule(others(&image.layers[0]));
    Stage::single(script.rule(wait)).unwrap()
}

/// The commit of this blob.
fn put(blob: &Blob) -> Rule {
    let (_, hex) = blob.digest.split_once(':').unwrap();
    on("PUT", format!("*/blobs/uploads/*?*{hex}"))
}

fn open_uploads(stage: &Stage) -> usize {
    stage.origin("A").unwrap().registry().open_uploads()
}

#[cfg(unix)]
#[test]
fn u25_x01_a_push_that_is_interrupted_deletes_its_uploads_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let hold = |blob: &Blob| put(blob).always(Reply::new(500).unsaid(End::Hold));
        let stage = pushed(directory.path(), hold);
        let mut child = registry(&[
            "push",
            directory.path().to_str().unwrap(),
            &format!("{}/app:v1", stage.host()),
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        while stage.log().count("PUT", UPLOADS) < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            std::thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(open_uploads(&stage), 0, "{:?}", stage.log());
    }
}

#[test]
fn u25_a_push_that_fails_deletes_what_its_other_uploads_had_begun() {
    let directory = tempfile::tempdir().unwrap();
    // Once more than needed, so that the other one is under way.
    let deny = |blob: &Blob| put(blob).times(1, Reply::new(502)).always(Reply::new(403));
    let stage = pushed(directory.path(), deny);
    let words = ["push", directory.path().to_str().unwrap(), &format!("{}/app:v1", stage.host())];
    let output = registry(&words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert_eq!(open_uploads(&stage), 0, "{:?}", stage.log());
}
