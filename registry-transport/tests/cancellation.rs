//! Work that is no longer wanted ends at once, wherever it is: in front of the request, in it, between attempts, in a body.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{
    Budget, Builder, Cancellation, Clock, Error, ErrorKind, Event, HeaderMap, Method, Request,
    StatusCode, Transport,
};

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// Keeps it, and the caller cancels.
    Holds,
    /// Answers 503.
    Fails,
    /// Answers with a first piece of a body; the caller cancels before the second one comes.
    Stalls,
}

#[derive(Debug)]
struct Service {
    server: Server,
    cancellation: Cancellation,
    calls: AtomicUsize,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let cancellation = self.cancellation.clone();
        let answer = |status, body| Ok(HttpResponse::new(status, HeaderMap::new(), body));
        match self.server {
            Server::Holds => {
                cancellation.cancel();
                std::future::pending().await
            }
            Server::Fails => answer(StatusCode::SERVICE_UNAVAILABLE, Box::pin(stream::empty())),
            Server::Stalls => {
                let stall = stream::once(async move {
                    cancellation.cancel();
                    std::future::pending().await
                });
                let first = stream::iter([Ok(Bytes::from_static(b"first"))]);
                answer(StatusCode::OK, Box::pin(first.chain(stall)))
            }
        }
    }
}

/// A clock whose waits never end.
#[derive(Debug)]
struct Forever;

#[async_trait]
impl Clock for Forever {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }
    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

fn world(
    server: Server,
    change: impl FnOnce(Builder, Cancellation) -> Builder,
) -> (Transport, Cancellation, Arc<Service>) {
    let cancellation = Cancellation::new();
    let service = Arc::new(Service { server, cancellation: cancellation.clone(), calls: 0.into() });
    let builder = Transport::builder()
        .service(Arc::clone(&service) as Arc<dyn HttpService>)
        .clock(Arc::new(Forever));
    let transport = change(builder, cancellation.clone()).build().unwrap();
    (transport.with_cancellation(&cancellation), cancellation, service)
}

fn get() -> Request {
    Request::new(Method::GET, &"8.8.8.8".parse().unwrap(), "/v2/x")
}

fn assert_cancelled(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(!error.is_retryable());
    assert!(error.to_string().starts_with("GET https://8.8.8.8/v2/x: cancelled"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_after_a_cancellation() {
    let (transport, cancellation, service) = world(Server::Fails, |builder, _| builder);
    cancellation.cancel();
    assert!(cancellation.is_cancelled());
    assert_cancelled(&transport.send(get()).await.unwrap_err());
    assert_eq!(service.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_without_an_answer_ends() {
    let (transport, ..) = world(Server::Holds, |builder, _| builder);
    assert_cancelled(&transport.send(get()).await.unwrap_err());
}

#[tokio::test]
async fn the_wait_between_two_attempts_ends() {
    let (transport, _, service) = world(Server::Fails, |builder, cancellation| {
        builder.events(Arc::new(move |event: &Event<'_>| {
            if matches!(event, Event::Retry { .. }) {
                cancellation.cancel();
            }
        }))
    });
    assert_cancelled(&transport.send(get()).await.unwrap_err());
    assert_eq!(service.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_body_ends_and_so_does_the_wait_before_it_is_resumed() {
    let (transport, cancellation, _) = world(Server::Stalls, |builder, _| builder);
    let mut answer = transport.send(get()).await.unwrap();
    let interrupted = answer.cut_short("the rest is missing");
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    assert_cancelled(&answer.chunk().await.unwrap_err());

    let error = transport.resume_after(interrupted, 0, &Budget::new()).await.unwrap_err();
    assert_cancelled(&error);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.to_string().contains("the rest is missing"), "{cause}");
    assert!(cancellation.is_cancelled());
}

#[tokio::test]
async fn another_cancellation_takes_the_place_of_the_first() {
    let (transport, cancellation, service) = world(Server::Stalls, |builder, _| builder);
    cancellation.cancel();
    let cleaning_up = transport.with_cancellation(&Cancellation::new());
    let mut answer = cleaning_up.send(get()).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    assert_eq!(service.calls.load(Ordering::Relaxed), 1);
}
