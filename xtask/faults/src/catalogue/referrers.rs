//! Lists of referrers that the client has to keep, since the registry does not.

use serde_json::{Value, json};

use crate::content::{Blob, INDEX, Image};
use crate::origin::{Reply, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Expect, REPOSITORY, Scenario};

const LIST: &str = "*/manifests/sha256-*";
const API: &str = "*/referrers/*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let push = |ids, name, title, script: Script| {
        Scenario::new(ids, name, title)
            .asked_to(Action::Push)
            .with_image(artifact())
            .at("A", script)
    };
    let bare = || Registry::new().with_conditions().without_referrers();
    let without_api = |reply| Script::registry(bare()).rule(on("GET", API).always(reply));
    let as_json = |text| Reply::new(200).header("Content-Type", "application/json").text(text);
    vec![
        push(
            &["P10"],
            "referrer-listed",
            "The registry does not list referrers, so the client does",
            Script::registry(bare()),
        )
        .requests("A", "PUT", LIST, 1..=1),
        push(
            &["P10"],
            "referrer-listed-beside-others",
            "There is a list of referrers, with somebody else's entry",
            Script::registry(listing(bare())),
        )
        .requests("A", "PUT", LIST, 1..=1),
        push(
            &["P10"],
            "referrers-overtaken",
            "Somebody else changes the list of referrers in between, once",
            Script::registry(listing(bare())).rule(on("PUT", LIST).times(1, Reply::new(412))),
        )
        .requests("A", "PUT", LIST, 2..=2),
        push(
            &["P10"],
            "referrers-overtaken-for-ever",
            "The list of referrers is never what it was a moment ago",
            Script::registry(bare()).rule(on("PUT", LIST).always(Reply::new(412))),
        )
        .expecting(Expect::Failure(&[]))
        .requests("A", "PUT", LIST, 1..=5),
        push(
            &["P10"],
            "referrers-tag-is-an-image",
            "What should be the list of referrers is somebody's image",
            Script::registry(bare().with_image(REPOSITORY, &list_tag(), &Image::small())),
        )
        .expecting(Expect::Failure(&[]))
        .requests("A", "PUT", LIST, 0..=0),
        push(
            &["P10", "L09"],
            "referrers-api-bad-request",
            "The referrers API is a bad request",
            without_api(Reply::new(400)),
        ),
        push(
            &["P10", "L09"],
            "referrers-api-is-html",
            "The referrers API is a page for people",
            without_api(Reply::new(200).header("Content-Type", "text/html").text("<html>")),
        ),
        push(
            &["P10", "L09"],
            "referrers-api-is-json",
            "The referrers API answers with any JSON",
            without_api(as_json("{}")),
        ),
        push(
            &["P10", "L09"],
            "referrers-api-is-error",
            "The referrers API answers 200 with an error document",
            without_api(as_json(r#"{"errors":[{"code":"UNSUPPORTED","message":"no"}]}"#)),
        ),
    ]
}

fn subject() -> Image {
    Image::new(&[100])
}

/// What refers to that image.
fn artifact() -> Image {
    Image::small().with_manifest(|manifest| {
        manifest["artifactType"] = "application/vnd.example".into();
        manifest["subject"] = subject().manifest.descriptor();
    })
}

fn list_tag() -> String {
    subject().manifest.digest.replacen(':', "-", 1)
}

/// A registry with a list that somebody else began.
fn listing(registry: Registry) -> Registry {
    let mut entry: Value = Blob::new("application/vnd.example", "elsewhere").descriptor();
    entry["x-unknown"] = 1.into();
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    registry.with_manifest(REPOSITORY, &list_tag(), &Blob::new(INDEX, list.to_string()))
}
