//! Pushing and deleting manifests and tags.

use tokio::io::AsyncWriteExt;

use crate::client::{
    Answer, OCI_INDEX, OCI_MANIFEST, both, both_with, error, image, sha256, sha512,
};

#[tokio::test]
async fn an_image_needs_its_blobs_and_an_index_does_not_need_its_manifests() {
    both(async |client| {
        let config = client.push_blob("a", "{}").await;
        let (one, two) = (sha256("one"), sha256("two"));
        let manifest = image(&config, 2, &[(&one, 3), (&two, 3)], "");
        let answer = client.send("PUT", "/v2/a/manifests/v1", &[], &manifest).await;
        assert_eq!(answer.error(), error(400, "MANIFEST_BLOB_UNKNOWN"));
        let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
        let mut named: Vec<_> = errors.iter().map(|one| one["detail"]["digest"].clone()).collect();
        named.sort_by_key(ToString::to_string);
        let mut expected = [one.as_str(), two.as_str()];
        expected.sort_unstable();
        assert_eq!(named, expected, "each missing blob is named");
        assert_eq!(client.get("/v2/a/manifests/v1").await.status, 404);

        let entry = format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{one}","size":3}}"#);
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{entry}]}}"#);
        client.push_manifest("a", "sparse", &index).await;
    })
    .await;
}

