//! Nothing that was pushed, and nothing that is asked for, becomes markup.

use crate::client::both;
use crate::pages::text;
use crate::samples;

/// Every `<…>` of a page whose name is not one of those that we write.
fn foreign_tags(page: &str) -> Vec<&str> {
    const OURS: &[&str] = &[
        "!doctype", "html", "head", "meta", "title", "link", "script", "body", "a", "header",
        "nav", "ol", "li", "main", "h1", "h2", "h3", "p", "form", "label", "input", "button",
        "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "code", "pre", "details",
        "summary", "ul", "span", "footer",
    ];
    let tags = page.split('<').skip(1).map(|rest| rest.trim_start_matches('/'));
    let name =
        |rest: &str| rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
    tags.map(|rest| &rest[..name(rest)]).filter(|name| !OURS.contains(name)).collect()
}

#[tokio::test]
async fn hostile_content_stays_text() {
    both(async |client| {
        let digest = samples::push_hostile(client).await;
        for target in [
            "/ui/r/hostile".to_owned(),
            "/ui/r/hostile:v1".to_owned(),
            "/ui/r/hostile:referrer".to_owned(),
            "/ui/r/hostile:index".to_owned(),
            format!("/ui/r/hostile@{digest}"),
            "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&last=%22%3E%3Cimg%3E".to_owned(),
            "/ui/r/hostile?q=%22%3E%3Cscript%3E&last=%22%3E%3Cimg%3E".to_owned(),
        ] {
            let answer = client.get(&target).await;
            let page = text(&answer);
            assert_eq!(answer.status, 200, "{target}");
            assert_eq!(foreign_tags(&page), [""; 0], "{target}: {page}");
            // Our own script, which comes from our own address, and no other.
            assert_eq!(page.matches("<script").count(), 1, "{target}: {page}");
            assert!(!page.contains(['\u{202e}', '\0']), "{target}: {page}");
            assert!(!page.contains("href=\"javascript:"), "{target}: {page}");
        }
        let page = text(&client.get("/ui/r/hostile:v1").await);
        assert!(
            page.contains("&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"),
            "{page}"
        );
        assert!(page.contains("\\u{202e}\\u{0}"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn pages_refer_to_nothing_elsewhere_and_allow_nothing_else() {
    both(async |client| {
        samples::push(client).await;
        for target in ["/", "/ui/r/library/sample", "/ui/r/library/sample:v1", "/ui/nothing"] {
            let answer = client.get(target).await;
            let page = text(&answer);
            for attribute in ["href=\"", "src=\"", "action=\""] {
                for value in page.split(attribute).skip(1) {
                    let here = value.starts_with('#')
                        || (value.starts_with('/') && !value.starts_with("//"));
                    assert!(here, "{target}: {attribute}{}", &value[..value.len().min(60)]);
                }
            }
            assert!(!page.contains("style=") && !page.contains(" on"), "{target}: {page}");
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        for (target, kind) in [
            ("/ui/style.css", "text/css; charset=utf-8"),
            ("/ui/copy.js", "text/javascript; charset=utf-8"),
            ("/ui/icon.svg", "image/svg+xml"),
        ] {
            let answer = client.get(target).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
            assert!(!text(&answer).contains("url("), "{target}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_large_configuration_is_cut_and_a_huge_one_is_only_linked() {
    both(async |client| {
        for (tag, size, shown) in [("large", 100_000, true), ("huge", 2 << 20, false)] {
            let config = format!("{{\"os\":\"linux\",\"comment\":\"{}\"}}", "x".repeat(size));
            let digest = client.push_blob("a", &config).await;
            let manifest = crate::client::image(&digest, config.len(), &[], "");
            client.push_manifest("a", tag, &manifest).await;
            let page = text(&client.get(&format!("/ui/r/a:{tag}")).await);
            assert!(page.len() < 64 << 10, "{}", page.len());
            assert_eq!(page.contains("This is only the beginning."), shown, "{page}");
            assert!(page.contains(&format!("href=\"/ui/blob/a@{digest}\"")), "{page}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_none_is_not_repeated() {
    both(async |client| {
        client.push_image("a", "v1", "layer").await;
        let mut stream = client.connect().await;
        let request = "GET /ui/r/a:v1 HTTP/1.1\r\nHost: <b>$(id)\r\nConnection: close\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("sent");
        let answer = crate::client::Answer::read(&mut stream).await;
        assert!(!text(&answer).contains("$(id)"), "{answer:?}");
    })
    .await;
}
