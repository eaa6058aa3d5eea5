//! What goes wrong: one clear line, the exit code, and nothing half-written.

mod common;

use common::{Bench, outcome};
use registry_authn::Environment;
use registry_cli::{Exit, System};
use registry_faults::{
    content::Image,
    origin::{End, Reply, Script, Stage, on},
    registry::Registry as Behaved,
    sample,
};
use registry_serve::{Access, Registry};
use serde_json::json;

const SIZE: u64 = 1 << 20;

/// A scripted registry that holds a small image as `app:v1`.
fn stocked() -> Script {
    Script::registry(Behaved::new().with_image("app", "v1", &Image::small()))
}

fn pull<'a>(image: &'a str, place: &'a str) -> [&'a str; 4] {
    ["pull", image, place, "--quiet"]
}

#[tokio::test]
async fn a_malformed_name_is_drawn() {
    let bench = Bench::new().await;
    for words in [
        &["digest", "ghcr.io/Acme/app"][..],
        &["push", "dir", "ghcr.io/Acme/app"],
        &["copy", "ghcr.io/Acme/app", "oci:dir"],
        &["ls", "ghcr.io/Acme/app"],
        &["delete", "ghcr.io/Acme/app"],
        &["push", "docker-archive:a.tar:ghcr.io/Acme/app", "b"],
    ] {
        let lines = bench.refused(Exit::Usage, words).await;
        assert!(lines[0].starts_with("error: invalid repository in "), "{lines:?}");
        assert_eq!(lines[1..3], ["  ghcr.io/Acme/app", "          ^"], "{words:?}");
        assert!(lines[3].starts_with("hint: "), "{lines:?}");
    }
    let lines = bench.refused(Exit::Usage, &["tag", "a:b", "no tag"]).await;
    assert_eq!(lines[1..3], ["  no tag", "    ^"]);
    bench.refused(Exit::Usage, &["catalog", "not-a-host"]).await;
}

#[tokio::test]
async fn a_command_line_that_cannot_be_meant_is_a_usage_error() {
    let bench = Bench::new().await;
    for words in [
        &["unknown"][..],
        &["pull", "localhost:1/a"],
        &["digest", "localhost:1/a", "--platform", "linux"],
        &["digest", "localhost:1/a", "--jobs", "0"],
        &["digest", "localhost:1/a", "--output", "xml"],
        &["digest", "localhost:1/a", "--quiet", "--verbose"],
        &["digest", "localhost:1/a", "--plain-http", "not/a/host"],
        &["push", "oci:", "localhost:1/a"],
        &["pull", "localhost:1/a", "docker://b"],
        &["digest", "localhost:1/a", "--platform=linux/amd64,linux/arm64"],
        &["ls", "localhost:1/a", "--platform", "linux/amd64"],
        &["digest", "localhost:1/a", "--tls=localhost:1", "--plain-http=localhost:1"],
        &["delete", "localhost:1/a"],
        &["ls", "localhost:1/a:v1"],
    ] {
        bench.refused(Exit::Usage, words).await;
    }
    let digest = Image::small().manifest.digest;
    let both = bench.image(&format!("a:b@{digest}"));
    let lines = bench.refused(Exit::Usage, &["delete", &both]).await;
    assert!(lines[1].contains("REPOSITORY:TAG"), "{lines:?}");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    bench.text(&["push", &bench.word("in"), &bench.image("app:v1")]).await;
    let (absent, out) = (bench.image("app:v2"), bench.word("out"));
    for words in [
        &["digest", &absent][..],
        &["manifest", &absent],
        &["config", &absent],
        &["pull", &absent, &out],
        &["copy", &absent, &bench.image("b")],
        &["tag", &absent, "v3"],
        &["delete", &absent],
        &["ls", &bench.image("nothing")],
        &["push", &format!("oci:{}:v9", bench.word("in")), &absent],
    ] {
        let lines = bench.refused(Exit::NotFound, words).await;
        assert!(lines[0].contains("v2") || words[0] == "push" || words[0] == "ls", "{lines:?}");
    }
    assert!(!bench.path("out").exists());
}

