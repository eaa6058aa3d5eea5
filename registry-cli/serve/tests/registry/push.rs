//! Pushing blobs: every way that the specification knows, and what goes wrong on it.

use crate::client::{Answer, both, both_with, error, sha256, sha512};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_blob_can_be_posted_at_once() {
    both(async |client| {
        let digest = sha256("all of it");
        let target = format!("/v2/a/blobs/uploads/?digest={digest}");
        let answer = client.send("POST", &target, &[], "all of it").await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("location"), Some(format!("/v2/a/blobs/{digest}").as_str()));
        assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
        assert_eq!(client.get(&format!("/v2/a/blobs/{digest}")).await.body, b"all of it");
    })
    .await;
}

#[tokio::test]
async fn a_blob_can_be_put_after_a_post() {
    both(async |client| {
        for (content, digest) in [
            ("of sha256", sha256("of sha256")),
            ("of sha512", sha512("of sha512")),
            ("", sha256("")),
        ] {
            let location = client.begin("a").await;
            let target = format!("{location}?digest={}", digest.replace(':', "%3A"));
            assert_eq!(client.send("PUT", &target, &[], content).await.status, 201);
            let answer = client.get(&format!("/v2/a/blobs/{digest}")).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, content.as_bytes()));
            assert_eq!(client.get(&location).await.error(), error(404, "BLOB_UPLOAD_UNKNOWN"));
        }
    })
    .await;
}

