//! Lists are cut into pages, and can be filtered.

use crate::client::{Client, both, both_with};
use crate::pages::text;

async fn many_tags(client: Client) {
    let manifest = client.push_image("a", "t000", "layer").await;
    for at in 1..120 {
        client.push_manifest("a", &format!("t{at:03}"), &manifest).await;
    }
}

fn rows(page: &str) -> usize {
    page.matches("<th scope=\"row\">").count()
}

/// Follows the links to the next page.
async fn walk(client: Client, from: &str) -> Vec<usize> {
    let (mut target, mut pages) = (from.to_owned(), Vec::new());
    loop {
        let page = text(&client.get(&target).await);
        pages.push(rows(&page));
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else { return pages };
        let (_, next) = before.rsplit_once("href=\"").expect("a link");
        target = next.replace("&amp;", "&");
    }
}

#[tokio::test]
async fn a_hundred_tags_are_on_one_page() {
    both(async |client| {
        many_tags(client).await;
        assert_eq!(walk(client, "/ui/r/a").await, [100, 20]);
        assert_eq!(walk(client, "/ui/r/a?q=t0").await, [100]);
        assert_eq!(walk(client, "/ui/r/a?q=t11").await, [10]);
        assert_eq!(walk(client, "/ui/r/a?last=t118").await, [1]);
        let page = text(&client.get("/ui/r/a?last=t099&q=t1").await);
        assert!(page.contains("<a href=\"/ui/r/a?q=t1\">First page</a>"), "{page}");
        assert!(page.contains("<p>20 tags</p>"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn the_limit_of_the_api_is_the_limit_of_pages() {
    let two = |builder: registry_serve::Builder| {
        builder.page_limit(std::num::NonZeroUsize::new(2).expect("two"))
    };
    both_with(two, async |client| {
        for name in ["a", "b", "c/d", "e", "f"] {
            client.push_image(name, "v1", "layer").await;
        }
        assert_eq!(walk(client, "/").await, [2, 2, 1]);
        assert_eq!(walk(client, "/?q=c%2Fd").await, [1]);
        assert_eq!(walk(client, "/?q=nothing").await, [0]);
    })
    .await;
}
