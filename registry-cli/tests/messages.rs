//! What is said about a failure: once, of the right thing, with a way out that works.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::Bench;
use registry_cli::Exit;
use registry_faults::{
    content::Image,
    origin::{Reply, Script, Stage, on},
    registry::Registry as Behaved,
    sample,
};
use serde_json::json;

const SIZE: u64 = 1 << 20;

#[tokio::test]
async fn a_refused_connection_is_said_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::new().await;
    let lines = bench.refused(Exit::Network, &["digest", &format!("{free}/app")]).await;
    let attempt = format!("HEAD http://{free}/v2/app/manifests/latest: connection refused");
    for line in lines.iter().filter(|line| !line.starts_with("hint: ")) {
        assert_eq!(line.to_lowercase().matches("refused").count(), 1, "{line}");
        assert_eq!(line.matches(&attempt).count(), 1, "{line}");
        assert!(!line.contains("error sending request"), "{line}");
    }
    assert!(lines[0].starts_with(&attempt) && lines[0].contains("; trying again in"), "{lines:?}");
}

#[tokio::test]
async fn a_host_that_speaks_plain_http_is_answered_with_the_flag_for_it() {
    let bench = Bench::new().await;
    let words = ["digest", &bench.image("app"), "--tls", &bench.host];
    let lines = bench.refused(Exit::Network, &words).await;
    let host = &bench.host;
    let expected = format!(
        "hint: if {host} speaks plain HTTP, say --plain-http {host}; if its certificate is private, name the file of its CA in SSL_CERT_FILE"
    );
    assert_eq!(lines[1], expected);
}

#[tokio::test]
async fn a_host_that_wants_https_is_answered_with_the_flag_for_it() {
    let refusal = Reply::new(400).body("Client sent an HTTP request to an HTTPS server.");
    let stage = Stage::single(Script::new().rule(on("*", "*").always(refusal))).unwrap();
    let bench = Bench::new().await;
    let host = stage.host();
    for words in [["ls", "app"], ["digest", "app"]] {
        let image = format!("{host}/{}", words[1]);
        let lines = bench.refused(Exit::Other, &[words[0], &image]).await;
        assert_eq!(lines[1], format!("hint: if {host} speaks HTTPS, say --tls {host}"));
    }
}

#[tokio::test]
async fn a_server_that_speaks_http_and_misbehaves_is_not_taken_for_one_that_wants_https() {
    let around = Reply::new(307).header("Location", "/v2/around");
    let stage = Stage::single(Script::new().rule(on("*", "*").always(around))).unwrap();
    let bench = Bench::new().await;
    let lines = bench.refused(Exit::Network, &["ls", &format!("{}/app", stage.host())]).await;
    assert!(lines[0].contains("redirects"), "{lines:?}");
    assert!(!lines.concat().contains("--tls"), "{lines:?}");
}

#[tokio::test]
async fn hints_about_paths_fit_what_was_to_be_done_with_them() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    std::fs::write(bench.path("file"), "before").unwrap();
    std::fs::create_dir(bench.path("foreign")).unwrap();
    std::fs::write(bench.path("foreign/file"), "before").unwrap();
    let reading =
        "hint: a place to read is what `registry pull`, `docker save` or another OCI tool wrote";
    let rows = [
        (["push", &bench.word("absent"), &image], Some("hint: check the path")),
        (["push", &bench.word("file"), &image], Some(reading)),
        (["pull", &image, &bench.word("file")], None),
        (["pull", &image, &bench.word("foreign")], None),
        (
            ["pull", &image, &bench.word("no/file.tar")],
            Some("hint: check the path; its directory must exist"),
        ),
    ];
    for (words, hint) in rows {
        let mut words = words.to_vec();
        words.push("--quiet");
        let lines = bench.refused(Exit::Local, &words).await;
        assert_eq!(lines.get(1).map(String::as_str), hint, "{words:?}: {lines:?}");
    }
}

