//! What the answers to an upload mean, and what is learnt from them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{
    error::Error as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use registry_faults::{
    origin::{self, End, Reply, Script, on},
    registry::Registry as Scripted,
};
use registry_name::{Algorithm, Identifier};
use registry_remote::{
    ByteStream, Client, Descriptor, Error, ErrorKind, Manifest, Memory, Sink as _, Source, Stored,
    media_type, verify,
};
use registry_transport::{Deadlines, Event, Host, Hosts, RetryPolicy, Transport};
use stage::{Stage, noise, remote};

const UPLOADS: &str = "*/blobs/uploads/*";

/// A client that waits less.
fn hasty() -> Client {
    let policy = RetryPolicy::default().divided_by(50);
    Client::new(Transport::builder().policy(policy).build().unwrap())
}

/// A source of one blob, which counts how often it is read.
#[derive(Debug)]
struct Counting {
    bytes: Bytes,
    opened: AtomicUsize,
}

impl Counting {
    fn new(algorithm: Algorithm, length: usize) -> (Descriptor, Arc<Self>) {
        let bytes = Bytes::from(noise(length as u64, length));
        let digest = verify::digest(algorithm, &bytes);
        let blob = Descriptor::new("x", digest, bytes.len() as u64);
        (blob, Arc::new(Self { bytes, opened: AtomicUsize::new(0) }))
    }
}

#[async_trait::async_trait]
impl Source for Counting {
    fn location(&self) -> String {
        "one blob".to_owned()
    }

    async fn manifest(&self, _: &Identifier) -> Result<Manifest, Error> {
        Err(Error::Unsupported { what: "not asked for".to_owned() })
    }

    async fn open_blob(&self, _: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let rest = self.bytes.slice(usize::try_from(offset).unwrap()..);
        Ok(Box::pin(stream::iter([Ok(rest)])))
    }
}

#[tokio::test]
async fn i05_the_algorithm_is_said_whatever_begins_an_upload() {
    let stage = Stage::start().await;
    for length in [10, 100_000] {
        let (blob, source) = Counting::new(Algorithm::Sha512, length);
        let source: Arc<dyn Source> = source;
        let remote = stage.remote("app");
        let (stored, requests) = stage.requests(remote.put_blob(&blob, &source)).await;
        assert_eq!(stored.unwrap(), Stored::Written);
        assert!(requests[0].ends_with("&digest-algorithm=sha512"), "{requests:?}");
    }
}

/// The whole blob is read again only where the registry may have other bytes than were promised,
/// and what it said is never lost.
#[tokio::test]
async fn u20_a_refused_commit_is_blamed_on_the_bytes_only_where_it_can_be_their_fault() {
    let said =
        |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"in its words"}}]}}"#);
    // A status, a code, how often the bytes are read, and whether sha512 may be the reason.
    for (status, code, reads, about_name) in [
        (400, "NAME_INVALID", 1, false),
        (400, "UNSUPPORTED", 1, true),
        (403, "DENIED", 1, false),
        (409, "DENIED", 1, false),
        (400, "BLOB_UPLOAD_INVALID", 2, false),
        (416, "UNKNOWN", 2, false),
        (422, "SOMETHING_ELSE", 2, false),
        // Three sessions, in each of which the bytes are sent, and judged.
        (400, "DIGEST_INVALID", 6, true),
        (400, "SIZE_INVALID", 6, false),
    ] {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let script = Script::registry(Scripted::new())
                .rule(on("PUT", UPLOADS).always(Reply::new(status).text(said(code))));
            let stage = origin::Stage::single(script).unwrap();
            let (blob, counting) = Counting::new(algorithm, 100_000);
            let source: Arc<dyn Source> = counting.clone();
            let error = remote(&hasty(), stage.host(), "app").put_blob(&blob, &source).await;
            let error = error.unwrap_err();
            assert_eq!(counting.opened.load(Ordering::Relaxed), reads, "{status} {code}: {error}");
            let expected = about_name && algorithm == Algorithm::Sha512;
            assert_eq!(error.to_string().contains("named by sha512"), expected, "{error}");
            let words = error.source().unwrap().to_string();
            assert!(words.contains("in its words"), "{words}");
        }
    }
}

#[tokio::test]
async fn u11_a_strict_registry_keeps_its_uploads() {
    let away = Reply::new(202).header("Location", "http://{B}/session").header("Range", "0-0");
    let script = Script::registry(Scripted::new()).rule(on("POST", UPLOADS).always(away));
    let store = Script::new().rule(on("*", "*").always(Reply::new(201)));
    let stage = origin::Stage::start([("A", script), ("B", store)]).unwrap();
    let hosts = Hosts::default().fallback(Host::new().strict_uploads());
    let client = Client::new(Transport::builder().hosts(hosts).build().unwrap());
    for length in [10, 100_000] {
        let (blob, source) = Counting::new(Algorithm::Sha256, length);
        let source: Arc<dyn Source> = source;
        let error = remote(&client, stage.host(), "app").put_blob(&blob, &source).await;
        let error = error.unwrap_err();
        let text = format!("{error}: {}", error.source().unwrap());
        for name in ["A", "B"] {
            assert!(text.contains(stage.origin(name).unwrap().host()), "{name}: {text}");
        }
    }
    assert_eq!(stage.origin("B").unwrap().log().seen.len(), 0);
}