#[tokio::test]
async fn layers_that_live_elsewhere_may_be_missing() {
    both(async |client| {
        let config = client.push_blob("a", "{}").await;
        let (one, two) = (sha256("one"), sha256("two"));
        let foreign = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"digest":"{config}","size":2}},"layers":[
            {{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip","digest":"{one}","size":3}},
            {{"mediaType":"application/vnd.oci.image.layer.v1.tar","urls":["https://example.com/x"],"digest":"{two}","size":3}}]}}"#
        );
        client.push_manifest("a", "v1", &foreign).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_a_manifest_is_refused() {
    both(async |client| {
        client.push_blob("a", "{}").await;
        let config = sha256("{}");
        let typed = image(&config, 2, &[], "");
        for (body, media_type) in [
            ("", OCI_MANIFEST),
            ("no json", OCI_MANIFEST),
            ("[]", OCI_MANIFEST),
            (r#"{"schemaVersion":1,"name":"x"}"#, OCI_MANIFEST),
            (r#"{"layers":[{"digest":"sha256:../../x","size":1}]}"#, OCI_MANIFEST),
            (r#"{"layers":[{"digest":"sha256:x","size":-1}]}"#, OCI_MANIFEST),
            (r#"{"manifests":[],"layers":[]}"#, OCI_MANIFEST),
            (typed.as_str(), OCI_INDEX),
            ("{}", ""),
            (r#"{"mediaType":"a/b\nset-cookie: x","manifests":[]}"#, ""),
            (r#"{"mediaType":"none","manifests":[]}"#, ""),
            (r#"{"manifests":[],"manifests":[]}"#, OCI_INDEX),
        ] {
            let headers = [("Content-Type", media_type)];
            let answer = client.send("PUT", "/v2/a/manifests/v1", &headers, body).await;
            assert_eq!(answer.error(), error(400, "MANIFEST_INVALID"), "{body}");
        }
        assert_eq!(client.get("/v2/a/manifests/v1").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_is_what_its_digest_says() {
    both(async |client| {
        let manifest = r#"{"manifests":[]}"#;
        for digest in [sha256(manifest), sha512(manifest)] {
            let target = format!("/v2/a/manifests/{digest}");
            let answer = client.send("PUT", &target, &[], manifest).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
            assert_eq!(answer.header("location"), Some(target.as_str()));
            assert_eq!(client.get(&target).await.body, manifest.as_bytes());
        }
        let target = format!("/v2/a/manifests/{}", sha256("another"));
        let answer = client.send("PUT", &target, &[], manifest).await;
        assert_eq!(answer.error(), error(400, "DIGEST_INVALID"));
        assert_eq!(client.get(&target).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn several_tags_come_with_one_push() {
    both(async |client| {
        let manifest = r#"{"manifests":[]}"#;
        let path = format!("/v2/a/manifests/{}", sha512(manifest));
        let tags: Vec<String> = (0..10).map(|n| format!("v{n}")).collect();
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let answer =
            client.send("PUT", &format!("{path}?{}", query.join("&")), &[], manifest).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.all("oci-tag"), tags);
        for tag in &tags {
            let head = client.head_of(&format!("/v2/a/manifests/{tag}")).await;
            assert_eq!(head.header("docker-content-digest"), Some(sha512(manifest).as_str()));
        }
        let bad = client.send("PUT", &format!("{path}?tag=good&tag=..%2fbad"), &[], manifest).await;
        assert_eq!(bad.error(), error(400, "TAG_INVALID"));
        assert_eq!(client.get("/v2/a/manifests/good").await.status, 404, "all or nothing");
        let many = vec!["tag=x"; 101].join("&");
        assert_eq!(client.send("PUT", &format!("{path}?{many}"), &[], manifest).await.status, 414);
    })
    .await;
}

#[tokio::test]
async fn a_push_can_demand_what_it_replaces() {
    both(async |client| {
        let (one, two) = (r#"{"manifests":[],"n":1}"#, r#"{"manifests":[],"n":2}"#);
        let put = async |header: (&str, &str), body: &str| {
            client.send("PUT", "/v2/a/manifests/v1", &[header], body).await.status
        };
        let etag = |manifest: &str| format!("\"{}\"", sha256(manifest));
        assert_eq!(put(("If-Match", &etag(one)), one).await, 412, "there is nothing yet");
        assert_eq!(put(("If-None-Match", "*"), one).await, 201);
        assert_eq!(put(("If-None-Match", "*"), two).await, 412);
        assert_eq!(put(("If-Match", &etag(two)), two).await, 412);
        assert_eq!(client.get("/v2/a/manifests/v1").await.body, one.as_bytes());
        assert_eq!(client.get(&format!("/v2/a/manifests/{}", sha256(two))).await.status, 404);
        assert_eq!(put(("If-Match", &etag(one)), two).await, 201);
        assert_eq!(client.get("/v2/a/manifests/v1").await.body, two.as_bytes());
    })
    .await;
}

#[tokio::test]
async fn a_manifest_has_a_limit() {
    both_with(
        |builder| builder.manifest_limit(1000),
        async |client| {
            let fits = format!("{:1000}", r#"{"manifests":[]}"#);
            client.push_manifest("a", "v1", &fits).await;
            let answer = client.send("PUT", "/v2/a/manifests/v2", &[], fits.clone() + " ").await;
            assert_eq!(answer.status, 413, "{answer:?}");
            // Without Content-Length: one byte beyond, and far beyond.
            for length in [1001, 1_000_000] {
                let mut stream = client.connect().await;
                let head = client.head("PUT", "/v2/a/manifests/v2", &[], None);
                let body = format!(
                    "{length:x}\r\n{}\r\n0\r\n\r\n",
                    fits.clone() + &" ".repeat(length - 1000)
                );
                stream.write_all((head + &body).as_bytes()).await.expect("sent");
                assert_eq!(Answer::read(&mut stream).await.status, 413, "{length}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn four_mebibytes_are_a_manifest_by_default() {
    both(async |client| {
        let most = format!(r#"{{"manifests":[]}}{}"#, " ".repeat((4 << 20) - 16));
        client.push_manifest("a", "v1", &most).await;
        let answer = client.send("PUT", "/v2/a/manifests/v2", &[], most + " ").await;
        assert_eq!(answer.status, 413);
    })
    .await;
}

#[tokio::test]
async fn a_tag_is_deleted_alone_and_a_manifest_with_its_tags() {
    both(async |client| {
        let manifest = client.push_image("a", "one", "layer").await;
        let digest = client.push_manifest("a", "two", &manifest).await;
        let kept = client.push_image("a", "other", "other layer").await;

        assert_eq!(client.delete("/v2/a/manifests/one").await.status, 202);
        assert_eq!(client.get("/v2/a/manifests/one").await.status, 404);
        assert_eq!(client.get("/v2/a/manifests/two").await.status, 200);
        assert_eq!(
            client.delete("/v2/a/manifests/one").await.error(),
            error(404, "MANIFEST_UNKNOWN")
        );

        let by_digest = format!("/v2/a/manifests/{digest}");
        assert_eq!(client.delete(&by_digest).await.status, 202);
        assert_eq!(client.get("/v2/a/manifests/two").await.status, 404);
        assert_eq!(client.get(&by_digest).await.status, 404);
        assert_eq!(client.delete(&by_digest).await.error(), error(404, "MANIFEST_UNKNOWN"));
        assert_eq!(
            client.get("/v2/a/tags/list").await.json()["tags"],
            serde_json::json!(["other"])
        );
        assert_eq!(client.get("/v2/a/manifests/other").await.body, kept.as_bytes());

        let blob = format!("/v2/a/blobs/{}", sha256("layer"));
        assert_eq!(client.delete(&blob).await.status, 202);
        assert_eq!(client.delete(&blob).await.error(), error(404, "BLOB_UNKNOWN"));
    })
    .await;
}

#[tokio::test]
async fn a_read_only_registry_refuses_every_change() {
    both_with(
        |builder| builder.read_only(true),
        async |client| {
            let digest = sha256("x");
            for (method, target) in [
                ("POST", "/v2/a/blobs/uploads/".to_owned()),
                ("PUT", "/v2/a/manifests/v1".to_owned()),
                ("DELETE", "/v2/a/manifests/v1".to_owned()),
                ("DELETE", format!("/v2/a/blobs/{digest}")),
            ] {
                let answer = client.send(method, &target, &[], "").await;
                assert_eq!(answer.error(), error(405, "UNSUPPORTED"), "{method} {target}");
            }
            assert_eq!(client.get("/v2/").await.status, 200);
            assert_eq!(
                client.get("/v2/_catalog").await.json()["repositories"],
                serde_json::json!([])
            );
        },
    )
    .await;
}
