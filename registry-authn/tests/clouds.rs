//! Google, Amazon and Azure: whose host it is, and what is renewed when.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Clock, Home, everything, look_up, resource, show};
use registry_authn::{Acr, Ecr, Environment, ErrorKind, Google, Keychain};

const KEY: &str = r#"{"type": "service_account", "private_key": "canary"}"#;

/// A home with gcloud, which answers what `answer` writes.
fn with_gcloud() -> (Home, Clock) {
    let (home, clock) = Home::new().with_programs(&["gcloud"]).with_clock();
    let answer = home.path("answer");
    (home.var("GCLOUD_ANSWER", answer), clock)
}

fn answer(home: &Home, token: &str, expiry: &str) {
    let text =
        format!(r#"{{"credential": {{"access_token": "{token}", "token_expiry": {expiry}}}}}"#);
    home.write("answer", text);
}

#[tokio::test]
async fn google_is_for_its_own_hosts_and_nothing_that_looks_like_them() {
    let google = Google::new(&Environment::empty().var("GOOGLE_OAUTH_ACCESS_TOKEN", "t"));
    for host in [
        "gcr.io",
        "us.gcr.io",
        "eu.gcr.io",
        "asia.gcr.io",
        "staging-k8s.gcr.io",
        "global.gcr.io",
        "us-docker.pkg.dev",
        "asia-docker.pkg.dev",
        "europe-docker.pkg.dev",
        "us-central1-docker.pkg.dev",
        "GCR.io/project/app",
    ] {
        assert_eq!(look_up(&google, host).await.unwrap(), "oauth2accesstoken / t", "{host}");
    }
    for host in [
        "notgcr.io",
        "fake-gcr.io",
        "alsonot.gcr.iot",
        "us-docker-pkg.dev",
        "someotherpkg.dev",
        "looks-like-pkg.dev",
        "closeto.pkg.devops",
        "index.docker.io",
        "pkg.dev",
        "gcr.io:443",
        "gcr.io.example.com",
        "example.com/gcr.io",
    ] {
        assert_eq!(look_up(&google, host).await.unwrap(), "nothing", "{host}");
    }
}

#[tokio::test]
async fn google_takes_a_token_then_a_key_then_asks_gcloud() {
    async fn found(home: &Home) -> String {
        look_up(&Google::new(&home.environment), "gcr.io/a/b").await.unwrap()
    }
    assert_eq!(found(&Home::new()).await, "nothing");
    let (home, _) = with_gcloud();
    answer(&home, "fresh", "null");
    assert_eq!(found(&home).await, "oauth2accesstoken / fresh");
    assert_eq!(home.asked().len(), 1);

    let key = home.write("key.json", KEY);
    let home = home.var("GOOGLE_APPLICATION_CREDENTIALS", key);
    assert_eq!(found(&home).await, format!("_json_key / {KEY}"));
    let encoded = STANDARD.encode(KEY);
    home.write("key.json", format!("{}\n{}\n", &encoded[..20], &encoded[20..]));
    assert_eq!(found(&home).await, format!("_json_key_base64 / {encoded}"));
    assert!(home.asked().is_empty());
    home.write("key.json", r#"{"type": "authorized_user", "refresh_token": "canary"}"#);
    assert_eq!(found(&home).await, "oauth2accesstoken / fresh");

    home.write("key.json", KEY);
    let home = home.var("CLOUDSDK_AUTH_ACCESS_TOKEN", "second");
    assert_eq!(found(&home).await, "oauth2accesstoken / second");
    let home = home.var("GOOGLE_OAUTH_ACCESS_TOKEN", "first");
    assert_eq!(found(&home).await, "oauth2accesstoken / first");
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_an_error_without_its_text() {
    for (text, message) in [
        (None, "does not exist"),
        (Some("canary"), "is neither JSON nor that in base64"),
        (Some("{canary"), "is neither JSON nor that in base64"),
        (Some("Y2FuYXJ5"), "is neither JSON nor that in base64"),
        (Some("\"canary\""), "is neither JSON nor that in base64"),
        (Some(""), "is neither JSON nor that in base64"),
    ] {
        let home = Home::new();
        let path = home.path("key.json");
        if let Some(text) = text {
            home.write("key.json", text);
        }
        let home = home.var("GOOGLE_APPLICATION_CREDENTIALS", path.clone());
        let google = Google::new(&home.environment);
        let error = look_up(&google, "gcr.io").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert_eq!(error.to_string(), format!("{} {message}", path.display()));
        assert!(error.hint().unwrap().ends_with("unset GOOGLE_APPLICATION_CREDENTIALS"));
        assert!(!everything(&error).contains("canary"), "{}", everything(&error));
        assert_eq!(look_up(&google, "docker.io").await.unwrap(), "nothing");
    }
}

#[tokio::test]
async fn gcloud_is_asked_again_a_minute_before_its_token_expires() {
    let (home, clock) = with_gcloud();
    answer(&home, "one", r#""2023-11-14T23:13:20Z""#); // in an hour
    let google = Google::new(&home.environment);
    let held = google.resolve(&resource("gcr.io")).await.unwrap().unwrap();
    answer(&home, "two", r#""2023-11-15T00:13:20Z""#);
    for (seconds, token, runs) in [(0, "one", 1), (3539, "one", 0), (1, "two", 1), (3599, "two", 0)]
    {
        clock.pass(seconds);
        let shown = show(&held.credential().await.unwrap());
        assert_eq!(shown, format!("oauth2accesstoken / {token}"), "{seconds}");
        assert_eq!(home.asked().len(), runs, "{seconds}");
    }
    // It keeps what it said while that is good, although it would fail now.
    std::fs::remove_file(home.path("answer")).unwrap();
    assert_eq!(look_up(&google, "us.gcr.io").await.unwrap(), "oauth2accesstoken / two");
    clock.pass(1);
    let error = held.credential().await.unwrap_err();
    assert_eq!(error.to_string(), "gcloud failed: exit status: 1");
    // One that is old is used for the request at hand only, one without an expiry for a minute.
    assert_eq!(home.asked().len(), 1);
    answer(&home, "old", r#""1999-01-01T00:00:00Z""#);
    for _ in 0..2 {
        assert_eq!(show(&held.credential().await.unwrap()), "oauth2accesstoken / old");
        assert_eq!(home.asked().len(), 1);
    }
    answer(&home, "endless", "null");
    for runs in [1, 0, 0] {
        assert_eq!(show(&held.credential().await.unwrap()), "oauth2accesstoken / endless");
        assert_eq!(home.asked().len(), runs);
        clock.pass(29);
    }
    clock.pass(2);
    held.credential().await.unwrap();
    assert_eq!(home.asked().len(), 1);
}

#[tokio::test]
async fn gcloud_runs_once_for_many_callers_at_once() {
    let (home, _) = with_gcloud();
    answer(&home, "one", r#""2023-11-14T23:13:20Z""#);
    let google = Google::new(&home.environment);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let google = google.clone();
            tokio::spawn(async move { look_up(&google, "gcr.io/a/b").await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "oauth2accesstoken / one");
    }
    assert_eq!(home.asked().len(), 1);
}

#[tokio::test]
async fn c08_what_gcloud_says_wrong_is_an_error_without_its_words() {
    for (said, message) in [
        (None, "gcloud failed: exit status: 1"),
        (Some("canary"), "gcloud gave an answer that is not JSON with an access token"),
        (Some("{}"), "gcloud gave an answer that is not JSON with an access token"),
        (Some("[\"canary\"]"), "gcloud gave an answer that is not JSON with an access token"),
        (
            Some(r#"{"credential":{"access_token":7,"id_token":"canary"}}"#),
            "gcloud gave an answer that is not JSON with an access token",
        ),
        (
            Some(r#"{"credential":{"access_token":""}}"#),
            "gcloud gave an access token that is empty",
        ),
        (
            Some(r#"{"credential":{"access_token":"canary","token_expiry":"tomorrow"}}"#),
            "gcloud gave an access token whose expiry is not a time",
        ),
        (
            Some(r#"{"credential":{"access_token":"canary","token_expiry":7}}"#),
            "gcloud gave an access token whose expiry is not a time",
        ),
    ] {
        let (home, _) = with_gcloud();
        if let Some(said) = said {
            home.write("answer", said);
        }
        let error = look_up(&Google::new(&home.environment), "gcr.io").await.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Helper);
        assert!(!everything(&error).contains("canary"), "{}", everything(&error));
    }
}

#[tokio::test]
async fn ecr_and_acr_ask_their_helper_for_their_own_hosts_only() {
    let home = Home::new().with_helpers(&["ecr-login", "acr-env"]);
    let (ecr, acr) = (Ecr::new(&home.environment), Acr::new(&home.environment));
    for (host, is_ecr, is_acr) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", true, false),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true, false),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", true, false),
        ("public.ecr.aws", true, false),
        ("acme.azurecr.io", false, true),
        ("acme.azurecr.cn", false, true),
        ("acme.azurecr.us", false, true),
        ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", false, false),
        ("acme.dkr.ecr.eu-west-1.amazonaws.com", false, false),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com:443", false, false),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com", false, false),
        ("123456789012.dkr.ecr.amazonaws.com", false, false),
        ("x.123456789012.dkr.ecr.eu-west-1.amazonaws.com", false, false),
        ("s3.amazonaws.com", false, false),
        ("public.ecr.aws.example.com", false, false),
        ("private.ecr.aws", false, false),
        ("azurecr.io", false, false),
        ("a.b.azurecr.io", false, false),
        ("acme.azurecr.io:443", false, false),
        ("acme.azurecr.io.example.com", false, false),
        ("docker.io", false, false),
    ] {
        let expected =
            |mine: bool| if mine { format!("user-{host} / sec") } else { "nothing".into() };
        assert_eq!(look_up(&ecr, host).await.unwrap(), expected(is_ecr), "{host}");
        assert_eq!(look_up(&acr, host).await.unwrap(), expected(is_acr), "{host}");
        let asked = if is_ecr || is_acr { vec![host] } else { vec![] };
        assert_eq!(home.asked(), asked, "{host}");
    }
}

#[tokio::test]
async fn a_cloud_without_its_helper_knows_nothing_and_with_a_broken_one_fails() {
    let host = "acme.azurecr.io/app";
    let none = Home::new().with_helpers(&[]);
    assert_eq!(look_up(&Acr::new(&none.environment), host).await.unwrap(), "nothing");
    let home = Home::new().with_helpers(&["acr-env"]).var("HELPER_PLAYS", "fail");
    let acr = Acr::new(&home.environment);
    let error = look_up(&acr, host).await.unwrap_err();
    assert_eq!(error.to_string(), "docker-credential-acr-env failed: exit status: 3");
}

#[tokio::test]
async fn a_cloud_helper_is_asked_again_after_a_minute() {
    let (home, clock) = Home::new().with_helpers(&["ecr-login"]).with_clock();
    let held = Ecr::new(&home.environment).resolve(&resource("public.ecr.aws/a/b")).await;
    let held = held.unwrap().unwrap();
    for (seconds, asked) in [(0, 1), (59, 0), (1, 1)] {
        clock.pass(seconds);
        assert_eq!(show(&held.credential().await.unwrap()), "user-public.ecr.aws / sec");
        assert_eq!(home.asked().len(), asked, "{seconds}");
    }
}

#[tokio::test]
async fn x04_no_debug_of_a_cloud_shows_a_secret() {
    let environment = Environment::empty().var("GOOGLE_OAUTH_ACCESS_TOKEN", "canary");
    let google = Google::new(&environment);
    let held = google.resolve(&resource("gcr.io")).await.unwrap().unwrap();
    let all = format!("{google:?} {held:?} {:?}", Ecr::new(&environment));
    assert!(!all.contains("canary"), "{all}");
}
