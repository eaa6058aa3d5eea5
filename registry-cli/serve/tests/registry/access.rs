//! Who is let in, and what for.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry_serve::{Access, Bearer, Registry, Users};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, Client, both_with, error, sha256};

const USERS: [(&str, &str); 2] = [("alice", "wonder:land"), ("bob", "builder")];

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

async fn with(client: Client, method: &str, target: &str, authorization: &str) -> Answer {
    client.send(method, target, &[("Authorization", authorization)], "").await
}

/// Asks for a token with alice's password.
async fn token(client: Client, query: &str) -> String {
    let authorization = basic("alice", "wonder:land");
    let answer = with(client, "GET", &format!("/token?{query}"), &authorization).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    format!("Bearer {}", answer.json()["token"].as_str().expect("a token"))
}

#[tokio::test]
async fn basic_lets_in_whoever_has_a_password() {
    both_with(
        |builder| builder.auth(Access::basic(USERS)),
        async |client| {
            let refused = client.get("/v2/").await;
            assert_eq!(refused.error(), error(401, "UNAUTHORIZED"));
            let challenge = refused.header("www-authenticate").expect("a challenge");
            assert_eq!(challenge, "Basic realm=\"registry\", charset=\"UTF-8\"");
            for (name, password) in USERS {
                assert_eq!(with(client, "GET", "/v2/", &basic(name, password)).await.status, 200);
            }
            let lower = basic("bob", "builder").replace("Basic", "basic");
            assert_eq!(with(client, "GET", "/v2/", &lower).await.status, 200);
            for wrong in [
                basic("alice", "builder"),
                basic("alice", ""),
                basic("", ""),
                basic("mallory", "wonder:land"),
                basic("alice", "wonder:land "),
                "Basic !!!".to_owned(),
                "Basic".to_owned(),
                format!("Bearer {}", STANDARD.encode("alice:wonder:land")),
            ] {
                let answer = with(client, "GET", "/v2/", &wrong).await;
                assert_eq!(answer.error(), error(401, "UNAUTHORIZED"), "{wrong}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn who_is_not_let_in_learns_nothing() {
    both_with(
        |builder| builder.auth(Access::basic(USERS)),
        async |client| {
            for (method, target) in [
                ("GET", "/v2/a/tags/list".to_owned()),
                ("GET", "/v2/_catalog".to_owned()),
                ("GET", "/v2/A/tags/list".to_owned()),
                ("GET", "/nothing/here".to_owned()),
                ("HEAD", format!("/v2/a/blobs/{}", sha256("x"))),
                ("PATCH", "/v2/a/blobs/uploads/x".to_owned()),
                ("DELETE", "/v2/a/manifests/v1".to_owned()),
            ] {
                let answer = client.send(method, &target, &[], "").await;
                assert_eq!(answer.status, 401, "{method} {target}");
            }
            assert_eq!(client.get("/healthz").await.status, 200, "health is no secret");
        },
    )
    .await;
}

#[tokio::test]
async fn a_refused_push_leaves_the_connection_usable() {
    both_with(
        |builder| builder.auth(Access::basic(USERS)),
        async |client| {
            let mut stream = client.connect().await;
            let target = format!("/v2/a/blobs/uploads/?digest={}", sha256("x"));
            let head = client.head("POST", &target, &[], Some(4 << 20));
            let head = head.replace("Connection: close", "Connection: keep-alive");
            stream.write_all(head.as_bytes()).await.expect("head");
            for _ in 0..64 {
                stream.write_all(&vec![b'x'; 65536]).await.expect("a part of the body");
                tokio::task::yield_now().await;
            }
            let next = client.head("GET", "/healthz", &[], Some(0));
            stream.write_all(next.as_bytes()).await.expect("another request");
            let mut both = String::new();
            stream.read_to_string(&mut both).await.expect("two answers");
            let status: Vec<&str> = both.split("HTTP/1.1 ").skip(1).map(|one| &one[..3]).collect();
            assert_eq!(status, ["401", "200"], "{both}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_challenge_names_the_scope_and_the_host_that_was_asked() {
    both_with(
        |builder| builder.auth(Access::bearer(USERS)),
        async |client| {
            let host = client.0.to_string();
            let start = format!("Bearer realm=\"http://{host}/token\",service=\"{host}\"");
            for (method, target, scope) in [
                ("GET", "/v2/", None),
                ("GET", "/v2/a/b/tags/list", Some("repository:a/b:pull")),
                ("PUT", "/v2/a/manifests/v1", Some("repository:a:pull,push")),
                ("DELETE", "/v2/a/manifests/v1", Some("repository:a:delete")),
                ("GET", "/v2/_catalog", Some("registry:catalog:*")),
                (
                    "POST",
                    "/v2/a/blobs/uploads/?mount=x&from=other",
                    Some("repository:a:pull,push repository:other:pull"),
                ),
            ] {
                let answer = client.send(method, target, &[], "").await;
                assert_eq!(answer.error(), error(401, "UNAUTHORIZED"), "{method} {target}");
                let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge, Some(format!("{start}{scope}").as_str()), "{target}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_token_is_good_for_its_scopes_and_no_others() {
    both_with(
        |builder| builder.auth(Access::bearer(USERS)),
        async |client| {
            let all = token(client, "scope=repository:a:*&scope=registry:catalog:*").await;
            let push = format!("/v2/a/blobs/uploads/?digest={}", sha256(""));
            assert_eq!(with(client, "POST", &push, &all).await.status, 201);
            assert_eq!(with(client, "GET", "/v2/_catalog", &all).await.status, 200);
            let blob = format!("/v2/a/blobs/{}", sha256(""));

            let pull = token(client, "scope=repository:a:pull%20repository:b:push").await;
            assert_eq!(with(client, "GET", "/v2/", &pull).await.status, 200);
            assert_eq!(with(client, "GET", &blob, &pull).await.status, 200);
            for (method, target) in [
                ("GET", "/v2/b/tags/list"),
                ("GET", "/v2/_catalog"),
                ("POST", push.as_str()),
                ("DELETE", blob.as_str()),
                ("GET", "/v2/a/deeper/tags/list"),
            ] {
                let answer = with(client, method, target, &pull).await;
                assert_eq!(answer.status, 401, "{method} {target}");
                let challenge = answer.header("www-authenticate").expect("a challenge");
                assert!(challenge.ends_with(",error=\"insufficient_scope\""), "{challenge}");
            }
            let unknown = with(client, "GET", &blob, "Bearer made-up").await;
            let challenge = unknown.header("www-authenticate").expect("a challenge");
            assert!(challenge.ends_with(",error=\"invalid_token\""), "{challenge}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_mount_needs_the_right_to_pull_its_source() {
    both_with(
        |builder| builder.auth(Access::bearer(USERS)),
        async |client| {
            let source = token(client, "scope=repository:source:pull,push").await;
            let push = format!("/v2/source/blobs/uploads/?digest={}", sha256(""));
            assert_eq!(with(client, "POST", &push, &source).await.status, 201);
            let target = token(client, "scope=repository:to:pull,push").await;
            let both = "scope=repository:to:pull,push&scope=repository:source:pull";
            let both = token(client, both).await;
            // The narrow token first: once the blob is there, it can be mounted from there.
            for (token, status) in [(target, 202), (both, 201)] {
                for from in ["", "&from=source"] {
                    let post = format!("/v2/to/blobs/uploads/?mount={}{from}", sha256(""));
                    assert_eq!(with(client, "POST", &post, &token).await.status, status, "{from}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_token_costs_a_password_or_only_pulls() {
    let users: Users = USERS.into_iter().collect();
    let scopes = "/token?scope=repository:a:pull,push&scope=registry:catalog:*";
    let closed = Registry::builder().auth(Bearer::new(users.clone())).spawn().await.expect("spawn");
    let client = Client(closed.address());
    assert_eq!(client.get(scopes).await.error(), error(401, "UNAUTHORIZED"));
    let wrong = with(client, "GET", scopes, &basic("alice", "x")).await;
    assert_eq!(wrong.error(), error(401, "UNAUTHORIZED"));

    let open = Bearer::new(users).anonymous_pull(true);
    let open = Registry::builder().auth(open).spawn().await.expect("spawn");
    let client = Client(open.address());
    let answer = client.get(scopes).await;
    let token = format!("Bearer {}", answer.json()["access_token"].as_str().expect("a token"));
    assert_eq!(with(client, "GET", "/v2/a/tags/list", &token).await.status, 404, "let in");
    assert_eq!(with(client, "POST", "/v2/a/blobs/uploads/", &token).await.status, 401);
    assert_eq!(with(client, "GET", "/v2/_catalog", &token).await.status, 401);
    assert_eq!(with(client, "GET", scopes, &basic("alice", "x")).await.status, 401);
}

#[tokio::test]
async fn a_token_expires() {
    let users: Users = USERS.into_iter().collect();
    let short = Bearer::new(users).expiry(Duration::ZERO);
    let registry = Registry::builder().auth(short).spawn().await.expect("spawn");
    let client = Client(registry.address());
    let token = token(client, "").await;
    assert_eq!(with(client, "GET", "/v2/", &token).await.status, 401);
}

#[tokio::test]
async fn the_oauth2_form_gives_tokens_and_refreshes_them() {
    let registry = Registry::builder().auth(Access::bearer(USERS)).spawn().await.expect("spawn");
    let client = Client(registry.address());
    let form = "application/x-www-form-urlencoded";
    let post =
        async |body: &str| client.send("POST", "/token", &[("Content-Type", form)], body).await;

    let password = "grant_type=password&username=alice&password=wonder%3Aland&access_type=offline";
    let first = post(&format!("{password}&scope=repository:a:pull")).await;
    assert_eq!((first.status, first.header("cache-control")), (200, Some("no-store")));
    assert_eq!(first.json()["expires_in"], 300);
    let refresh = first.json()["refresh_token"].as_str().expect("a refresh token").to_owned();

    let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope=repository:b:pull");
    let second = post(&again).await.json()["access_token"].as_str().expect("a token").to_owned();
    let answer = with(client, "GET", "/v2/b/tags/list", &format!("Bearer {second}")).await;
    assert_eq!(answer.status, 404, "let in");

    for wrong in [
        "grant_type=password&username=alice&password=x",
        "grant_type=refresh_token&refresh_token=made-up",
        "grant_type=refresh_token",
    ] {
        assert_eq!(post(wrong).await.error(), error(401, "UNAUTHORIZED"), "{wrong}");
    }
    assert_eq!(post("grant_type=implicit").await.status, 400);
    let as_access = with(client, "GET", "/v2/", &format!("Bearer {refresh}")).await;
    assert_eq!(as_access.status, 401, "a refresh token opens nothing by itself");
}

#[tokio::test]
async fn secrets_are_in_no_debug_output() {
    let registry = Registry::builder().auth(Access::bearer(USERS)).record_requests(10);
    let shown = format!("{registry:?}");
    assert!(shown.contains("alice"), "{shown}");
    let registry = registry.spawn().await.expect("spawn");
    let token = token(Client(registry.address()), "scope=repository:a:pull").await;
    let token = token.trim_start_matches("Bearer ");
    let shown = format!("{shown} {registry:?} {:?}", registry.requests());
    for secret in [token, "wonder", "builder\"", &STANDARD.encode("alice:wonder:land")] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
}
