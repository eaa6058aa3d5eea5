//! Limits, logs, metrics, warnings, faults, garbage: what whoever runs a registry asks for.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use registry_serve::{Access, Builder, Error, Fault, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, Client, both_with, error, on_disk, sha256};

fn fault(text: &str) -> Fault {
    text.parse().expect("a fault")
}

async fn spawn(builder: Builder) -> (registry_serve::Running, Client) {
    let registry = builder.spawn().await.expect("spawn");
    let client = Client(registry.address());
    (registry, client)
}

#[tokio::test]
async fn a_blob_has_at_most_the_bytes_of_the_limit() {
    both_with(
        |builder| builder.blob_limit(10),
        async |client| {
            client.push_blob("a", "0123456789").await;
            let long = "0123456789x";
            let target = format!("/v2/a/blobs/uploads/?digest={}", sha256(long));
            let refused = client.send("POST", &target, &[], long).await;
            assert_eq!(refused.error(), error(413, "SIZE_INVALID"));

            let location = client.begin("a").await;
            assert_eq!(client.send("PATCH", &location, &[], "01234567").await.status, 202);
            let more = client.send("PATCH", &location, &[], "89x").await;
            assert_eq!(more.error(), error(413, "SIZE_INVALID"));
            // Its length is not announced, so it has to be counted.
            let mut stream = client.connect().await;
            let head = client.head("PATCH", &location, &[], None);
            stream.write_all((head + "3\r\n89x\r\n0\r\n\r\n").as_bytes()).await.expect("sent");
            assert_eq!(Answer::read(&mut stream).await.error(), error(413, "SIZE_INVALID"));
            let target = format!("{location}?digest={}", sha256("0123456789"));
            assert_eq!(client.send("PUT", &target, &[], "89").await.status, 201);
        },
    )
    .await;
}

