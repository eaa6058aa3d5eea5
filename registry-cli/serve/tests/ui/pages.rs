//! What the pages tell.

use crate::client::{Answer, both, both_with};
use crate::samples;

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("a page is UTF-8")
}

fn has(page: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(page.contains(wanted), "{wanted:?} is not in {page}");
    }
}

#[tokio::test]
async fn from_repositories_to_tags_to_an_image_and_what_refers_to_it() {
    both(async |client| {
        let samples = samples::push(client).await;
        let (host, image) = (client.0, &samples.image);

        let page = text(&client.get("/").await);
        has(
            &page,
            &["<h1>Repositories</h1>", "<a href=\"/ui/r/library/sample\">library/sample</a>"],
        );
        has(&page, &["<p>1 repository</p>"]);

        let page = text(&client.get("/ui/r/library/sample").await);
        has(&page, &["<h1>library/sample</h1>", "<p>3 tags</p>", "linux/amd64, linux/arm64"]);
        has(&page, &["<a href=\"/ui/r/library/sample:v1\">v1</a>", &image[..19]]);

        let page = text(&client.get("/ui/r/library/sample:v1").await);
        has(&page, &["<h1>library/sample:v1</h1>", image, "in 4 layers and configuration"]);
        has(
            &page,
            &[
                &format!("<code data-copy>docker pull {host}/library/sample:v1</code>"),
                &format!("<code data-copy>docker pull {host}/library/sample@{image}</code>"),
            ],
        );
        has(&page, &["<dt>Command</dt><dd>[&quot;/bin/sh&quot;]</dd>", "a sample of this machine"]);
        has(&page, &["<h2>History</h2>", "2024-01-01T00:00:00Z", "<h2>Referrers</h2>"]);
        let artifact = &samples.artifact;
        has(&page, &[&format!("href=\"/ui/r/library/sample@{artifact}\"")]);

        let page = text(&client.get(&format!("/ui/r/library/sample@{artifact}")).await);
        has(&page, &["<dd>application/vnd.example.packages.v1+json</dd>", "oras pull"]);
        has(&page, &[&format!("<dt>Refers to</dt><dd><a href=\"/ui/r/library/sample@{image}\">")]);
    })
    .await;
}

#[tokio::test]
async fn an_index_is_a_tree_and_says_what_is_not_here() {
    both(async |client| {
        let samples = samples::push(client).await;
        let page = text(&client.get("/ui/r/library/sample:multi").await);
        has(
            &page,
            &["<h2>Manifests</h2>", ">linux/amd64 <code>", ">linux/arm64 <code>", "3 layers"],
        );
        has(&page, &[&samples.index]);
        assert!(!page.contains("not in this registry"), "{page}");

        let child = page.split("href=\"/ui/r/library/sample@").nth(1).expect("a child");
        let child = child.split('"').next().expect("a digest");
        let target = format!("/v2/library/sample/manifests/{child}");
        assert_eq!(client.delete(&target).await.status, 202);
        let page = text(&client.get("/ui/r/library/sample:multi").await);
        has(&page, &["not in this registry"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_is_linked_and_comes_back_as_it_is() {
    both(async |client| {
        let samples = samples::push(client).await;
        let page = text(&client.get("/ui/r/library/sample:v1").await);
        let raw = client.get(&format!("/ui/manifest/library/sample@{}", samples.image)).await;
        let api = client.get("/v2/library/sample/manifests/v1").await;
        assert_eq!((raw.status, &raw.body), (200, &api.body));
        assert_eq!(raw.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(
            raw.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox"))
        );

        let config = api.json()["config"]["digest"].as_str().expect("a digest").to_owned();
        has(&page, &[&format!("href=\"/ui/blob/library/sample@{config}\"")]);
        let blob = client.get(&format!("/ui/blob/library/sample@{config}")).await;
        assert_eq!(blob.json()["os"], "linux");
        assert_eq!(blob.header("content-disposition"), Some("attachment"));
        assert_eq!(blob.header("x-content-type-options"), Some("nosniff"));
        let head = client.head_of(&format!("/ui/blob/library/sample@{config}")).await;
        assert_eq!(head.header("content-length"), Some(&*blob.body.len().to_string()));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_has_a_page_too() {
    both(async |client| {
        client.push_image("a", "v1", "layer").await;
        let digest = crate::client::sha256("nothing");
        for target in [
            "/ui/r/b".to_owned(),
            "/ui/r/a:v2".to_owned(),
            "/ui/r/a:%3Cb%3E".to_owned(),
            "/ui/r/../../etc/passwd".to_owned(),
            format!("/ui/r/a@{digest}"),
            format!("/ui/blob/a@{digest}"),
            format!("/ui/manifest/a@{digest}"),
            "/ui/nothing".to_owned(),
        ] {
            let answer = client.get(&target).await;
            assert_eq!(answer.status, 404, "{target}");
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{target}");
            has(&text(&answer), &["<h1>Not found</h1>", "<html lang=\"en\">"]);
        }
        let answer = client.send("POST", "/ui/r/a", &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    })
    .await;
}

#[tokio::test]
async fn the_page_is_off_when_it_is_not_wanted() {
    both_with(
        |builder| builder.ui(false),
        async |client| {
            for target in ["/", "/ui/r/a", "/ui/style.css"] {
                let answer = client.get(target).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (404, "UNSUPPORTED".to_owned()),
                    "{target}"
                );
            }
            assert_eq!(client.get("/v2/").await.status, 200);
        },
    )
    .await;
}