#[tokio::test]
async fn a_refused_login_is_denied_and_a_good_one_is_not() {
    for access in [Access::basic([("ann", "right")]), Access::bearer([("ann", "right")])] {
        let mut bench = Bench::with(Registry::builder().auth(access)).await;
        sample::image(&bench.path("in"), "v1", SIZE).unwrap();
        let push = ["push", &bench.word("in"), &bench.image("app:v1"), "--quiet"];
        let push = push.map(ToOwned::to_owned);
        let login = |password: &str| json!({ "username": "ann", "password": password });
        let config = |password| json!({ "auths": { bench.host.clone(): login(password) } });
        let (wrong, right) = (config("canary-wrong"), config("right"));

        let lines = bench.refused(Exit::Denied, &push).await;
        assert!(lines[1].starts_with("hint: "), "{lines:?}");
        bench.docker_config(&wrong);
        let lines = bench.refused(Exit::Denied, &push).await;
        assert!(!lines.concat().contains("canary"), "{lines:?}");
        bench.docker_config(&right);
        bench.text(&push).await;
        assert_eq!(bench.text(&["ls", &bench.image("app")]).await, "v1");
    }
}

#[tokio::test]
async fn a_registry_that_asks_for_more_patience_than_allowed_is_rate_limited() {
    let reply = Reply::new(429).header("Retry-After", "30");
    let stage = Stage::single(stocked().rule(on("*", "/v2/*").always(reply))).unwrap();
    let bench = Bench::new().await;
    let image = format!("{}/app:v1", stage.host());
    bench.refused(Exit::RateLimited, &["digest", &image, "--max-wait", "5"]).await;
}

#[tokio::test]
async fn bytes_that_are_not_what_was_promised_fail_integrity_and_leave_nothing() {
    let layer = Image::small().last_layer().digest.clone();
    let wrong = on("GET", format!("*/blobs/{layer}")).always(Reply::registry().flip_bit(1000));
    let stage = Stage::single(stocked().rule(wrong)).unwrap();
    let bench = Bench::new().await;
    let image = format!("{}/app:v1", stage.host());
    for place in ["dir", "archive.tar"] {
        let word = bench.word(place);
        let lines = bench.refused(Exit::Integrity, &pull(&image, &word)).await;
        assert!(lines[0].contains(&layer), "{lines:?}");
    }
    let archive = format!("oci-archive:{}", bench.word("oci.tar"));
    bench.refused(Exit::Integrity, &pull(&image, &archive)).await;
    let left: Vec<_> = std::fs::read_dir(bench.directory.path()).unwrap().collect();
    let left: Vec<_> = left.into_iter().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "dir"), "{left:?}");
    assert!(!bench.path("dir/index.json").exists());

    let there = bench.image("app:v1");
    bench.refused(Exit::Integrity, &["copy", &image, &there, "--quiet"]).await;
    bench.refused(Exit::NotFound, &["digest", &there]).await;
}

#[tokio::test]
async fn a_destination_with_a_digest_takes_that_content_alone() {
    let bench = Bench::new().await;
    let one = sample::image(&bench.path("one"), "v1", SIZE).unwrap();
    let other = Image::small().manifest.digest;
    let wrong = bench.image(&format!("app:v1@{other}"));
    bench.refused(Exit::Integrity, &["push", &bench.word("one"), &wrong]).await;
    bench.refused(Exit::NotFound, &["ls", &bench.image("app")]).await;

    let right = bench.image(&format!("app:v1@{}", one.digest()));
    bench.text(&["push", &bench.word("one"), &right]).await;
    assert_eq!(bench.text(&["ls", &bench.image("app")]).await, "v1", "the tag counts too");
}

