//! Writes and deletes that fail in passing: how often they are sent, and what is looked at before
//! they are sent again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_faults::{
    content::{MANIFEST, sha256},
    origin::{Length, Reply, Script, Stage as Origins, on},
    registry::Registry as Fake,
};
use registry_name::{Identifier, Tag};
use registry_remote::{
    Client, Error, ErrorKind, Manifest, Memory, Remote, Sink as _, Source, media_type,
};
use registry_transport::{RetryPolicy, Transport};
use stage::{noise, remote, tag};

const MANIFESTS: &str = "*/manifests/*";
const UPLOADS: &str = "*/blobs/uploads/*";

/// An empty registry with these rules, and a client that waits less.
fn scripted(script: impl FnOnce(Script) -> Script) -> (Origins, Remote) {
    let origins = Origins::single(script(Script::registry(Fake::new()))).unwrap();
    let policy = RetryPolicy::default().divided_by(50);
    let client = Client::new(Transport::builder().policy(policy).build().unwrap());
    let remote = remote(&client, origins.host(), "app");
    (origins, remote)
}

fn index(fields: &str) -> Manifest {
    let text = format!(r#"{{"schemaVersion":2,{fields}"manifests":[]}}"#);
    Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap()
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| tag(name)).collect()
}

fn patience() -> Reply {
    Reply::new(429).header("Retry-After", "3600")
}

/// E06, and `Retry-After`: what a registry did not look at is sent as often as anything else is,
/// and no earlier than it asks for.
#[tokio::test]
async fn e06_a_refused_write_is_sent_six_times_at_most_and_not_before_its_time() {
    let limited = ErrorKind::RateLimited;
    let rows = [
        (Reply::new(503), 6, ErrorKind::Network),
        (patience(), 1, limited),
        (Reply::new(503).header("Retry-After", "3600"), 1, limited),
    ];
    for (reply, sent, kind) in rows {
        for names in [&["v1"][..], &["v1", "v2"]] {
            let (origins, app) =
                scripted(|script| script.rule(on("PUT", MANIFESTS).always(reply.clone())));
            let error = app.put_manifest_tags(&index(""), &tags(names)).await.unwrap_err();
            let log = origins.log();
            let seen = (error.kind(), log.count("PUT", "*"), log.count("HEAD", "*"));
            assert_eq!(seen, (kind, sent, 0), "{error}");
        }
        let (origins, app) =
            scripted(|script| script.rule(on("PUT", UPLOADS).always(reply.clone())));
        let memory = Arc::new(Memory::new());
        let blob = memory.add_blob("x", noise(1, 300_000));
        let source: Arc<dyn Source> = memory;
        let error = app.put_blob(&blob, &source).await.unwrap_err();
        let seen = (error.kind(), origins.log().count("PUT", "*"));
        assert_eq!(seen, (kind, sent), "{error}");
    }
}

/// A body that never gets through costs six of them at most, whether or not its session is known.
#[tokio::test]
async fn e06_a_commit_that_keeps_failing_is_not_sent_for_ever() {
    for forgets in [false, true] {
        let (origins, app) = scripted(|script| {
            let script = script.rule(on("PUT", UPLOADS).always(Reply::new(502)));
            if forgets { script.rule(on("GET", UPLOADS).always(Reply::new(404))) } else { script }
        });
        let memory = Arc::new(Memory::new());
        let blob = memory.add_blob("x", noise(1, 300_000));
        let source: Arc<dyn Source> = memory;
        let error = app.put_blob(&blob, &source).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        let sent = origins.log().count("PUT", "*");
        assert!((3..=6).contains(&sent), "{sent} bodies");
    }
}

/// Of several tags in one request whose answer was lost, each is looked at before it is written.
#[tokio::test]
async fn p07_several_tags_of_a_lost_answer_are_looked_at_one_by_one() {
    let several = || on("PUT", "*/manifests/*?tag=*");
    // Both are there; the registry did nothing.
    for (reply, puts) in [(Reply::registry().status(502), 1..=3), (Reply::new(502), 3..=3)] {
        let (origins, app) = scripted(|script| script.rule(several().times(1, reply)));
        app.put_manifest_tags(&index(""), &tags(&["v1", "v2"])).await.unwrap();
        let log = origins.log();
        assert_eq!(log.count("HEAD", "*/manifests/v*"), 2);
        assert!(puts.contains(&log.count("PUT", "*")));
    }
    // Somebody else was faster.
    let theirs = Reply::new(200)
        .header("Content-Type", MANIFEST)
        .header("Docker-Content-Digest", sha256(b"somebody else's"))
        .length(Length::Claimed(100));
    let (origins, app) = scripted(|script| {
        let look = on("HEAD", "*/manifests/v2").times(1, Reply::registry()).always(theirs);
        script.rule(several().always(Reply::new(502))).rule(look)
    });
    assert_eq!(app.head_manifest(&Identifier::Tag(tag("v2"))).await.unwrap(), None);
    let error = app.put_manifest_tags(&index(""), &tags(&["v1", "v2"])).await.unwrap_err();
    assert!(matches!(&error, Error::TagConflict { name, .. } if name.ends_with(":v2")), "{error}");
    assert_eq!(origins.log().count("PUT", "*/manifests/v2"), 0);
}