#[tokio::test]
async fn a_registry_without_deletes_still_knows_what_is_not_there() {
    let refusal =
        Reply::new(405).body(json!({ "errors": [{ "code": "UNSUPPORTED" }] }).to_string());
    let image = Image::small();
    let registry = ["v1", "v2", "v3"]
        .iter()
        .fold(Behaved::new(), |registry, tag| registry.with_image("app", tag, &image));
    let script = Script::registry(registry).rule(on("DELETE", "*").always(refusal));
    let stage = Stage::single(script).unwrap();
    let bench = Bench::new().await;
    let repository = format!("{}/app", stage.host());
    let lines = bench.refused(Exit::NotFound, &["delete", &format!("{repository}:absent")]).await;
    assert_eq!(lines[0], format!("error: {repository} has no tag absent"));
    let lines = bench.refused(Exit::Conflict, &["delete", &format!("{repository}:v1")]).await;
    assert!(lines[0].ends_with(", and so do v2, v3"), "{lines:?}");
    let pinned = format!("{repository}@{}", image.manifest.digest);
    let lines = bench.refused(Exit::Other, &["delete", &pinned]).await;
    assert_eq!(
        lines[1],
        "hint: this registry allows no deletes; whoever runs it can switch them on"
    );
}

#[tokio::test]
async fn an_image_is_not_taken_for_a_platform_that_it_is_not_for() {
    let bench = Bench::new().await;
    sample::image(&bench.path("in"), "v1", SIZE).unwrap();
    let image = bench.image("app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    let out = bench.word("out");
    for words in [&["pull", &image, &out][..], &["digest", &image], &["config", &image]] {
        let words = [words, &["--platform", "plan9/mips"]].concat();
        let lines = bench.refused(Exit::NotFound, &words).await;
        assert!(lines[0].starts_with("error: no image for platform plan9/mips; offered: "));
        assert_eq!(lines[1], "hint: leave --platform out to take what there is");
    }
    assert!(!bench.path("out").exists());
}

#[tokio::test]
async fn a_list_that_leads_back_is_refused_in_plain_words() {
    let page = Reply::new(200)
        .header("Link", "</v2/app/tags/list>; rel=\"next\"")
        .body(json!({ "name": "app", "tags": ["v1"] }).to_string());
    let stage = Stage::single(Script::new().rule(on("GET", "*").always(page))).unwrap();
    let bench = Bench::new().await;
    let outcome = bench.run(&["ls", &format!("{}/app", stage.host())]).await;
    assert_eq!(outcome.exit, Exit::Other);
    let expected = format!(
        "error: cannot list the tags of {}/app: a page leads back to one that was read already\n",
        stage.host()
    );
    assert_eq!(outcome.stderr, expected);
}

#[tokio::test]
async fn x04_a_password_in_front_of_a_host_is_not_repeated() {
    let bench = Bench::new().await;
    let words: [&[&str]; 11] = [
        &["login", "me:canary@ghcr.io"],
        &["login", "me:canary@localhost:5000"],
        &["logout", "https://me:canary@ghcr.io"],
        &["catalog", "me:can/canary@ghcr.io"],
        &["ls", "a/b", "--plain-http", "me:canary@ghcr.io"],
        &["ls", "a/b", "--tls=me:canary@[::1]"],
        &["ls", "a/b", "--trust-realm", "ghcr.io=me:canary@login.test"],
        &["push", "https://me:canary@ghcr.io/a", "./dir"],
        &["pull", "a/b", "docker-archive::me:canary@ghcr.io/a"],
        &["digest", "a/b", "me:canary@ghcr.io/a"],
        &["me:canary@ghcr.io/a"],
    ];
    for words in words {
        let lines = bench.refused(Exit::Usage, words).await;
        assert!(!lines.concat().contains("canary"), "{lines:?}");
        assert!(lines[0].contains("******@"), "what was refused is told: {lines:?}");
    }
}