#[tokio::test]
async fn chunks_arrive_in_order_or_are_told_where_to_go_on() {
    both(async |client| {
        let location = client.begin("a").await;
        let range = |range| [("Content-Range", range)];
        let answer = client.send("PATCH", &location, &range("0-3"), "0123").await;
        assert_eq!((answer.status, answer.header("range")), (202, Some("0-3")));
        for wrong in ["5-6", "0-1", "3-4"] {
            let answer = client.send("PATCH", &location, &range(wrong), "xx").await;
            assert_eq!(answer.error(), error(416, "BLOB_UPLOAD_INVALID"), "{wrong}");
            assert_eq!(answer.header("range"), Some("0-3"));
            assert_eq!(answer.header("location"), Some(location.as_str()));
        }
        let status = client.get(&location).await;
        assert_eq!((status.status, status.header("range")), (204, Some("0-3")));
        assert_eq!(client.send("PATCH", &location, &range("4-6"), "456").await.status, 202);

        let target = format!("{location}?digest={}", sha256("0123456789"));
        let wrong = client.send("PUT", &target, &range("8-9"), "89").await;
        assert_eq!(wrong.status, 416, "the last chunk has to be in order too");
        let answer = client.send("PUT", &target, &range("7-9"), "789").await;
        assert_eq!(answer.status, 201, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_stream_needs_no_length() {
    both(async |client| {
        let location = client.begin("a").await;
        let mut stream = client.connect().await;
        let head = client.head("PATCH", &location, &[], None);
        stream.write_all(head.as_bytes()).await.expect("head");
        stream.write_all(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n").await.expect("body");
        let answer = Answer::read(&mut stream).await;
        assert_eq!((answer.status, answer.header("range")), (202, Some("0-6")));
        let target = format!("{location}?digest={}", sha256("abcdefg"));
        assert_eq!(client.send("PUT", &target, &[], "").await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn the_algorithm_may_be_announced_or_change_at_the_end() {
    both(async |client| {
        let begin = "/v2/a/blobs/uploads/?digest-algorithm=sha512";
        let answer = client.send("POST", begin, &[], "").await;
        let location = answer.header("location").expect("a location").to_owned();
        assert_eq!(client.send("PATCH", &location, &[], "some").await.status, 202);
        let target = format!("{location}?digest={}", sha512("some"));
        assert_eq!(client.send("PUT", &target, &[], "").await.status, 201);

        let location = client.begin("a").await;
        assert_eq!(client.send("PATCH", &location, &[], "more ").await.status, 202);
        let target = format!("{location}?digest={}", sha512("more or less"));
        assert_eq!(client.send("PUT", &target, &[], "or less").await.status, 201);

        let unknown = "/v2/a/blobs/uploads/?digest-algorithm=md5";
        assert_eq!(
            client.send("POST", unknown, &[], "").await.error(),
            error(400, "DIGEST_INVALID")
        );
    })
    .await;
}

#[tokio::test]
async fn content_that_is_not_its_digest_is_never_visible() {
    both(async |client| {
        let digest = sha256("promised");
        let once = format!("/v2/a/blobs/uploads/?digest={digest}");
        let answer = client.send("POST", &once, &[], "delivered").await;
        assert_eq!(answer.error(), error(400, "DIGEST_INVALID"));

        let location = client.begin("a").await;
        let target = format!("{location}?digest={digest}");
        let answer = client.send("PUT", &target, &[], "delivered").await;
        assert_eq!(answer.error(), error(400, "DIGEST_INVALID"));
        assert_eq!(client.get(&location).await.status, 404, "the upload is over");
        assert_eq!(client.get(&format!("/v2/a/blobs/{digest}")).await.status, 404);
        assert_eq!(client.get(&format!("/v2/a/blobs/{}", sha256("delivered"))).await.status, 404);

        for bad in ["sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e", "", "../../x"] {
            let target = format!("/v2/a/blobs/uploads/?digest={bad}");
            let answer = client.send("POST", &target, &[], "x").await;
            assert_eq!(answer.error(), error(400, "DIGEST_INVALID"), "{bad}");
        }
        let location = client.begin("a").await;
        let without = client.send("PUT", &location, &[], "x").await;
        assert_eq!(without.error(), error(400, "DIGEST_INVALID"));
    })
    .await;
}

#[tokio::test]
async fn a_chunk_has_the_length_that_it_announces() {
    both(async |client| {
        let location = client.begin("a").await;
        assert_eq!(client.send("PATCH", &location, &[], "ab").await.status, 202);
        let lying = client.send("PATCH", &location, &[("Content-Range", "2-9")], "cd").await;
        assert_eq!(lying.error(), error(400, "SIZE_INVALID"));
        for bad in ["2-", "bytes 2-3/*", "3-2", "x"] {
            let answer = client.send("PATCH", &location, &[("Content-Range", bad)], "cd").await;
            assert_eq!(answer.error(), error(400, "BLOB_UPLOAD_INVALID"), "{bad}");
        }
        // Without Content-Length the lie shows only at the end; nothing of it stays.
        for (range, body) in [("2-2", "3\r\ncde\r\n0\r\n\r\n"), ("2-9", "1\r\nc\r\n0\r\n\r\n")] {
            let mut stream = client.connect().await;
            let head = client.head("PATCH", &location, &[("Content-Range", range)], None);
            stream.write_all((head + body).as_bytes()).await.expect("request");
            assert_eq!(
                Answer::read(&mut stream).await.error(),
                error(400, "SIZE_INVALID"),
                "{range}"
            );
        }
        assert_eq!(client.get(&location).await.header("range"), Some("0-1"));
        let target = format!("{location}?digest={}", sha256("abc"));
        assert_eq!(client.send("PUT", &target, &[("Content-Range", "2-2")], "c").await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository_and_can_be_cancelled() {
    both(async |client| {
        let location = client.begin("a").await;
        assert_eq!(client.get(&location.replace("/a/", "/b/")).await.status, 404);
        assert_eq!(client.delete(&location).await.status, 204);
        assert_eq!(client.get(&location).await.error(), error(404, "BLOB_UPLOAD_UNKNOWN"));
        assert_eq!(client.delete(&location).await.status, 404);
        assert_eq!(client.send("PATCH", &location, &[], "x").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_mounted_from_where_it_is() {
    both(async |client| {
        let digest = client.push_blob("source", "shared").await;
        for (to, query) in [("to", "&from=source"), ("also", ""), ("source", "&from=source")] {
            let target = format!("/v2/{to}/blobs/uploads/?mount={digest}{query}");
            let answer = client.send("POST", &target, &[], "").await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(
                answer.header("location"),
                Some(format!("/v2/{to}/blobs/{digest}").as_str())
            );
            assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
            assert_eq!(client.get(&format!("/v2/{to}/blobs/{digest}")).await.body, b"shared");
        }
        let missing = sha256("nowhere");
        for query in [
            format!("mount={missing}&from=source"),
            format!("mount={missing}"),
            format!("mount={digest}&from=empty"),
            format!("mount={digest}&from=../source"),
        ] {
            let answer =
                client.send("POST", &format!("/v2/x/blobs/uploads/?{query}"), &[], "").await;
            assert_eq!(answer.status, 202, "{query}: an upload begins");
            assert!(
                answer.header("location").expect("a location").contains("/v2/x/blobs/uploads/")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_outlives_the_repository_that_it_was_mounted_from() {
    both(async |client| {
        let digest = client.push_blob("one", "shared").await;
        let mount = format!("/v2/two/blobs/uploads/?mount={digest}&from=one");
        assert_eq!(client.send("POST", &mount, &[], "").await.status, 201);
        assert_eq!(client.delete(&format!("/v2/one/blobs/{digest}")).await.status, 202);
        assert_eq!(client.get(&format!("/v2/one/blobs/{digest}")).await.status, 404);
        assert_eq!(client.get(&format!("/v2/two/blobs/{digest}")).await.body, b"shared");
    })
    .await;
}

#[tokio::test]
async fn chunks_are_asked_to_be_large_only_when_configured() {
    let begin = "/v2/a/blobs/uploads/";
    both(async |client| {
        assert_eq!(client.send("POST", begin, &[], "").await.header("oci-chunk-min-length"), None);
    })
    .await;
    both_with(
        |builder| builder.chunk_min_length(4096),
        async |client| {
            let answer = client.send("POST", begin, &[], "").await;
            assert_eq!(answer.header("oci-chunk-min-length"), Some("4096"));
        },
    )
    .await;
}
