//! Clients that are slow, broken, many, or mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use registry_serve::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, Client, both, both_with, error, on_disk, sha256};

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(
            |entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] },
        )
        .collect()
}

/// Waits until something is so; the registry cleans up on its own time.
async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..600 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn no_path_leads_out_of_the_directory() {
    let outer = tempfile::tempdir().expect("a directory");
    let secret = outer.path().join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    let directory = outer.path().join("a/registry");
    let builder = registry_serve::Registry::builder().disk(&directory);
    let registry = builder.spawn().await.expect("spawn");
    let client = Client(registry.address());
    let up = ["..", "%2e%2e", "..%2f..", "%2E%2E%2F%2E%2E", ".", "a/../..", "a//b", "%00"];
    for up in up {
        for (method, target) in [
            ("GET", format!("/v2/{up}/secret/tags/list")),
            ("GET", format!("/v2/a/blobs/{up}/secret")),
            ("GET", format!("/v2/a/blobs/sha256:{up}%2fsecret")),
            ("PUT", format!("/v2/{up}/manifests/v1")),
            ("PUT", format!("/v2/a/manifests/{up}%2fsecret")),
            ("PUT", format!("/v2/a/manifests/{up}")),
            ("DELETE", format!("/v2/a/manifests/{up}%2f{up}%2fsecret")),
            ("PATCH", format!("/v2/a/blobs/uploads/{up}%2fsecret")),
            ("POST", format!("/v2/{up}/blobs/uploads/")),
            ("PUT", format!("/v2/a/blobs/uploads/{up}?digest={}", sha256(""))),
        ] {
            let answer = client.send(method, &target, &[], r#"{"manifests":[]}"#).await;
            assert!((400..500).contains(&answer.status), "{method} {target}: {answer:?}");
        }
    }
    registry.shutdown().await;
    assert_eq!(std::fs::read(&secret).expect("still there"), b"secret");
    assert_eq!(files(outer.path()), [secret], "nothing was written anywhere");
}

#[tokio::test]
async fn a_cut_upload_keeps_what_arrived_and_goes_on_there() {
    both(async |client| {
        let location = client.begin("a").await;
        let mut stream = client.connect().await;
        let head = client.head("PATCH", &location, &[], Some(1000));
        stream.write_all((head + "0123").as_bytes()).await.expect("a part");
        drop(stream);
        let mut status = client.get(&location).await;
        for _ in 0..600 {
            if status.header("range") == Some("0-3") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            status = client.get(&location).await;
        }
        assert_eq!(status.header("range"), Some("0-3"));
        let target = format!("{location}?digest={}", sha256("012345"));
        let answer = client.send("PUT", &target, &[("Content-Range", "4-5")], "45").await;
        assert_eq!(answer.status, 201, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn the_newest_request_takes_an_upload_from_a_dead_one() {
    both(async |client| {
        let location = client.begin("a").await;
        let mut dead = client.connect().await;
        let head = client.head("PATCH", &location, &[("Expect", "100-continue")], Some(1000));
        dead.write_all(head.as_bytes()).await.expect("head");
        let mut go_on = [0; 25];
        dead.read_exact(&mut go_on).await.expect("it has the upload");
        let answer = client.send("PATCH", &location, &[("Content-Range", "0-1")], "ab").await;
        assert_eq!(answer.status, 202);
        let _ = dead.write_all(b"late").await;
        let late = Answer::read(&mut dead).await;
        assert_eq!(late.error(), error(409, "BLOB_UPLOAD_INVALID"));
        assert_eq!(client.get(&location).await.header("range"), Some("0-1"));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    both_with(
        |builder| builder.idle_timeout(Duration::from_millis(200)),
        async |client| {
            let location = client.begin("a").await;
            for (method, target) in [
                ("PATCH", location.clone()),
                ("POST", format!("/v2/a/blobs/uploads/?digest={}", sha256("x"))),
                ("PUT", "/v2/a/manifests/v1".to_owned()),
            ] {
                let mut stream = client.connect().await;
                let head = client.head(method, &target, &[], Some(1000));
                stream.write_all((head + "01").as_bytes()).await.expect("a part");
                assert_eq!(Answer::read(&mut stream).await.status, 408, "{method}");
            }
            assert_eq!(client.get(&location).await.header("range"), Some("0-1"), "it is kept");
        },
    )
    .await;
}

fn uploads(directory: &tempfile::TempDir) -> Vec<PathBuf> {
    let mut found = files(directory.path());
    found.retain(|path| path.to_string_lossy().contains("_uploads"));
    found
}

/// Begins uploads in every way and finishes none of them.
async fn abandon(registry: &Running) -> String {
    let client = Client(registry.address());
    let location = client.begin("a").await;
    assert_eq!(client.send("PATCH", &location, &[], "some").await.status, 202);
    for target in [location.clone(), format!("/v2/a/blobs/uploads/?digest={}", sha256("x"))] {
        let method = if target == location { "PUT" } else { "POST" };
        let mut stream = client.connect().await;
        let head = client.head(method, &target, &[], Some(1000));
        stream.write_all((head + "more").as_bytes()).await.expect("a part");
        drop(stream);
    }
    location
}

#[tokio::test]
async fn abandoned_uploads_expire() {
    let short = Duration::from_secs(2);
    let (registry, directory) = on_disk(|builder| builder.upload_expiry(short)).await;
    let location = abandon(&registry).await;
    until("no upload is left", || uploads(&directory).is_empty()).await;
    let client = Client(registry.address());
    assert_eq!(client.get(&location).await.error(), error(404, "BLOB_UPLOAD_UNKNOWN"));
    let again = client.send("PATCH", &location, &[], "x").await;
    assert_eq!(again.error(), error(404, "BLOB_UPLOAD_UNKNOWN"));
}

#[tokio::test]
async fn an_upload_that_cannot_be_continued_leaves_nothing() {
    let (registry, directory) = on_disk(|builder| builder).await;
    abandon(&registry).await;
    let client = Client(registry.address());
    let target = format!("/v2/a/blobs/uploads/?digest={}", sha256("promised"));
    assert_eq!(client.send("POST", &target, &[], "delivered").await.status, 400);
    // The server may notice only now that the others are gone.
    until("only the one with a location is left", || uploads(&directory).len() == 1).await;
    assert_eq!(client.get("/v2/_catalog").await.json()["repositories"], serde_json::json!([]));
}

#[tokio::test]
async fn nonsense_on_the_wire_harms_nobody() {
    both(async |client| {
        let long = format!("GET /v2/ HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
        let many = format!("GET /v2/ HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(5000));
        let path = format!("GET /v2/{}/tags/list HTTP/1.1\r\n\r\n", "a/".repeat(100_000));
        for request in [
            "\r\n\r\n\r\n\r\n",
            "GET\r\n\r\n",
            "GET /v2/ HTTP/9.9\r\n\r\n",
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "PUT /v2/a/manifests/v1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
            &long,
            &many,
            &path,
        ] {
            let mut stream = client.connect().await;
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            let start: String = request.chars().take(60).collect();
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{start:?}: {text}");
        }
        assert_eq!(client.get("/v2/").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_do_not_disturb_each_other() {
    both(async |client| {
        let shared = vec![b's'; 300_000];
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let shared = shared.clone();
                tokio::spawn(async move {
                    for round in 0..10 {
                        // Everybody the same blob, each in turn an own one; one tag for all.
                        client.push_blob("app", &shared).await;
                        let own = format!("layer {writer} {round}");
                        let manifest = client.push_image("app", "latest", &own).await;
                        client.push_manifest("app", &format!("w{writer}-{round}"), &manifest).await;
                        let got = client.get("/v2/app/manifests/latest").await;
                        assert_eq!(
                            got.header("docker-content-digest"),
                            Some(sha256(&got.body).as_str())
                        );
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("a writer");
        }
        let tags = client.get("/v2/app/tags/list").await.json()["tags"].clone();
        assert_eq!(tags.as_array().map(Vec::len), Some(81));
        for writer in 0..8 {
            let layer = sha256(format!("layer {writer} 9"));
            assert_eq!(client.get(&format!("/v2/app/blobs/{layer}")).await.status, 200);
            let tag = client.get(&format!("/v2/app/manifests/w{writer}-9")).await;
            assert!(String::from_utf8_lossy(&tag.body).contains(&layer));
        }
        let blob = client.get(&format!("/v2/app/blobs/{}", sha256(&shared))).await;
        assert!(blob.body == shared);
    })
    .await;
}

/// Eight writers count to forty in one manifest, each reading it before it writes.
async fn count(clients: [Client; 2]) {
    clients[0].push_manifest("app", "count", r#"{"manifests":[],"n":0}"#).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let client = clients[writer % 2];
            tokio::spawn(async move {
                let mut added = 0;
                while added < 5 {
                    let now = client.get("/v2/app/manifests/count").await;
                    let count = now.json()["n"].as_u64().expect("a number");
                    let next = format!(r#"{{"manifests":[],"n":{}}}"#, count + 1);
                    let etag = now.header("etag").expect("an etag");
                    let headers = [("If-Match", etag)];
                    let put = client.send("PUT", "/v2/app/manifests/count", &headers, &next);
                    added += u32::from(put.await.status == 201);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    assert_eq!(clients[0].get("/v2/app/manifests/count").await.json()["n"], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_pushes_of_many_have_one_winner_each() {
    both(async |client| count([client; 2]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_registries_share_a_directory() {
    let (first, directory) = on_disk(|builder| builder).await;
    let second = registry_serve::Registry::builder().disk(directory.path());
    let second = second.spawn().await.expect("spawn");
    let clients = [Client(first.address()), Client(second.address())];
    count(clients).await;

    let location = clients[0].begin("app").await;
    assert_eq!(clients[0].send("PATCH", &location, &[], "first").await.status, 202);
    let taken = clients[1].send("PATCH", &location, &[], "second").await;
    assert_eq!(taken.error(), error(409, "BLOB_UPLOAD_INVALID"));
    first.shutdown().await;
    assert_eq!(clients[1].get(&location).await.header("range"), Some("0-4"));
    let target = format!("{location}?digest={}", sha256("first second"));
    assert_eq!(clients[1].send("PUT", &target, &[], " second").await.status, 201);
}