#[tokio::test]
async fn uploads_at_once_have_a_limit_that_gives_way() {
    both_with(
        |builder| builder.upload_limit(2),
        async |client| {
            let first = client.begin("a").await;
            client.begin("b").await;
            let refused = client.send("POST", "/v2/c/blobs/uploads/", &[], "").await;
            assert_eq!(refused.error(), error(429, "TOOMANYREQUESTS"));
            let wait = refused.header("retry-after").and_then(|text| text.parse::<u64>().ok());
            assert!(wait.is_some_and(|seconds| seconds > 0), "{refused:?}");
            assert_eq!(client.delete(&first).await.status, 204);
            client.push_blob("c", "at once, and over").await;
            client.begin("c").await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let limit = NonZeroU32::new(3).expect("not zero");
    let (_registry, client) = spawn(Registry::builder().rate_limit(limit)).await;
    for _ in 0..3 {
        assert_eq!(client.get("/v2/").await.status, 200);
    }
    let refused = client.get("/v2/").await;
    assert_eq!(refused.error(), error(429, "TOOMANYREQUESTS"));
    let seconds: u64 = refused.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert_eq!(client.get("/healthz").await.status, 200, "health is always told");
}

#[tokio::test]
async fn more_connections_wait_until_one_ends() {
    let one = NonZeroUsize::new(1).expect("not zero");
    let (_registry, client) = spawn(Registry::builder().connection_limit(one)).await;
    let mut first = client.connect().await;
    let head = client.head("GET", "/v2/", &[], Some(0)).replace("close", "keep-alive");
    first.write_all(head.as_bytes()).await.expect("sent");
    let mut some = [0; 12];
    first.read_exact(&mut some).await.expect("an answer begins");
    assert_eq!(&some, b"HTTP/1.1 200");
    let mut second = tokio::spawn(async move { client.get("/v2/").await.status });
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waited.is_err(), "there is no room yet");
    drop(first);
    assert_eq!(second.await.expect("answered"), 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (_registry, client) = spawn(Registry::builder().header_limit(1000)).await;
    let long = "x".repeat(1000);
    let refused = client.send("GET", "/v2/", &[("X-Long", &long)], "").await;
    assert_eq!(refused.error(), error(431, "UNSUPPORTED"));
    assert_eq!(client.get(&format!("/v2/?{long}")).await.status, 431);
    assert_eq!(client.send("GET", "/v2/", &[("X-Long", &long[..500])], "").await.status, 200);
}

#[tokio::test]
async fn requests_are_logged_without_secrets() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let builder = Registry::builder().auth(Access::bearer([("alice", "hunter2")]));
    let builder = builder.log(move |record| {
        let mut lines = sink.lock().expect("not poisoned");
        lines.extend([record.to_string(), record.json()]);
    });
    let (_registry, client) = spawn(builder).await;
    let basic = "Basic YWxpY2U6aHVudGVyMg==";
    let target = "/token?password=hunter2&scope=repository:a:pull";
    let answer = client.send("GET", target, &[("Authorization", basic)], "").await;
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let bearer = format!("Bearer {token}");
    client.send("GET", "/v2/a/tags/list?n=1", &[("Authorization", &bearer)], "").await;
    let form = "grant_type=password&username=alice&password=hunter2";
    client.send("POST", "/token", &[], form).await;

    let lines = lines.lock().expect("not poisoned").clone();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].contains(" 127.0.0.1 GET /token 200 "), "{}", lines[0]);
    assert!(lines[2].contains(" GET /v2/a/tags/list?n=1 404 "), "{}", lines[2]);
    assert!(lines[5].contains(r#""method":"POST""#), "{}", lines[5]);
    let all = lines.join("\n");
    for secret in ["hunter2", &token, "YWxpY2U6"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn metrics_are_shown_on_demand_and_to_those_who_are_let_in() {
    let (_off, client) = spawn(Registry::builder()).await;
    assert_eq!(client.get("/metrics").await.status, 404);

    let (_registry, client) = spawn(Registry::builder().metrics(true)).await;
    client.get("/v2/").await;
    client.get("/v2/").await;
    client.get("/v2/a/tags/list").await;
    client.begin("a").await;
    let answer = client.get("/metrics").await;
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body).expect("text");
    for line in [
        "# TYPE registry_requests_total counter",
        "registry_requests_total{method=\"GET\",code=\"200\"} 2",
        "registry_requests_total{method=\"GET\",code=\"404\"} 1",
        "registry_requests_total{method=\"POST\",code=\"202\"} 1",
        "registry_uploads 1",
        "registry_request_seconds_count 4",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    let users = Access::basic([("alice", "x")]);
    let (_closed, client) = spawn(Registry::builder().metrics(true).auth(users)).await;
    assert_eq!(client.get("/metrics").await.status, 401);
}

#[tokio::test]
async fn a_warning_comes_with_every_answer() {
    let warned = Registry::builder().warning(r#"it "moves" soon: a\b"#);
    let (_registry, client) = spawn(warned).await;
    let expected = Some(r#"299 - "it \"moves\" soon: a\\b""#);
    assert_eq!(client.get("/v2/").await.header("warning"), expected);
    assert_eq!(client.get("/v2/a/tags/list").await.header("warning"), expected);
    assert_eq!(client.get("/healthz").await.header("warning"), None);
    for text in ["two\nlines", "Ü", &"x".repeat(257)] {
        let refused = Registry::builder().warning(text).spawn().await;
        assert!(matches!(refused, Err(Error::Warning)), "{text:?}");
    }
}

#[tokio::test]
async fn faults_happen_when_they_are_asked_for() {
    let builder = Registry::builder().fault(fault("fail=2:500"));
    let (registry, client) = spawn(builder).await;
    assert_eq!(client.get("/v2/").await.error(), error(500, "UNKNOWN"));
    assert_eq!(client.get("/v2/").await.status, 500);
    let digest = client.push_blob("a", "0123456789").await;

    registry.inject(fault("429=2"));
    assert_eq!(client.get("/v2/").await.status, 200);
    let limited = client.get("/v2/").await;
    assert_eq!(limited.error(), error(429, "TOOMANYREQUESTS"));
    assert_eq!(limited.header("retry-after"), Some("1"));
    registry.clear_faults();

    registry.inject(fault("cut=4"));
    let cut = client.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!((cut.header("content-length"), cut.body.as_slice()), (Some("10"), &b"0123"[..]));
    assert_eq!(client.get("/v2/").await.body, b"{}", "what is short enough stays whole");
    registry.clear_faults();
    assert_eq!(client.get(&format!("/v2/a/blobs/{digest}")).await.body, b"0123456789");
}

#[tokio::test]
async fn tokens_expire_when_they_are_asked_to() {
    let builder = Registry::builder().auth(Access::bearer([("a", "b")]));
    let (registry, client) = spawn(builder.fault(fault("expire-tokens=3"))).await;
    let mut status = Vec::new();
    for _ in 0..2 {
        let headers = [("Authorization", "Basic YTpi")];
        let answer = client.send("GET", "/token", &headers, "").await.json();
        let bearer = format!("Bearer {}", answer["token"].as_str().expect("a token"));
        for _ in 0..2 {
            let answer = client.send("GET", "/v2/", &[("Authorization", &bearer)], "").await;
            status.push(answer.status);
        }
    }
    assert_eq!(status, [200, 401, 200, 401]);
    registry.shutdown().await;
}

#[tokio::test]
async fn garbage_is_what_no_manifest_references() {
    for on_a_disk in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = Registry::builder();
        let builder = if on_a_disk { builder.disk(directory.path()) } else { builder };
        let (registry, client) = spawn(builder).await;
        let manifest = client.push_image("team/app", "v1", "layer").await;
        let orphan = client.push_blob("team/app", "an orphan").await;
        let shared = client.push_blob("other", "layer").await;
        let there = async |name: &str, digest: &str| {
            client.get(&format!("/v2/{name}/blobs/{digest}")).await.status
        };

        let young = registry.collect_garbage(Duration::from_secs(3600)).await.expect("collected");
        assert_eq!((young.blobs, young.bytes), (0, 0), "a push may be under way");
        assert_eq!(there("team/app", &orphan).await, 200);

        let old = registry.collect_garbage(Duration::ZERO).await.expect("collected");
        assert_eq!((old.blobs, old.bytes), (2, 14));
        assert_eq!(there("team/app", &orphan).await, 404);
        assert_eq!(there("other", &shared).await, 404, "nothing in this repository needs it");
        assert_eq!(there("team/app", &shared).await, 200);
        assert_eq!(client.get("/v2/team/app/manifests/v1").await.body, manifest.as_bytes());
        assert_eq!(registry.collect_garbage(Duration::ZERO).await.expect("collected").blobs, 0);

        // What was collected is missed by a manifest, and not stored half.
        let needs = crate::client::image(&orphan, 9, &[], "");
        let put = client.send("PUT", "/v2/team/app/manifests/v2", &[], &needs).await;
        assert_eq!(put.error(), error(400, "MANIFEST_BLOB_UNKNOWN"));
        client.push_blob("team/app", "an orphan").await;
        client.push_manifest("team/app", "v2", &needs).await;
        registry.shutdown().await;
    }
}

#[tokio::test]
async fn garbage_can_be_collected_at_the_start() {
    let (registry, directory) = on_disk(|builder| builder).await;
    let orphan = Client(registry.address()).push_blob("a", "an orphan").await;
    registry.shutdown().await;
    let builder = Registry::builder().disk(directory.path()).collect_garbage(Duration::ZERO);
    let (_registry, client) = spawn(builder).await;
    for _ in 0..600 {
        if client.get(&format!("/v2/a/blobs/{orphan}")).await.status == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is still there");
}

#[tokio::test]
async fn a_push_goes_on_while_garbage_is_collected() {
    let (registry, _directory) = on_disk(|builder| builder).await;
    let client = Client(registry.address());
    let registry = Arc::new(registry);
    let collector = Arc::clone(&registry);
    let collecting = tokio::spawn(async move {
        loop {
            collector.collect_garbage(Duration::from_secs(3600)).await.expect("collected");
        }
    });
    for number in 0..20 {
        let tag = format!("v{number}");
        let manifest = client.push_image("app", &tag, &format!("layer {number}")).await;
        let got = client.get(&format!("/v2/app/manifests/{tag}")).await;
        assert_eq!(got.body, manifest.as_bytes());
    }
    collecting.abort();
}
