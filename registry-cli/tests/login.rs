//! Logging in and out, and what is kept from one run to the next.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Bench, Outcome};
use registry_cli::Exit;
use registry_faults::{
    origin::{Script, Stage},
    registry::Access as Guard,
    sample,
};
use registry_serve::{Access, Registry};
use serde_json::Value;

const USER: &str = "alice";
const PASSWORD: &str = "canary-password";

async fn guarded(access: Access) -> Bench {
    let builder = Registry::builder().auth(access).record_requests(1000);
    let mut bench = Bench::with(builder).await;
    bench.at_home();
    bench
}

async fn log_in(bench: &Bench, host: &str, more: &[&str]) -> Outcome {
    let mut words = vec!["login", host, "-u", USER, "--password-stdin"];
    words.extend(more);
    bench.told(&format!("{PASSWORD}\n"), &words).await
}

fn config(bench: &Bench) -> Option<Value> {
    let text = std::fs::read(bench.path("home/.docker/config.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

#[tokio::test]
async fn a_login_is_verified_and_kept_and_a_logout_forgets_it() {
    for access in [Access::basic([(USER, PASSWORD)]), Access::bearer([(USER, PASSWORD)])] {
        let bench = guarded(access).await;
        let host = bench.host.clone();
        bench.refused(Exit::Denied, &["catalog", &host]).await;

        let outcome = log_in(&bench, &host, &[]).await;
        assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
        let path = bench.word("home/.docker/config.json");
        assert_eq!(outcome.text(), format!("logged in to {host} as {USER}, kept in {path}\n"));
        assert!(!format!("{outcome:?}").contains(PASSWORD));
        assert!(config(&bench).unwrap()["auths"][&host]["auth"].is_string());
        assert_eq!(bench.text(&["catalog", &host]).await, "");

        let out = bench.json(&["logout", &host]).await;
        assert_eq!(out, serde_json::json!({"registry": host, "known": true}));
        assert_eq!(config(&bench).unwrap()["auths"].get(&host), None);
        assert!(!bench.path("home/.cache/registry/tokens.json").exists());
        bench.refused(Exit::Denied, &["catalog", &host]).await;
        let again = bench.text(&["logout", &host]).await;
        assert_eq!(again, format!("nobody was logged in to {host}"));
    }
}

#[tokio::test]
async fn a_login_that_the_registry_refuses_is_not_kept() {
    for access in [Access::basic([(USER, "another")]), Access::bearer([(USER, "another")])] {
        let bench = guarded(access).await;
        let outcome = log_in(&bench, &bench.host, &[]).await;
        assert_eq!(outcome.exit, Exit::Denied, "{outcome:?}");
        assert!(
            outcome.stderr.contains(&format!("cannot log in to {}", bench.host)),
            "{outcome:?}"
        );
        assert!(!format!("{outcome:?}").contains(PASSWORD));
        assert_eq!(config(&bench), None);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_has_to_be_given() {
    let mut bench = guarded(Access::basic([(USER, PASSWORD)])).await;
    let host = bench.host.clone();
    for words in [vec!["login", &host], vec!["login", &host, "-u", USER]] {
        let lines = bench.refused(Exit::Usage, &words).await;
        assert_eq!(lines[1], "hint: give it with -u USER and --password-stdin");
    }
    let empty = bench.told("\n", &["login", &host, "-u", USER, "--password-stdin"]).await;
    assert_eq!(empty.exit, Exit::Usage, "{empty:?}");
    assert!(bench.registry.requests().is_empty());
    // Without a home there is nowhere to keep it.
    bench.docker_config(&serde_json::json!({}));
    assert_eq!(log_in(&bench, &host, &[]).await.exit, Exit::Done);
}

#[tokio::test]
async fn a_registry_that_asks_for_no_login_cannot_verify_one() {
    let mut bench = Bench::new().await;
    bench.at_home();
    let outcome = log_in(&bench, &bench.host, &["--output", "json"]).await;
    assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
    let answer: Value = serde_json::from_str(outcome.text()).unwrap();
    assert_eq!(answer["verified"], false);
    assert!(outcome.stderr.contains("the password is not verified"), "{outcome:?}");
}

#[tokio::test]
async fn the_digest_of_a_tag_is_one_request_with_the_token_of_an_earlier_run() {
    let bench = guarded(Access::bearer([(USER, PASSWORD)])).await;
    sample::image(&bench.path("in"), "v1", 1 << 16).unwrap();
    assert_eq!(log_in(&bench, &bench.host, &[]).await.exit, Exit::Done);
    let image = bench.image("team/app:v1");
    bench.text(&["push", &bench.word("in"), &image]).await;
    let file = bench.path("home/.cache/registry/tokens.json");
    std::fs::remove_file(&file).unwrap();

    for (words, requests) in [
        (vec!["digest", &image], 3),
        (vec!["digest", &image], 1),
        (vec!["digest", &image, "--no-token-cache"], 3),
        (vec!["digest", &image], 1),
    ] {
        let before = bench.registry.requests().len();
        bench.text(&words).await;
        assert_eq!(bench.registry.requests().len() - before, requests, "{words:?}");
    }
    assert!(!std::fs::read_to_string(&file).unwrap().contains(PASSWORD));
    // A broken cache costs two requests, and no more.
    std::fs::write(&file, "{").unwrap();
    for requests in [3, 1] {
        let before = bench.registry.requests().len();
        bench.text(&["digest", &image]).await;
        assert_eq!(bench.registry.requests().len() - before, requests);
    }
    std::fs::remove_file(&file).unwrap();
    bench.text(&["digest", &image, "--no-token-cache"]).await;
    assert!(!file.exists());
}

/// Docker sends them everywhere; here nothing goes to anyone that was not meant for it.
#[tokio::test]
async fn c13_headers_of_the_configuration_file_are_not_sent() {
    let image = registry_faults::content::Image::small();
    let stocked = registry_faults::registry::Registry::new().with_image("app", "v1", &image);
    let stage = Stage::single(Script::registry(stocked)).unwrap();
    let mut bench = Bench::new().await;
    let headers = serde_json::json!({ "Authorization": "Basic canary", "X-Canary": "canary" });
    bench.docker_config(&serde_json::json!({ "HttpHeaders": headers }));
    assert_eq!(bench.text(&["ls", &format!("{}/app", stage.host())]).await, "v1");
    assert_eq!(stage.log().leaks(&["canary"]), []);
}

#[tokio::test]
async fn a_token_endpoint_of_somebody_else_is_allowed_at_login_and_remembered() {
    // A08: `localhost` is another host than `127.0.0.1`.
    let mut bench = Bench::new().await;
    bench.at_home();
    let stocked = || {
        let image = registry_faults::content::Image::small();
        registry_faults::registry::Registry::new().with_image("real/app", "v1", &image)
    };
    let access = Guard::bearer("http://localhost:{B.port}/token", USER, PASSWORD);
    let stage = Stage::start([
        ("A", Script::registry(stocked().with_access(access.clone()))),
        ("B", Script::registry(stocked().with_access(access))),
    ])
    .unwrap();
    let host = stage.host().to_owned();
    let repository = format!("{host}/real/app");

    let outcome = log_in(&bench, &host, &[]).await;
    assert_eq!(outcome.exit, Exit::Other, "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("say --trust-realm {host}=localhost")), "{outcome:?}");
    assert_eq!(stage.origin("B").unwrap().log().leaks(&[PASSWORD]), []);
    assert_eq!(config(&bench), None);

    let allowed = format!("{host}=localhost");
    let outcome = log_in(&bench, &host, &["--trust-realm", &allowed]).await;
    assert_eq!(outcome.exit, Exit::Done, "{outcome:?}");
    assert_eq!(bench.text(&["ls", &repository]).await, "v1");
    bench.text(&["logout", &host]).await;

    // What was allowed went with the login.
    let outcome = log_in(&bench, &host, &[]).await;
    assert_eq!(outcome.exit, Exit::Other, "{outcome:?}");
    let lines = bench.refused(Exit::Usage, &["ls", &repository, "--trust-realm", "x"]).await;
    assert!(lines[0].contains("REGISTRY=HOST"), "{lines:?}");
}
