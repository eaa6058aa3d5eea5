//! Pages for those who use a keyboard, or listen.

use crate::client::both;
use crate::pages::text;
use crate::samples;

/// The levels of a page's headings, in their order.
fn headings(page: &str) -> Vec<u32> {
    let starts = page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10));
    starts.collect()
}

#[tokio::test]
async fn pages_have_landmarks_and_headings_in_order() {
    both(async |client| {
        samples::push(client).await;
        samples::push_hostile(client).await;
        for target in [
            "/",
            "/?q=nothing",
            "/ui/r/library/sample",
            "/ui/r/library/sample:v1",
            "/ui/r/library/sample:multi",
            "/ui/r/library/sample:packages",
            "/ui/r/hostile:v1",
            "/ui/nothing",
        ] {
            let page = text(&client.get(target).await);
            for once in
                ["<html lang=\"en\">", "<title>", "<main id=\"content\"", "<header>", "<footer>"]
            {
                assert_eq!(page.matches(once).count(), 1, "{target}: {once}");
            }
            assert!(!page.contains("<title></title>"), "{target}");
            let (_, body) = page.split_once("<body>").expect("a body");
            let skip = "<a class=\"skip\" href=\"#content\">";
            assert!(body.trim_start().starts_with(skip), "{target}: the skip link is first");

            let headings = headings(&page);
            assert_eq!(headings.iter().filter(|level| **level == 1).count(), 1, "{target}");
            assert_eq!(headings.first(), Some(&1), "{target}");
            assert!(headings.windows(2).all(|two| two[1] <= two[0] + 1), "{target}: {headings:?}");
            // Every field has a label, and every navigation a name.
            assert_eq!(page.matches("<input").count(), page.matches("<label for=").count());
            assert_eq!(
                page.matches("<nav").count(),
                page.matches("<nav aria-label=").count()
                    + page.matches("<nav class=\"pages\" aria-label=").count()
            );
        }
    })
    .await;
}
