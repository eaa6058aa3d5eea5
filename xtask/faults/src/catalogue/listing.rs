//! Tag lists in pages, with an end and without one.

use crate::content::Image;
use crate::origin::{Reply, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Expect, REPOSITORY, Scenario};

const PATH: &str = "*/tags/list";

pub(super) fn scenarios() -> Vec<Scenario> {
    let list = |ids, name, title| Scenario::new(ids, name, title).asked_to(Action::ListTags);
    let page = |tags: &str| Reply::new(200).header("Content-Type", "application/json").text(tags);
    let tags = r#"{"name":"real/app","tags":["v1","v2"]}"#;
    let next = |url: &str| format!("<{url}>; rel=\"next\"");
    vec![
        list(&["L05", "L07"], "pages", "Tags come in pages of two")
            .at("A", paged())
            .expecting(Expect::Tags(&["v1", "v2", "v3", "v4", "v5"])),
        list(&["L01"], "paging-to-itself", "A page of tags links to itself")
            .with_rules([on("GET", PATH).always(page(tags).header("Link", next("{target}")))])
            .expecting(Expect::Failure(&[]))
            .requests("A", "GET", PATH, 1..=4),
        list(&["L02"], "paging-same-tags", "Every page is new, and has the same tags")
            .with_rules([on("GET", PATH)
                .always(page(tags).header("Link", next("/v2/real/app/tags/list?page={visit}")))])
            .expecting(Expect::Failure(&[]))
            .requests("A", "GET", PATH, 1..=10),
        list(&["L02"], "paging-empty", "Every page is new, and empty")
            .with_rules([on("GET", PATH).always(
                page(r#"{"name":"real/app","tags":[]}"#)
                    .header("Link", next("/v2/real/app/tags/list?page={visit}")),
            )])
            .expecting(Expect::Failure(&[]))
            .requests("A", "GET", PATH, 1..=10),
        list(&["L03"], "paging-elsewhere", "The next page is at another origin")
            .with_rules([on("GET", PATH).always(
                page(tags).header("Link", next("http://{B}/v2/real/app/tags/list?page=2")),
            )])
            .at("B", Script::new())
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .requests("B", "*", "*", 0..=0),
        list(
            &["L04"],
            "paging-malformed",
            "A Link that cannot be read is an error, not the end of the list",
        )
        .with_rules([on("GET", PATH)
            .always(page(tags).header("Link", "/v2/real/app/tags/list?last=v2; rel=next"))])
        .expecting(Expect::Failure(&[])),
        list(&["L06"], "tags-null", "The list of tags is null")
            .with_rules([on("GET", PATH).always(page(r#"{"name":"real/app","tags":null}"#))])
            .expecting(Expect::Tags(&[])),
        list(
            &["L06"],
            "tags-invalid",
            "Some of what is listed can be no tag, and would steer a terminal",
        )
        .with_rules([on("GET", PATH).always(page(
            "{\"name\":\"real/app\",\"tags\":[\"v1\",\"../../x\",\"\\u001b[2J\",\"\",\"v2\"]}",
        ))])
        .expecting(Expect::Tags(&["v1", "v2"])),
        list(
            &["L04"],
            "paging-without-brackets",
            "A Link with two addresses, one of them unclosed",
        )
        .with_rules([on("GET", PATH).always(
            page(tags).header("Link", "</v2/real/app/tags/list?last=v2>; rel=\"next\", </x"),
        )])
        .expecting(Expect::Failure(&[])),
        list(
            &["L04", "L05"],
            "paging-quoted",
            "A Link with commas in its address and parameters in any order",
        )
        .at(
            "A",
            Script::registry(Registry::new().with_image(REPOSITORY, "v1", &Image::small()))
                .rule(on("GET", "*/tags/list?last=v1,%2C").always(page(r#"{"tags":["v2"]}"#)))
                .rule(
                    on("GET", PATH).always(
                        page(r#"{"tags":["v1"]}"#)
                            .header("Link", "<list?last=v1,%2C>; title=\"a, b; c\"; REL=next"),
                    ),
                ),
        )
        .expecting(Expect::Tags(&["v1", "v2"])),
        list(&["L06"], "tags-numbers", "The tags are numbers")
            .with_rules([on("GET", PATH).always(page(r#"{"name":"real/app","tags":[1,2]}"#))])
            .expecting(Expect::Failure(&[])),
    ]
}

fn paged() -> Script {
    let image = Image::small();
    let tags = ["v1", "v2", "v3", "v4", "v5"];
    let stocked = tags
        .iter()
        .fold(Registry::new(), |registry, tag| registry.with_image(REPOSITORY, tag, &image));
    Script::registry(stocked.with_page(2))
}
