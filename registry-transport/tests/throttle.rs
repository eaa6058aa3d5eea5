//! Who may ask a host again that asked for patience, and who waits to see what becomes of that.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{future, stream};
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{
    Body, ByteStream, Clock, HeaderMap, Method, Request, Response, StatusCode, Transport, header,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Asks the fifth request for patience, keeps uploads until it is told to answer, and answers all else at once.
#[derive(Debug)]
struct Service {
    asked: Mutex<Vec<Method>>,
    answers: Semaphore,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.method.clone());
            asked.len()
        };
        let mut headers = HeaderMap::new();
        let status = if count == 5 {
            headers.insert(header::RETRY_AFTER, "10".parse().unwrap());
            StatusCode::TOO_MANY_REQUESTS
        } else {
            if request.method == Method::PUT {
                self.answers.acquire().await.unwrap().forget();
            }
            StatusCode::OK
        };
        Ok(HttpResponse::new(status, headers, Box::pin(stream::empty())))
    }
}

/// Time that passes at once when somebody waits.
#[derive(Debug, Default)]
struct Skipping(Mutex<Duration>);

#[async_trait]
impl Clock for Skipping {
    fn now(&self) -> Instant {
        Instant::now() + *self.0.lock().unwrap()
    }
    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }
    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

struct World {
    service: Arc<Service>,
    transport: Transport,
}

impl World {
    /// An upload was asked for patience, and goes first. Others were answered, so that more than one may run.
    async fn throttled() -> (Self, JoinHandle<Response>) {
        let service = Arc::new(Service { asked: Mutex::default(), answers: Semaphore::new(0) });
        let transport = Transport::builder()
            .service(Arc::clone(&service) as Arc<dyn HttpService>)
            .clock(Arc::new(Skipping::default()))
            .build()
            .unwrap();
        let world = Self { service, transport };
        let others = [(); 4].map(|()| world.send(Method::PUT));
        let others = future::join_all(others).await;
        let (first, _) = world.send(Method::PUT).await;
        world.service.answers.add_permits(others.len());
        for (other, _) in others {
            other.await.unwrap();
        }
        assert_eq!(world.asked().await, 6);
        (world, first)
    }

    /// Starts a request, and sees how many were asked when all have gone as far as they get.
    async fn send(&self, method: Method) -> (JoinHandle<Response>, usize) {
        let open = || -> ByteStream { Box::pin(stream::iter([Ok(Bytes::from_static(b"here"))])) };
        let body = match method {
            Method::PUT => Body::stream(4, Arc::new(open)),
            _ => Body::empty(),
        };
        let request = Request::new(method, &"8.8.8.8".parse().unwrap(), "/v2/x").body(body);
        let transport = self.transport.clone();
        let sent = tokio::spawn(async move { transport.send(request).await.unwrap() });
        (sent, self.asked().await)
    }

    async fn asked(&self) -> usize {
        // Nothing here waits for anything outside of this process.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.service.asked.lock().unwrap().len()
    }
}

#[tokio::test]
async fn e14_after_a_throttle_one_upload_goes_first_and_the_others_follow_its_answer() {
    let (world, first) = World::throttled().await;
    let (second, asked) = world.send(Method::PUT).await;
    assert_eq!(asked, 6, "both went at once");
    world.service.answers.add_permits(2);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(world.asked().await, 7);
}

#[tokio::test]
async fn e14_what_is_no_upload_does_not_wait_for_one_that_goes_first() {
    let (world, first) = World::throttled().await;
    let (second, asked) = world.send(Method::PUT).await;
    assert_eq!(asked, 6, "both went at once");
    // Its answer opens the gate for the second upload, too.
    let (get, asked) = world.send(Method::GET).await;
    assert_eq!(asked, 8);
    get.await.unwrap();
    world.service.answers.add_permits(2);
    first.await.unwrap();
    second.await.unwrap();
}