/// What the registry has to put together came in pieces before, so the commit itself has no body.
#[tokio::test]
async fn u19_a_commit_after_pieces_is_given_the_time_to_store_the_whole() {
    let (blob, source) = Counting::new(Algorithm::Sha256, 300_000);
    let too_large = Reply::new(413).reading_only(1000).then(End::Fin);
    let script = Script::registry(Scripted::new())
        .rule(on("PUT", UPLOADS).with_header("content-type").always(too_large))
        .rule(on("PUT", UPLOADS).times(1, Reply::new(201).unsaid(End::Hold)));
    let stage = origin::Stage::single(script).unwrap();
    let mut deadlines = Deadlines::default();
    (deadlines.commit, deadlines.commit_rate) = (Duration::from_millis(100), blob.size);
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reasons);
    let transport =
        Transport::builder().deadlines(deadlines).events(Arc::new(move |event: &Event<'_>| {
            if let Event::Resume { reason, .. } = event {
                told.lock().unwrap().push(reason.to_string());
            }
        }));
    let client = Client::new(transport.build().unwrap());
    let source: Arc<dyn Source> = source;
    let stored = remote(&client, stage.host(), "app").put_blob(&blob, &source).await;
    assert_eq!(stored.unwrap(), Stored::Written);
    let reasons = reasons.lock().unwrap();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("no answer within 1 s"), "{reasons:?}");
}

/// Some ignore the bytes of the request that begins an upload, and open a session.
#[tokio::test]
async fn a_small_blob_is_read_once_whatever_the_registry_makes_of_its_first_request() {
    let ignores = Script::registry(Scripted::new().with_sessions_only());
    let refuses = Script::registry(Scripted::new())
        .rule(on("POST", "*/blobs/uploads/?digest=*").always(Reply::new(405)));
    for script in [ignores, refuses] {
        let stage = origin::Stage::single(script).unwrap();
        let app = remote(&hasty(), stage.host(), "app");
        for length in [100, 200] {
            let (blob, counting) = Counting::new(Algorithm::Sha256, length);
            let source: Arc<dyn Source> = counting.clone();
            assert_eq!(app.put_blob(&blob, &source).await.unwrap(), Stored::Written);
            assert_eq!(counting.opened.load(Ordering::Relaxed), 1);
            assert!(app.has_blob(&blob).await.unwrap());
        }
    }
}

#[tokio::test]
async fn p03_a_refused_question_says_nothing_of_mounts_from_elsewhere() {
    for status in [400, 403, 404, 405] {
        let question = "/v2/b/blobs/uploads/?mount=*&from=b";
        let script =
            Script::registry(Scripted::new()).rule(on("POST", question).always(Reply::new(status)));
        let stage = origin::Stage::single(script).unwrap();
        let client = hasty();
        let memory = Arc::new(Memory::new());
        let blobs: Vec<_> = (0..3).map(|n| memory.add_blob("x", noise(n, 100_000))).collect();
        let source: Arc<dyn Source> = memory;
        let (a, b) = (remote(&client, stage.host(), "a"), remote(&client, stage.host(), "b"));
        assert_eq!(a.put_blob(&blobs[0], &source).await.unwrap(), Stored::Written);
        let from_a: Arc<dyn Source> = Arc::new(a);
        for (blob, source, stored) in [
            (&blobs[1], &source, Stored::Written),
            (&blobs[0], &from_a, Stored::Mounted),
            (&blobs[2], &source, Stored::Written),
        ] {
            assert_eq!(b.put_blob(blob, source).await.unwrap(), stored, "{status}");
        }
        // What was refused once is not asked again.
        let refused = stage.log().seen.iter().filter(|seen| seen.status == status).count();
        assert_eq!(refused, 1, "{status}");
    }
}

#[tokio::test]
async fn d06_a_blob_is_found_where_head_is_refused() {
    for status in [400, 403, 405, 501] {
        let script = Script::registry(Scripted::new())
            .rule(on("HEAD", "*/blobs/*").always(Reply::new(status)));
        let stage = origin::Stage::single(script).unwrap();
        let memory = Arc::new(Memory::new());
        let (blob, missing) =
            (memory.add_blob("x", noise(1, 10)), memory.add_blob("x", noise(2, 10)));
        let source: Arc<dyn Source> = memory;
        let app = remote(&hasty(), stage.host(), "app");
        app.put_blob(&blob, &source).await.unwrap();
        assert!(app.has_blob(&blob).await.unwrap(), "{status}");
        assert!(!app.has_blob(&missing).await.unwrap(), "{status}");
        let mut other = blob.clone();
        other.size += 1;
        let error = app.has_blob(&other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{status}");
    }
}

#[tokio::test]
async fn p12_a_registry_that_keeps_something_else_is_found_out_where_that_is_asked_for() {
    let text = r#"{"schemaVersion":2,"manifests":[]}"#;
    let index = Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap();
    let kept = Reply::new(200).header("Content-Type", media_type::OCI_INDEX).body("{ }");
    let script = Script::registry(Scripted::new()).rule(on("GET", "*/manifests/*").always(kept));
    let stage = origin::Stage::single(script).unwrap();
    let push = async |verify| {
        let client = Client::builder().verify_pushes(verify).build().unwrap();
        let remote = client.remote(&format!("{}/app", stage.host()).parse().unwrap());
        remote.put_manifest_tags(&index, &["v1".parse().unwrap()]).await
    };
    push(false).await.unwrap();
    let error = push(true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(error.to_string().contains(&index.digest().to_string()), "{error}");
}