#[tokio::test]
async fn the_digest_of_a_destination_is_that_of_what_is_written() {
    let bench = Bench::with(Registry::builder().record_requests(100)).await;
    sample::index(&bench.path("both"), "v1", SIZE).unwrap();
    let from = bench.image("from:v1");
    bench.text(&["push", &bench.word("both"), &from]).await;
    let index = bench.text(&["manifest", &from]).await;
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let amd64 = index["manifests"][0]["digest"].as_str().unwrap();

    // Of several platforms an index is made; none of its images is what is written.
    let linux = "--platform=linux/*";
    let narrowed = bench.json(&["copy", "--dry-run", &from, &bench.image("to:v1"), linux]).await;
    let narrowed = narrowed["images"][0]["digest"].as_str().unwrap();
    let wrong = bench.image(&format!("to:v1@{amd64}"));
    let lines = bench.refused(Exit::Integrity, &["copy", &from, &wrong, linux]).await;
    assert!(lines[0].contains(&format!("the source is {narrowed}")), "{lines:?}");
    let right = bench.image(&format!("to:v1@{narrowed}"));
    bench.text(&["copy", &from, &right, linux]).await;
    assert_eq!(bench.text(&["digest", &bench.image("to:v1")]).await, narrowed);

    // What is compared is what is copied: the tag is asked for once.
    let before = bench.registry.requests().len();
    let one = bench.image(&format!("one:v1@{amd64}"));
    bench.text(&["copy", &from, &one, "--platform=linux/amd64"]).await;
    let asked = bench.registry.requests().split_off(before);
    let asked = asked.iter().filter(|request| request.target == "/v2/from/manifests/v1");
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn what_lacks_a_platform_is_told_apart_from_what_needs_one() {
    let bench = Bench::new().await;
    sample::index(&bench.path("both"), "v1", SIZE).unwrap();
    let from = bench.image("from:v1");
    bench.text(&["push", &bench.word("both"), &from]).await;
    let archive = format!("docker-archive:{}", bench.word("a.tar"));
    let lines = bench.refused(Exit::Other, &["pull", &from, &archive]).await;
    assert!(
        lines[0].ends_with("choose one of its platforms: linux/amd64, linux/arm64"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "hint: name one of its platforms with --platform");

    let index = bench.text(&["manifest", &from]).await;
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let arm64 = index["manifests"][1]["digest"].as_str().unwrap();
    let blob = arm64.replacen(':', "/", 1);
    std::fs::remove_file(bench.path("both").join("blobs").join(blob)).unwrap();
    let words = ["push", &bench.word("both"), &bench.image("app")];
    let lines = bench.refused(Exit::NotFound, &words).await;
    assert!(lines[0].contains(&format!("has no manifest {arm64}")), "{lines:?}");
    assert!(lines[1].contains("--platform names one that is there"), "{lines:?}");
    bench.text(&[&words[..], &["--platform=linux/amd64"]].concat()).await;
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_a_network_failure() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::new().await;
    let lines = bench.refused(Exit::Network, &["digest", &format!("{free}/app")]).await;
    assert!(lines.iter().any(|line| line.starts_with("hint: ")), "{lines:?}");
    // This one listens, and speaks plain HTTP.
    let words = ["digest", &bench.image("app"), "--tls", &bench.host];
    let lines = bench.refused(Exit::Network, &words).await;
    assert!(lines[0].contains("https://"), "{lines:?}");
}

#[tokio::test]
async fn broken_stores_and_unusable_paths_are_local_failures() {
    let bench = Bench::new().await;
    let sample = sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;

    std::fs::write(bench.path("text.tar"), "no archive").unwrap();
    std::fs::create_dir(bench.path("empty")).unwrap();
    sample::image(&bench.path("broken"), "v1", SIZE).unwrap();
    std::fs::write(bench.path("broken/index.json"), "{\"manifests\": 1}").unwrap();
    for word in ["absent", "text.tar", "empty", "broken"] {
        let path = bench.word(word);
        let lines = bench.refused(Exit::Local, &["push", &path, &image]).await;
        assert!(lines[0].contains(&path), "{lines:?}");
    }
    let inside = bench.word("text.tar/inside");
    for place in [format!("oci:{inside}"), format!("docker-archive:{inside}")] {
        let lines = bench.refused(Exit::Local, &pull(&image, &place)).await;
        assert!(lines[0].contains(&inside), "{lines:?}");
    }

    let tagged = format!("{}:v1", bench.word("in"));
    let lines = bench.refused(Exit::Local, &["push", &tagged, &image]).await;
    assert_eq!(lines[1], format!("hint: for a tag of a layout write oci:{tagged}"));

    let blob = sample.digest().replacen(':', "/", 1);
    std::fs::write(bench.path("in").join("blobs").join(blob), "{}").unwrap();
    bench.refused(Exit::Integrity, &["push", &bench.word("in"), &bench.image("b")]).await;
}

#[tokio::test]
async fn a_tag_that_a_registry_does_not_delete_is_a_conflict_that_names_the_way() {
    let image = Image::small();
    let registry = Behaved::new().with_image("app", "v1", &image).with_image("app", "same", &image);
    let refusal = Reply::new(405)
        .body(json!({ "errors": [{ "code": "UNSUPPORTED", "message": "no" }] }).to_string());
    let stage = Stage::single(
        Script::registry(registry).rule(on("DELETE", "/v2/app/manifests/v1").always(refusal)),
    )
    .unwrap();
    let bench = Bench::new().await;
    let repository = format!("{}/app", stage.host());
    let lines = bench.refused(Exit::Conflict, &["delete", &format!("{repository}:v1")]).await;
    let digest = &image.manifest.digest;
    for part in [&format!("v1 still names {digest}"), "same"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
    let command = format!("registry delete {repository}@{digest}");
    assert!(lines[1].starts_with("hint: ") && lines[1].ends_with(&command), "{lines:?}");
    bench.text(&["delete", &format!("{repository}@{digest}")]).await;
}

#[tokio::test]
async fn x05_a_server_cannot_write_to_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2Jgone\nerror: forged\u{202e}";
    let body = json!({ "errors": [{ "code": evil, "message": evil, "detail": evil }] });
    let script = stocked()
        .rule(on("GET", "/v2/denied/*").always(Reply::new(403).body(body.to_string())))
        .rule(on("GET", "/v2/text/*").always(Reply::new(400).body(evil)))
        .rule(
            on("GET", "/v2/type/*")
                .always(Reply::new(200).header("Content-Type", "a/b\u{9b}").body("{}")),
        )
        .rule(
            on("GET", "/v2/list/*")
                .always(Reply::new(200).body(json!({ "tags": ["fine", evil] }).to_string())),
        );
    let stage = Stage::single(script).unwrap();
    let bench = Bench::new().await;
    let image = |name: &str| format!("{}/{name}", stage.host());
    for (verb, name) in [("ls", "denied"), ("ls", "text"), ("manifest", "type")] {
        let outcome = bench.run(&[verb, &image(name)]).await;
        assert_ne!(outcome.exit, Exit::Done);
        let unsafe_text = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!outcome.stderr.contains(unsafe_text), "{:?}", outcome.stderr);
        assert!(!outcome.stderr.contains("\nerror: forged"), "{:?}", outcome.stderr);
    }
    let outcome = bench.run(&["ls", &image("list")]).await;
    assert_eq!(outcome.text(), "fine\n");
    assert_eq!(outcome.stderr, "left out: 1 that cannot be the name of a tag\n");
}

#[tokio::test]
async fn an_interrupted_pull_leaves_nothing_at_its_final_path() {
    let layer = Image::small().last_layer().digest.clone();
    let stall = Reply::registry().cut(1000, End::Hold);
    let stage =
        Stage::single(stocked().rule(on("GET", format!("*/blobs/{layer}")).always(stall))).unwrap();
    let bench = Bench::new().await;
    let image = format!("{}/app:v1", stage.host());
    for place in ["dir", "archive.tar"] {
        let path = format!("/v2/app/blobs/{layer}");
        let before = stage.log().count("GET", &path);
        let word = bench.word(place);
        let (system, captured) = System::captured(Environment::empty());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let system = system.stop_when(async {
            let _ = stopped.await;
        });
        let words = pull(&image, &word);
        let ((), outcome) = tokio::join!(
            async {
                stage.until("GET", &path, before + 1).await.unwrap();
                let _ = stop.send(());
            },
            outcome(&words, system, &captured)
        );
        assert_eq!(outcome.exit, Exit::Interrupted, "{outcome:?}");
        assert_eq!(outcome.stderr, "error: interrupted\n");
    }
    assert!(!bench.path("archive.tar").exists());
    assert!(!bench.path("dir/index.json").exists());
}
