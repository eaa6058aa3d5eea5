//! Lists of tags and repositories, page by page and one by one.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use registry_faults::{
    content::Image,
    origin::{Reply, Script, Stage as Origins, on},
    registry::Registry as Fake,
};
use registry_name::Repository;
use registry_remote::{Memory, Remote};
use stage::{Stage, image, noise, push, remote, tag};

#[tokio::test]
async fn l07_one_page_begins_where_it_is_told_and_is_as_long_as_asked() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let mut remotes = Vec::new();
    for path in ["a", "b/c", "d"] {
        remotes.push(stage.remote(path));
        for name in ["v1", "v2", "v3", "v4"] {
            image(&memory, &[noise(1, 10)], Some(name));
            push(&memory, &remotes[0], name).await;
        }
        push(&memory, remotes.last().unwrap(), "v1").await;
    }
    let names = |tags: Vec<registry_name::Tag>| -> Vec<_> {
        tags.iter().map(ToString::to_string).collect()
    };
    let page = remotes[0].tags().page_size(2).next().await.unwrap().unwrap();
    assert_eq!(names(page), ["v1", "v2"]);
    let mut rest = remotes[0].tags().after(&tag("v2")).page_size(1);
    assert_eq!(names(rest.next().await.unwrap().unwrap()), ["v3"]);
    assert_eq!(names(rest.all().await.unwrap()), ["v4"]);
    let unlimited = remotes[0].tags().page_size(0);
    let (all, asked) = stage.requests(unlimited.all()).await;
    assert_eq!((all.unwrap().len(), &*asked), (4, &["GET /v2/a/tags/list".to_owned()][..]));

    let registry = remotes[0].repository().registry();
    let first: Repository = remotes[0].repository().clone();
    let mut repositories = stage.client.catalog(&registry).after(&first).page_size(1);
    let page = repositories.next().await.unwrap().unwrap();
    assert_eq!(page[0].path(), "b/c");
}

/// Tags in three pages, of which the second fails first like this.
fn failing(reply: Reply) -> (Origins, Remote) {
    let tags = ["v1", "v2", "v3", "v4", "v5"];
    let fake = tags
        .iter()
        .fold(Fake::new(), |fake, tag| fake.with_image("real/app", tag, &Image::small()));
    let script =
        Script::registry(fake.with_page(2)).rule(on("GET", "*/tags/list?*last=v2").times(1, reply));
    let origins = Origins::start(vec![("A", script)]).unwrap();
    let remote = remote(&stage::client(), origins.host(), "real/app");
    (origins, remote)
}

#[tokio::test]
async fn an_error_is_not_the_end_of_a_list() {
    let text = |text: &str| Reply::new(200).header("Content-Type", "application/json").text(text);
    for reply in [Reply::new(404), text("{"), Reply::registry().header("Link", "no")] {
        let (_origins, remote) = failing(reply);
        let mut tags = remote.tags();
        assert_eq!(tags.next().await.unwrap().unwrap(), [tag("v1"), tag("v2")]);
        tags.next().await.unwrap_err();
        assert_eq!(tags.next().await.unwrap().unwrap(), [tag("v3"), tag("v4")]);
        assert_eq!(tags.all().await.unwrap(), [tag("v5")]);
    }
    // There is none, and so it stays.
    let around = text(r#"{"tags":["v1"]}"#).header("Link", "<{target}>; rel=next");
    let script = Script::new().rule(on("GET", "*/tags/list").always(around));
    let origins = Origins::single(script).unwrap();
    let remote = remote(&stage::client(), origins.host(), "real/app");
    let mut tags = remote.tags();
    tags.next().await.unwrap().unwrap();
    for _ in 0..2 {
        let error = tags.next().await.unwrap_err().to_string();
        assert!(error.contains("leads back to one that was read already"), "{error}");
    }
}

#[tokio::test]
async fn a_list_is_a_stream_up_to_its_end_or_an_error() {
    let (origins, remote) = failing(Reply::new(404));
    let mut stream = std::pin::pin!(remote.tags().into_stream());
    assert_eq!(stream.try_next().await.unwrap(), Some(tag("v1")));
    assert_eq!(stream.try_next().await.unwrap(), Some(tag("v2")));
    stream.try_next().await.unwrap_err();
    let tags: Vec<_> = remote.tags().into_stream().try_collect().await.unwrap();
    assert_eq!(tags.len(), 5);
    let catalog = stage::client().catalog(&origins.host().parse().unwrap()).into_stream();
    let repositories: Vec<_> = catalog.try_collect().await.unwrap();
    assert_eq!(repositories, [remote.repository().clone()]);
}

#[tokio::test]
async fn of_what_is_no_name_only_so_much_is_kept() {
    let many: Vec<_> = (0..3000).map(|n| format!("no tag {n}")).collect();
    let long: Vec<_> = (0..3).map(|n| "no tag ".repeat(80_000) + &n.to_string()).collect();
    for (listed, kept) in [(many, 1000), (long, 1)] {
        let list = Reply::new(200).text(serde_json::json!({ "tags": listed }).to_string());
        let origins =
            Origins::single(Script::new().rule(on("GET", "*/tags/list").always(list))).unwrap();
        let mut tags = remote(&stage::client(), origins.host(), "real/app").tags();
        assert_eq!(tags.next().await.unwrap().unwrap(), []);
        assert_eq!(tags.invalid().len(), kept);
        assert!(tags.invalid() == &listed[..kept]);
    }
}
