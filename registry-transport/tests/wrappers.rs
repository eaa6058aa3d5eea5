//! Retry, logging and user agent, each alone around a service; and a finished service, around which there is nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http_body::Body as _;
use registry_transport::service::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, Retrying, UserAgent,
};
use registry_transport::{
    Body, Clock, ErrorKind, HeaderMap, Method, Request, RetryPolicy, StatusCode, Transport, Url,
    header,
};

/// What the service does, in turn; the last one again and again.
#[derive(Clone, Copy, Debug)]
enum Step {
    Status(u16),
    WithRetryAfter(u16),
    Error(HttpErrorKind),
}

/// Remembers the headers and the bodies of what it was asked.
#[derive(Debug)]
struct Scripted {
    steps: Vec<Step>,
    asked: Mutex<Vec<(HeaderMap, u64)>>,
}

impl Scripted {
    fn new(steps: &[Step]) -> Arc<Self> {
        Arc::new(Self { steps: steps.to_vec(), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<(HeaderMap, u64)> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl HttpService for Scripted {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut received = 0;
        let body = &mut request.body;
        while let Some(Ok(frame)) =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_frame(context)).await
        {
            received += frame.into_data().unwrap().len() as u64;
        }
        let mut asked = self.asked.lock().unwrap();
        asked.push((request.headers, received));
        let mut headers = HeaderMap::new();
        let status = match self.steps[(asked.len() - 1).min(self.steps.len() - 1)] {
            Step::Error(kind) => return Err(HttpError::new(kind)),
            Step::Status(status) => status,
            Step::WithRetryAfter(status) => {
                headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
                status
            }
        };
        let body = Box::pin(stream::iter([Ok(Bytes::from_static(b"body"))]));
        Ok(HttpResponse::new(StatusCode::from_u16(status).unwrap(), headers, body))
    }
}

/// Time that passes at once.
#[derive(Debug, Default)]
struct Hasty(Mutex<Vec<Duration>>);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }
    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

fn request(method: Method) -> HttpRequest {
    let url: Url = "https://registry.example/v2/".parse().unwrap();
    HttpRequest::new(method, url, HeaderMap::new(), &Body::bytes("12345"))
}

#[tokio::test]
async fn retrying_alone_sends_again_what_may_be_sent_again() {
    let down = Step::Error(HttpErrorKind::Unprocessed);
    for (method, steps, want, waits) in [
        (Method::GET, vec![Step::Status(502), Step::Status(200)], (Some(200), 2), 1),
        (Method::PUT, vec![Step::Status(502), Step::Status(201)], (Some(502), 1), 0),
        (Method::PUT, vec![Step::Status(503), Step::Status(201)], (Some(201), 2), 1),
        (Method::PUT, vec![down, Step::Status(201)], (Some(201), 2), 0),
        (Method::GET, vec![Step::Status(404)], (Some(404), 1), 0),
        (Method::GET, vec![Step::Status(500)], (Some(500), 6), 5),
        (Method::GET, vec![Step::Error(HttpErrorKind::ConnectionRefused)], (None, 3), 2),
        (Method::GET, vec![Step::Error(HttpErrorKind::Tls)], (None, 1), 0),
    ] {
        let (service, clock) = (Scripted::new(&steps), Arc::new(Hasty::default()));
        let retrying =
            Retrying::new(Arc::clone(&service) as Arc<dyn HttpService>, RetryPolicy::default())
                .clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let answer = retrying.call(request(method.clone())).await;
        let asked = service.asked();
        let status = answer.ok().map(|answer| answer.status.as_u16());
        assert_eq!((status, asked.len()), want, "{method} {steps:?}");
        assert_eq!(clock.0.lock().unwrap().len(), waits, "{method} {steps:?}");
        assert!(asked.iter().all(|(_, received)| *received == 5), "{asked:?}");
    }
}

#[tokio::test]
async fn retrying_alone_is_never_earlier_than_asked() {
    let service = Scripted::new(&[Step::WithRetryAfter(429), Step::Status(200)]);
    let clock = Arc::new(Hasty::default());
    let retrying =
        Retrying::new(service, RetryPolicy::default()).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!(retrying.call(request(Method::GET)).await.unwrap().status, StatusCode::OK);
    assert!(clock.0.lock().unwrap()[0] >= Duration::from_secs(7));
}

#[tokio::test]
async fn a_user_agent_alone_names_the_caller_and_this_crate() {
    for (caller, start) in
        [(Some("tool/1.0"), "tool/1.0 registry-transport/"), (None, "registry-transport/")]
    {
        let service = Scripted::new(&[Step::Status(200)]);
        let named = UserAgent::new(Arc::clone(&service) as Arc<dyn HttpService>, caller).unwrap();
        named.call(request(Method::GET)).await.unwrap();
        let (headers, _) = &service.asked()[0];
        assert!(headers[header::USER_AGENT].to_str().unwrap().starts_with(start), "{headers:?}");
    }
    assert!(UserAgent::new(Scripted::new(&[]), Some("two\nlines")).is_err());
}

#[tokio::test]
async fn a_finished_service_is_asked_once_and_as_it_is() {
    for step in [
        Step::Status(500),
        Step::Status(401),
        Step::Status(404),
        Step::WithRetryAfter(429),
        Step::Error(HttpErrorKind::Unprocessed),
        Step::Error(HttpErrorKind::ConnectionRefused),
    ] {
        let service = Scripted::new(&[step]);
        let finished = Arc::clone(&service) as Arc<dyn HttpService>;
        let transport =
            Transport::builder().user_agent("tool/1.0").finished(finished).build().unwrap();
        let get = || Request::new(Method::GET, &"registry.example".parse().unwrap(), "/v2/");
        let error = transport.send(get()).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Config);
        // and an answer that breaks off is not resumed
        transport
            .resume_after(error, 1 << 20, &registry_transport::Budget::new())
            .await
            .unwrap_err();
        let asked = service.asked();
        assert_eq!(asked.len(), 1, "{step:?}");
        assert!(!asked[0].0.contains_key(header::USER_AGENT), "{asked:?}");
    }
    let service = Scripted::new(&[Step::Status(200)]);
    let transport = Transport::builder().finished(service).build().unwrap();
    let get = Request::new(Method::GET, &"registry.example".parse().unwrap(), "/v2/");
    assert_eq!(transport.send(get).await.unwrap().bytes(10).await.unwrap(), "body");
}