#[tokio::test]
async fn a_registry_that_sets_no_tags_of_several_is_asked_once() {
    let (origins, app) = scripted(|script| script);
    let names: Vec<_> = (0..25).map(|n| tag(&format!("t{n}"))).collect();
    app.put_manifest_tags(&index(""), &names).await.unwrap();
    assert_eq!(origins.log().count("PUT", "*"), 1 + 25);
}

/// That nothing is there after a delete was sent again says that the first one did it only where it
/// may have.
#[tokio::test]
async fn a_delete_that_did_nothing_is_not_reported_as_done() {
    let gone = Reply::new(404);
    let again = Reply::new(429).header("Retry-After", "0");
    let manifest = index("");
    let digest = manifest.digest();
    // Nobody looked at the first one.
    for first in [again, Reply::new(503)] {
        let (_origins, app) =
            scripted(|script| script.rule(on("DELETE", "*").times(1, first).always(gone.clone())));
        app.put_manifest_tags(&manifest, &tags(&["v1"])).await.unwrap();
        let error = app.delete_tag(&tag("v1")).await.unwrap_err();
        assert!(matches!(error, Error::TagDelete { .. }), "{error}");
        for error in [app.delete_manifest(digest).await, app.delete_blob(digest).await] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
    // Somebody may have.
    for stays in [false, true] {
        let (_origins, app) = scripted(|script| {
            let done = if stays { Reply::new(502) } else { Reply::registry().status(502) };
            script.rule(on("DELETE", "*").times(1, done).always(gone.clone()))
        });
        app.put_manifest_tags(&manifest, &tags(&["v1"])).await.unwrap();
        let deleted = app.delete_tag(&tag("v1")).await;
        match deleted {
            Err(error) => assert!(stays && matches!(error, Error::TagDelete { .. }), "{error}"),
            Ok(()) => assert!(!stays, "it is still there"),
        }
    }
    let (_origins, app) =
        scripted(|script| script.rule(on("DELETE", "*").times(1, Reply::registry().status(502))));
    app.put_manifest_tags(&manifest, &[]).await.unwrap();
    app.delete_manifest(digest).await.unwrap();
}

/// What refers to another manifest is taken off its list, so it has to be read before it is gone.
#[tokio::test]
async fn a_manifest_that_cannot_be_read_now_is_not_deleted_now() {
    let subject = index("");
    let subject = stage::json(subject.descriptor());
    let referrer = index(&format!(r#""subject":{subject},"#));
    let path = format!("*/manifests/{}", referrer.digest());
    for (reply, deleted) in [(patience(), false), (Reply::new(404), true), (Reply::new(403), true)]
    {
        let fake = Fake::new().without_referrers();
        let script = Script::registry(fake).rule(on("GET", path.clone()).always(reply));
        let origins = Origins::single(script).unwrap();
        let app = remote(&stage::client(), origins.host(), "app");
        app.put_manifest_tags(&referrer, &[]).await.unwrap();
        let done = app.delete_manifest(referrer.digest()).await;
        assert_eq!(done.is_ok(), deleted, "{done:?}");
        assert_eq!(origins.log().count("DELETE", "*"), usize::from(deleted));
    }
}

/// That it is gone is remembered whichever answer said so: the next tag is a new one.
#[tokio::test]
async fn a_tag_that_was_deleted_by_a_request_whose_answer_was_lost_is_not_missed() {
    let (_origins, app) = scripted(|script| {
        let lost = Reply::registry().status(502);
        script
            .rule(on("DELETE", "*").times(1, lost))
            .rule(on("PUT", MANIFESTS).times(1, Reply::registry()).times(1, Reply::new(502)))
    });
    app.put_manifest_tags(&index(""), &tags(&["v1"])).await.unwrap();
    app.delete_tag(&tag("v1")).await.unwrap();
    app.put_manifest_tags(&index(r#""annotations":{"a":"b"},"#), &tags(&["v1"])).await.unwrap();
}

/// Of a replica that lags behind, it is not learnt that its registry does not answer `HEAD`.
#[tokio::test]
async fn e09_a_replica_that_lags_behind_answers_head_all_the_same() {
    let (origins, app) =
        scripted(|script| script.rule(on("HEAD", MANIFESTS).times(1, Reply::new(404))));
    app.put_manifest_tags(&index(""), &tags(&["v1"])).await.unwrap();
    for _ in 0..2 {
        assert!(app.head_manifest(&Identifier::Tag(tag("v1"))).await.unwrap().is_some());
    }
    let log = origins.log();
    assert_eq!((log.count("HEAD", MANIFESTS), log.count("GET", MANIFESTS)), (2, 1));
}
