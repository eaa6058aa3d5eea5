//! Upload sessions: none is left behind, and few are begun.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream;
use registry_faults::{
    origin::{self, End, Reply, Script, on},
    registry::Registry as Scripted,
};
use registry_remote::{Client, Error, ErrorKind, Input, Memory, Sink as _, Source, media_type};
use registry_transport::{
    RetryPolicy, Transport,
    service::{HttpError, HttpRequest, HttpResponse, HttpService},
};
use stage::{Stage, noise, remote, service};
use tokio::sync::Semaphore;

const UPLOADS: &str = "*/blobs/uploads/*";

/// A client that waits less.
fn hasty() -> Client {
    let policy = RetryPolicy::default().divided_by(50);
    Client::new(Transport::builder().policy(policy).build().unwrap())
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_no_session() {
    let stage = origin::Stage::single(Script::registry(Scripted::new())).unwrap();
    let remote = remote(&hasty(), stage.host(), "app");
    let broken = || Error::Unsupported { what: "the well is dry".to_owned() };
    let pieces = [Ok(noise(1, 20 << 20).into()), Err(broken())];
    let error = remote.upload(media_type::OCI_LAYER, Input::stream(Box::pin(stream::iter(pieces))));
    assert_eq!(error.await.unwrap_err().to_string(), "the well is dry");
    assert_eq!(stage.log().count("DELETE", UPLOADS), 1);
}

#[tokio::test]
async fn u25_an_upload_that_is_dropped_deletes_its_session() {
    let script = Script::registry(Scripted::new())
        .rule(on("PUT", UPLOADS).always(Reply::new(500).unsaid(End::Hold)));
    let stage = origin::Stage::single(script).unwrap();
    let client = hasty();
    let memory = Arc::new(Memory::new());
    let blob = memory.add_blob("x", noise(1, 300_000));
    let source: Arc<dyn Source> = memory;
    let remote = remote(&client, stage.host(), "app");
    let upload = tokio::spawn(async move { remote.put_blob(&blob, &source).await });
    stage.until("PUT", UPLOADS, 1).await.unwrap();
    upload.abort();
    let _ = upload.await;
    stage.until("DELETE", UPLOADS, 1).await.unwrap();
}

/// A registry that begins an upload, and then waits before it says so.
#[derive(Debug)]
struct Slow {
    registry: Mutex<Scripted>,
    begun: Semaphore,
    answers: Semaphore,
}

#[derive(Debug)]
struct Service(Arc<Slow>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = service::request(request).await;
        let answer = self.0.registry.lock().unwrap().answer(&request);
        if request.method == "POST" {
            self.0.begun.add_permits(1);
            self.0.answers.acquire().await.unwrap().forget();
        }
        Ok(service::response(&request.method, answer))
    }
}

#[tokio::test]
async fn u25_an_upload_that_is_dropped_while_it_is_begun_deletes_what_it_began() {
    let registry = Mutex::new(Scripted::new());
    let slow = Slow { registry, begun: Semaphore::new(0), answers: Semaphore::new(0) };
    let slow = Arc::new(slow);
    let service = Arc::new(Service(Arc::clone(&slow)));
    let client = Client::new(Transport::builder().service(service).build().unwrap());
    let memory = Arc::new(Memory::new());
    let blob = memory.add_blob("x", noise(1, 300_000));
    let source: Arc<dyn Source> = memory;
    let app = remote(&client, "localhost:5000", "app");
    let upload = tokio::spawn(async move { app.put_blob(&blob, &source).await });
    slow.begun.acquire().await.unwrap().forget();
    upload.abort();
    upload.await.unwrap_err();
    assert_eq!(slow.registry.lock().unwrap().open_uploads(), 1);
    slow.answers.add_permits(1);
    client.abandon_uploads().await;
    assert_eq!(slow.registry.lock().unwrap().open_uploads(), 0);
}

/// Each of them may have left a session behind. Behind an answer is someone who is about to recover.
#[tokio::test]
async fn an_upload_whose_beginning_is_not_answered_is_begun_three_times_at_most() {
    let lost = Reply::registry().unsaid(End::Rst);
    for (reply, most) in [(lost, 3), (Reply::new(502), 6)] {
        let script = Script::registry(Scripted::new()).rule(on("POST", UPLOADS).always(reply));
        let stage = origin::Stage::single(script).unwrap();
        let memory = Arc::new(Memory::new());
        let blobs = [100, 100_000].map(|size| memory.add_blob("x", noise(1, size)));
        let source: Arc<dyn Source> = memory;
        let app = remote(&hasty(), stage.host(), "app");
        for (done, blob) in blobs.iter().enumerate() {
            let error = app.put_blob(blob, &source).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Network, "{error}");
            assert_eq!(stage.log().count("POST", UPLOADS), most * (done + 1));
        }
        app.check_push().await.unwrap_err();
        assert_eq!(stage.log().count("POST", UPLOADS), most * 3);
    }
}

/// What was spent on the session before, and on asking for it, is not owed by the next one.
#[tokio::test]
async fn an_upload_that_begins_anew_is_sent_again_where_it_is_refused_in_passing() {
    let unavailable = || Reply::new(503);
    let put = on("PUT", UPLOADS).times(1, Reply::new(502)).times(2, unavailable());
    let ask = on("GET", UPLOADS).times(6, unavailable());
    let script = Script::registry(Scripted::new())
        .rule(put.always(Reply::registry()))
        .rule(ask.always(Reply::registry()));
    let stage = origin::Stage::single(script).unwrap();
    let memory = Arc::new(Memory::new());
    let blob = memory.add_blob("x", noise(1, 300_000));
    let source: Arc<dyn Source> = memory;
    remote(&hasty(), stage.host(), "app").put_blob(&blob, &source).await.unwrap();
    let log = stage.log();
    let sent = ["POST", "PUT", "GET"].map(|method| log.count(method, UPLOADS));
    assert_eq!(sent, [2, 4, 6]);
}

#[tokio::test]
async fn a_right_to_push_is_checked_and_leaves_nothing() {
    let stage = Stage::start().await;
    let (checked, requests) = stage.requests(stage.remote("app").check_push()).await;
    checked.unwrap();
    assert!(requests[1].starts_with("DELETE /v2/app/blobs/uploads/"), "{requests:?}");
    let denied = Script::new().rule(on("POST", UPLOADS).always(Reply::new(403)));
    let stage = origin::Stage::single(denied).unwrap();
    let error = remote(&hasty(), stage.host(), "app").check_push().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}
