//! Lists of referrers that clients keep under a tag, and the API that makes them unnecessary.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use registry_faults::{
    content::{INDEX, Image},
    origin::{End, Reply, Script, Stage, on},
    registry::Registry,
};
use registry_name::Identifier;
use registry_remote::{
    Client, Error, Manifest, Memory, Remote, Sink as _, Source as _, media_type,
};
use registry_transport::{
    RetryPolicy, Transport,
    service::{HttpError, HttpRequest, HttpResponse, HttpService},
};
use serde_json::{Value, json};
use stage::{image_with, noise, push, remote, service, tag};
use tokio::sync::oneshot;

const LIST: &str = "*/manifests/sha256-*";
const API: &str = "*/referrers/*";

/// A client that waits less.
fn hasty() -> Client {
    let policy = RetryPolicy::default().divided_by(50);
    Client::new(Transport::builder().policy(policy).build().unwrap())
}

/// A registry that leaves the lists to its clients, and holds what they are about.
fn bare() -> Registry {
    Registry::new().with_conditions().without_referrers().with_image("app", "v1", &Image::small())
}

fn played(script: Script) -> (Stage, Remote) {
    let stage = Stage::single(script).unwrap();
    let remote = remote(&hasty(), stage.host(), "app");
    (stage, remote)
}

fn subject() -> Manifest {
    Manifest::new(Image::small().manifest.bytes, None, "test").unwrap()
}

fn list_tag() -> Identifier {
    Identifier::Tag(tag(&subject().digest().to_string().replacen(':', "-", 1)))
}

/// An artifact that refers to the subject and needs no blobs.
fn artifact(n: usize) -> Manifest {
    let fields = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "artifactType": format!("application/x.{n}"),
        "annotations": { "n": n.to_string() },
        "subject": subject().descriptor(),
        "manifests": [],
    });
    Manifest::new(fields.to_string(), None, "test").unwrap()
}

/// What the list is, word for word.
async fn list(remote: &Remote) -> Value {
    let found = remote.get(&list_tag()).await.unwrap();
    serde_json::from_slice(found.bytes()).unwrap()
}

fn json_reply(text: &str) -> Reply {
    Reply::new(200).header("Content-Type", "application/json").text(text)
}

