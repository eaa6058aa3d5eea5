//! Pulling: content, existence, ranges, conditions.

use crate::client::{both, error, sha256};

#[tokio::test]
async fn the_base_says_that_the_api_is_here() {
    both(async |client| {
        let answer = client.get("/v2/").await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
        assert_eq!(answer.header("docker-distribution-api-version"), Some("registry/2.0"));
        assert_eq!(client.get("/healthz").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_blob_comes_back_with_its_digest_and_length() {
    both(async |client| {
        let digest = client.push_blob("a/b", "content").await;
        let target = format!("/v2/a/b/blobs/{digest}");
        let answer = client.get(&target).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"content"[..]));
        let head = client.head_of(&target).await;
        assert_eq!((head.status, head.body.as_slice()), (200, &b""[..]));
        for answer in [answer, head] {
            assert_eq!(answer.header("content-length"), Some("7"));
            assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
            assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
            assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_of_several_pieces_arrives_whole() {
    both(async |client| {
        let content: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
        let digest = client.push_blob("a", &content).await;
        let answer = client.get(&format!("/v2/a/blobs/{digest}")).await;
        assert!(answer.body == content, "{} of {} bytes", answer.body.len(), content.len());
        let target = format!("/v2/a/blobs/{digest}");
        let part = client.send("GET", &target, &[("Range", "bytes=262143-2000000")], "").await;
        assert!(part.body == content[262_143..=2_000_000], "{} bytes", part.body.len());
    })
    .await;
}

#[tokio::test]
async fn a_range_is_served_and_an_impossible_one_refused() {
    both(async |client| {
        let digest = client.push_blob("a", "0123456789").await;
        let target = format!("/v2/a/blobs/{digest}");
        for (range, body, content_range) in [
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=8-", "89", "bytes 8-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=5-500", "56789", "bytes 5-9/10"),
        ] {
            let answer = client.send("GET", &target, &[("Range", range)], "").await;
            assert_eq!((answer.status, answer.body.as_slice()), (206, body.as_bytes()), "{range}");
            assert_eq!(answer.header("content-range"), Some(content_range));
            let head = client.send("HEAD", &target, &[("Range", range)], "").await;
            assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
        }
        for range in ["bytes=10-", "bytes=4-2", "bytes=-0", "bytes=99999999999999999999-"] {
            let answer = client.send("GET", &target, &[("Range", range)], "").await;
            assert_eq!(answer.status, 416, "{range}");
            assert_eq!(answer.header("content-range"), Some("bytes */10"));
        }
    })
    .await;
}

#[tokio::test]
async fn ranges_without_end_cost_one_whole_blob() {
    both(async |client| {
        let digest = client.push_blob("a", "0123456789").await;
        let target = format!("/v2/a/blobs/{digest}");
        let many: Vec<String> = (0..1000).map(|_| "0-".to_owned()).collect();
        let many = format!("bytes={}", many.join(","));
        for range in [many.as_str(), "bytes=0-1,3-4", "chapters=1-2", "bytes=x-y", "bytes"] {
            let answer = client.send("GET", &target, &[("Range", range)], "").await;
            assert_eq!((answer.status, answer.body.len()), (200, 10), "{range}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    both(async |client| {
        let manifest = client.push_image("a", "v1", "layer").await;
        let digest = sha256(&manifest);
        let etag = format!("\"{digest}\"");
        for (target, etag) in [
            ("/v2/a/manifests/v1".to_owned(), etag.clone()),
            (format!("/v2/a/manifests/{digest}"), format!("\"x\", W/{etag}")),
            (format!("/v2/a/blobs/{}", sha256("layer")), format!("\"{}\"", sha256("layer"))),
            (format!("/v2/a/blobs/{}", sha256("layer")), "*".to_owned()),
        ] {
            let answer = client.send("GET", &target, &[("If-None-Match", &etag)], "").await;
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{target}");
            let other = client.send("GET", &target, &[("If-None-Match", "\"other\"")], "").await;
            assert_eq!(other.status, 200, "{target}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_range_of_other_content_is_not_mixed_in() {
    both(async |client| {
        let digest = client.push_blob("a", "0123456789").await;
        let target = format!("/v2/a/blobs/{digest}");
        let same = format!("\"{digest}\"");
        for (condition, status) in [(same.as_str(), 206), ("\"other\"", 200)] {
            let headers = [("Range", "bytes=1-2"), ("If-Range", condition)];
            assert_eq!(client.send("GET", &target, &headers, "").await.status, status);
        }
    })
    .await;
}

#[tokio::test]
async fn a_manifest_comes_back_byte_for_byte_with_its_type() {
    both(async |client| {
        let config = client.push_blob("a", "{}").await;
        let layer = client.push_blob("a", "layer").await;
        let manifest =
            crate::client::image(&config, 2, &[(&layer, 5)], ",\n  \"unknown\" : 1.50e1 ");
        let digest = client.push_manifest("a", "v1", &manifest).await;
        assert_eq!(digest, sha256(&manifest));
        for target in ["/v2/a/manifests/v1".to_owned(), format!("/v2/a/manifests/{digest}")] {
            let answer = client.get(&target).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, manifest.as_bytes()));
            assert_eq!(answer.header("content-type"), Some(crate::client::OCI_MANIFEST));
            let head = client.head_of(&target).await;
            assert_eq!(head.header("content-length"), Some(manifest.len().to_string().as_str()));
            assert_eq!(head.header("docker-content-digest"), Some(digest.as_str()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_manifest_without_a_type_keeps_the_one_it_was_pushed_with() {
    both(async |client| {
        let typed = "application/vnd.example.thing+json; charset=utf-8";
        let answer = client
            .send("PUT", "/v2/a/manifests/v1", &[("Content-Type", typed)], r#"{"manifests":[]}"#)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let answer = client.get("/v2/a/manifests/v1").await;
        assert_eq!(answer.header("content-type"), Some("application/vnd.example.thing+json"));
        // Without any, its fields tell.
        client.push_manifest("a", "v2", r#"{"manifests":[],"x":1}"#).await;
        let answer = client.get("/v2/a/manifests/v2").await;
        assert_eq!(answer.header("content-type"), Some(crate::client::OCI_INDEX));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_has_a_code_of_its_own() {
    both(async |client| {
        let digest = sha256("never pushed");
        let blob = client.get(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(blob.error(), error(404, "BLOB_UNKNOWN"));
        let manifest = client.get(&format!("/v2/a/manifests/{digest}")).await;
        assert_eq!(manifest.error(), error(404, "MANIFEST_UNKNOWN"));
        let tag = client.get("/v2/a/manifests/v1").await;
        assert_eq!(tag.error(), error(404, "MANIFEST_UNKNOWN"));
        assert_eq!(client.get("/v2/a/tags/list").await.error(), error(404, "NAME_UNKNOWN"));
        assert_eq!(client.head_of(&format!("/v2/a/blobs/{digest}")).await.status, 404);
        let other = client.push_blob("a", "x").await;
        let elsewhere = client.get(&format!("/v2/b/blobs/{other}")).await;
        assert_eq!(elsewhere.error(), error(404, "BLOB_UNKNOWN"), "blobs belong to repositories");
        let upload = "/v2/a/blobs/uploads/01234567-89ab-4def-8123-456789abcdef";
        assert_eq!(client.get(upload).await.error(), error(404, "BLOB_UPLOAD_UNKNOWN"));
    })
    .await;
}