#[tokio::test]
async fn p10_l09_writers_of_one_referrers_tag_lose_nothing_and_deletes_leave_it() {
    for reply in [
        Reply::new(404),
        Reply::new(405),
        Reply::new(400),
        Reply::new(406),
        Reply::new(200).header("Content-Type", "text/html").text("<html>"),
        json_reply("{}"),
        json_reply(r#"{"manifests":[]}"#),
        json_reply(r#"{"errors":[{"code":"UNSUPPORTED","message":"no"}]}"#),
    ] {
        let (_stage, app) = played(Script::registry(bare()).rule(on("GET", API).always(reply)));
        let artifacts: Vec<_> = (0..6).map(artifact).collect();
        let puts = artifacts.iter().map(|artifact| app.put_manifest_tags(artifact, &[]));
        for put in join_all(puts).await {
            put.unwrap();
        }
        let found = app.referrers(subject().digest(), None).await.unwrap();
        assert!(!found.by_registry);
        assert_eq!(found.descriptors.len(), artifacts.len());
        let third = app.referrers(subject().digest(), Some("application/x.3")).await.unwrap();
        assert_eq!(third.descriptors.len(), 1);
        assert_eq!(third.descriptors[0].annotations["n"], "3");

        app.delete_manifest(artifacts[3].digest()).await.unwrap();
        let left = app.referrers(subject().digest(), None).await.unwrap().descriptors;
        assert_eq!(left.len(), artifacts.len() - 1);
        assert!(left.iter().all(|entry| entry.digest != *artifacts[3].digest()));
    }
}

/// A registry in this process, which keeps the first write of a list until it is told to go on.
#[derive(Debug)]
struct Slow {
    registry: Arc<Mutex<Registry>>,
    hold: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
    refused: Mutex<usize>,
}

#[async_trait]
impl HttpService for Slow {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = service::request(request).await;
        if request.method == "PUT" && request.target.contains("/manifests/sha256-") {
            let held = self.hold.lock().unwrap().take();
            if let Some((reached, go)) = held {
                reached.send(()).unwrap();
                go.await.unwrap();
            }
        }
        let answer = self.registry.lock().unwrap().answer(&request);
        *self.refused.lock().unwrap() += usize::from(answer.status == 412);
        Ok(service::response(&request.method, answer))
    }
}

/// P10: what one client has read another one changes before it is written.
#[tokio::test]
async fn p10_two_clients_that_write_one_list_at_the_same_time_lose_nothing() {
    for before in [0, 1] {
        let registry = Arc::new(Mutex::new(bare()));
        let client = |hold| {
            let (registry, refused) = (Arc::clone(&registry), Mutex::default());
            let service = Arc::new(Slow { registry, hold: Mutex::new(hold), refused });
            let transport = Transport::builder().service(Arc::clone(&service) as _);
            let client = Client::new(transport.build().unwrap());
            (service, remote(&client, "registry.example", "app"))
        };
        let (_, quick) = client(None);
        for n in 0..before {
            quick.put_manifest_tags(&artifact(n), &[]).await.unwrap();
        }
        let (reached, writes) = oneshot::channel();
        let (go, released) = oneshot::channel();
        let (service, slow) = client(Some((reached, released)));
        let first = tokio::spawn(async move { slow.put_manifest_tags(&artifact(8), &[]).await });
        writes.await.unwrap();
        quick.put_manifest_tags(&artifact(9), &[]).await.unwrap();
        go.send(()).unwrap();
        first.await.unwrap().unwrap();
        let found = quick.referrers(subject().digest(), None).await.unwrap().descriptors;
        let has = |n| found.iter().any(|entry| entry.digest == *artifact(n).digest());
        assert!(has(8) && has(9), "{found:?}");
        assert_eq!((found.len(), *service.refused.lock().unwrap()), (before + 2, 1));
    }
}

#[tokio::test]
async fn p10_an_image_where_the_list_should_be_is_neither_read_nor_written_over() {
    let memory = Memory::new();
    let tagged = image_with(&memory, &[noise(1, 10)], "");
    let registry = bare().with_manifest(
        "app",
        list_tag().tag().unwrap().as_str(),
        &registry_faults::content::Blob::new(media_type::OCI_MANIFEST, tagged.bytes().clone()),
    );
    let (stage, app) = played(Script::registry(registry));
    let errors = [
        app.put_manifest_tags(&artifact(1), &[]).await.unwrap_err(),
        app.referrers(subject().digest(), None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("has to be the list of what refers to"), "{error}");
    }
    assert_eq!(stage.log().count("PUT", LIST), 0);
    assert_eq!(app.resolve(&list_tag()).await.unwrap().as_ref(), Some(tagged.digest()));
}

#[tokio::test]
async fn p10_what_others_wrote_into_the_list_stays() {
    let digest = Image::small().config.digest;
    let entry = json!({ "mediaType": INDEX, "digest": digest, "size": 1, "x-unknown": { "b": 1 } });
    let theirs = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "annotations": { "org.example": "kept" },
        "x-index": [1],
        "manifests": [entry],
    });
    let (_stage, app) = played(Script::registry(bare()));
    let tags = [list_tag().tag().unwrap().clone()];
    app.put_raw(theirs.to_string(), Some(INDEX), &tags).await.unwrap();
    app.put_manifest_tags(&artifact(1), &[]).await.unwrap();
    let added = list(&app).await;
    assert_eq!(added["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(added["manifests"][0], entry);
    app.delete_manifest(artifact(1).digest()).await.unwrap();
    assert_eq!(list(&app).await, theirs);
    // Some write no entries as null.
    let null = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": null });
    app.put_raw(null.to_string(), Some(INDEX), &tags).await.unwrap();
    app.put_manifest_tags(&artifact(1), &[]).await.unwrap();
    assert_eq!(list(&app).await["manifests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn p10_only_what_was_read_is_replaced_where_the_registry_marks_it() {
    let (stage, app) = played(Script::registry(bare()));
    for n in 0..2 {
        app.put_manifest_tags(&artifact(n), &[]).await.unwrap();
    }
    let conditions = |stage: &Stage| -> Vec<_> {
        let log = stage.log();
        let headers = |name: &'static str| {
            log.requests("PUT", LIST)
                .map(move |seen| seen.request.header(name).map(str::to_owned))
                .collect::<Vec<_>>()
        };
        headers("if-none-match").into_iter().zip(headers("if-match")).collect()
    };
    let read = app.get(&list_tag()).await.unwrap();
    let first = registry_faults::content::sha256(
        &stage.log().requests("PUT", LIST).next().unwrap().request.body,
    );
    assert_eq!(
        conditions(&stage),
        [(Some("*".to_owned()), None), (None, Some(format!("\"{first}\"")))]
    );
    assert_ne!(read.descriptor().digest.to_string(), first);
    // A weak mark matches nothing, and what is not in quotes is none.
    for etag in [r#"W/"1""#, "1"] {
        let rule = on("GET", LIST).always(Reply::registry().header("ETag", etag));
        let (stage, app) = played(Script::registry(bare()).rule(rule));
        for n in 0..2 {
            app.put_manifest_tags(&artifact(n), &[]).await.unwrap();
        }
        assert_eq!(conditions(&stage), [(Some("*".to_owned()), None), (None, None)], "{etag}");
    }
}

/// L09: what is wrong on the second page is an error, since the first one was a list.
#[tokio::test]
async fn l09_a_list_that_breaks_off_is_an_error_and_not_an_empty_one() {
    let first = || {
        let entry = serde_json::to_value(artifact(1).descriptor()).unwrap();
        let page = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
        Reply::new(200)
            .header("Content-Type", format!("{INDEX}; charset=utf-8"))
            .header("Link", "<{path}?page=2>; rel=\"next\"")
            .text(&page)
    };
    let rows = [
        Reply::new(404),
        Reply::new(405),
        Reply::new(400),
        Reply::new(406),
        Reply::new(200).header("Content-Type", "text/html").text("<html>"),
        first(),
    ];
    for reply in rows {
        let script = Script::registry(bare())
            .rule(on("GET", "*/referrers/*?page=2").always(reply))
            .rule(on("GET", API).always(first()));
        let (stage, app) = played(script);
        app.referrers(subject().digest(), None).await.unwrap_err();
        assert_eq!(stage.log().count("GET", LIST), 0);
    }
    // And so is a first page that is said to be a list and does not read as one.
    for reply in [
        Reply::new(200).header("Content-Type", INDEX).text(r#"{"manifests":7}"#),
        json_reply(&format!(r#"{{"mediaType":"{INDEX}","manifests":7}}"#)),
    ] {
        let (_stage, app) = played(Script::registry(bare()).rule(on("GET", API).always(reply)));
        let error = app.referrers(subject().digest(), None).await.unwrap_err();
        assert!(error.to_string().contains("not the list it should be"), "{error}");
    }
}

/// P10: a list that is copied under its tag, as of all tags, takes nothing from the one that is there.
#[tokio::test]
async fn p10_lists_that_are_copied_are_merged() {
    let memory = Arc::new(Memory::new());
    memory.add_manifest(artifact(1), None);
    let entry = serde_json::to_value(artifact(1).descriptor()).unwrap();
    let theirs = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let theirs = Manifest::new(theirs.to_string(), None, "test").unwrap();
    let tag = list_tag().tag().unwrap().clone();
    memory.add_manifest(theirs.clone(), Some(tag.clone()));
    for (before, expected) in [(vec![], vec![1]), (vec![2], vec![2, 1])] {
        let (_stage, app) = played(Script::registry(bare()));
        for n in before {
            app.put_manifest_tags(&artifact(n), &[]).await.unwrap();
        }
        push(&memory, &app, tag.as_str()).await;
        let found = app.referrers(subject().digest(), None).await.unwrap().descriptors;
        let found: Vec<_> = found.into_iter().map(|entry| entry.digest).collect();
        let expected: Vec<_> = expected.into_iter().map(|n| artifact(n).digest().clone()).collect();
        assert_eq!(found, expected);
        // By its digest it is there as it was.
        app.manifest(&theirs.digest().clone().into()).await.unwrap();
    }
}

/// A registry that does not answer keeps nobody from the lists of another one.
#[tokio::test]
async fn lists_of_two_registries_do_not_wait_for_each_other() {
    let silent =
        Script::registry(bare()).rule(on("GET", LIST).always(Reply::new(200).unsaid(End::Hold)));
    let silent = Stage::single(silent).unwrap();
    let good = Stage::single(Script::registry(bare())).unwrap();
    let client = hasty();
    let app = remote(&client, silent.host(), "app");
    let waits = tokio::spawn(async move { app.put_manifest_tags(&artifact(1), &[]).await });
    silent.until("GET", LIST, 1).await.unwrap();
    let app = remote(&client, good.host(), "app");
    let artifact = artifact(1);
    let put = app.put_manifest_tags(&artifact, &[]);
    tokio::time::timeout(Duration::from_secs(20), put).await.unwrap().unwrap();
    waits.abort();
}

#[tokio::test]
async fn a_referrers_tag_that_is_not_to_be_used_is_neither_read_nor_written() {
    let client = Client::builder().referrers_tag(false).build().unwrap();
    let stage = Stage::single(Script::registry(bare())).unwrap();
    let app = remote(&client, stage.host(), "app");
    let errors = [
        app.put_manifest_tags(&artifact(1), &[]).await.unwrap_err(),
        app.referrers(subject().digest(), None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("has no referrers API"), "{error}");
    }
    app.delete_manifest(artifact(1).digest()).await.unwrap();
    let asked = ["GET", "HEAD", "PUT"].map(|method| stage.log().count(method, LIST));
    assert_eq!(asked, [0, 0, 0]);

    let registry = Registry::new().with_image("app", "v1", &Image::small());
    let stage = Stage::single(Script::registry(registry)).unwrap();
    let app = remote(&client, stage.host(), "app");
    app.put_manifest_tags(&artifact(1), &[]).await.unwrap();
    let found = app.referrers(subject().digest(), None).await.unwrap();
    assert_eq!((found.by_registry, found.descriptors.len()), (true, 1));
}
