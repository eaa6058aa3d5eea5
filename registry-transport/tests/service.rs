//! A service of the caller's own in place of sockets: a public registry over TLS, and where it may send us.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream;
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{
    ErrorKind, HeaderMap, Hosts, Method, Request, StatusCode, Transport, header,
};

/// An address that is public and is never connected to.
const REGISTRY: &str = "8.8.8.8";

/// Answers the first request with a redirect and all others with 200; remembers who was asked, and how.
#[derive(Debug)]
struct Redirecting {
    to: &'static str,
    asked: Mutex<Vec<(String, bool, bool)>>,
}

#[async_trait]
impl HttpService for Redirecting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut asked = self.asked.lock().unwrap();
        let secret = request.headers.contains_key(header::COOKIE);
        asked.push((request.url.to_string(), request.route.public_only, secret));
        let mut headers = HeaderMap::new();
        let status = if asked.len() == 1 {
            headers.insert(header::LOCATION, self.to.parse().unwrap());
            StatusCode::TEMPORARY_REDIRECT
        } else {
            StatusCode::OK
        };
        Ok(HttpResponse::new(status, headers, Box::pin(stream::empty())))
    }
}

/// What came of a request that is redirected to `to`, and everyone who was asked after the registry.
async fn redirected(
    to: &'static str,
    hosts: Hosts,
) -> (Result<(), ErrorKind>, Vec<(String, bool, bool)>) {
    let service = Arc::new(Redirecting { to, asked: Mutex::default() });
    let transport = Transport::builder()
        .hosts(hosts)
        .service(Arc::clone(&service) as Arc<dyn HttpService>)
        .build()
        .unwrap();
    let request = Request::new(Method::GET, &REGISTRY.parse().unwrap(), "/v2/x")
        .secret_header(header::COOKIE, "canary");
    let answer = transport.send(request).await.map(|_| ()).map_err(|error| error.kind());
    let mut asked = service.asked.lock().unwrap().clone();
    // The registry itself is whoever the user says it is, whatever its address.
    assert_eq!(asked.remove(0), ("https://8.8.8.8/v2/x".into(), false, true));
    (answer, asked)
}

#[tokio::test]
async fn r04_r07_a_public_registry_cannot_send_anyone_to_plain_http_or_to_a_private_address() {
    for to in [
        "http://8.8.8.8/v2/x",
        "http://storage.example/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://2130706433/x",
        "https://user:password@storage.example/x",
        "ftp://storage.example/x",
    ] {
        let (answer, asked) = redirected(to, Hosts::default()).await;
        assert_eq!((answer, asked.len()), (Err(ErrorKind::Refused), 0), "{to}");
    }
}

#[tokio::test]
async fn a_name_that_a_public_registry_chose_is_only_connected_to_at_a_public_address() {
    let (answer, asked) = redirected("https://storage.example/x", Hosts::default()).await;
    assert_eq!(answer, Ok(()));
    assert_eq!(asked, [("https://storage.example/x".into(), true, false)]);
    // The registry's own name is not one that it chose.
    let (_, asked) = redirected("https://8.8.8.8/v2/y", Hosts::default()).await;
    assert_eq!(asked, [("https://8.8.8.8/v2/y".into(), false, true)]);
}

#[tokio::test]
async fn a_private_host_that_the_user_listed_is_gone_to_without_secrets() {
    let hosts = Hosts::default().allow_private("10.0.0.1").allow_private("Storage.corp");
    for to in ["https://10.0.0.1/x", "https://storage.corp/x"] {
        let (answer, asked) = redirected(to, hosts.clone()).await;
        assert_eq!((answer, asked), (Ok(()), vec![(to.into(), false, false)]));
    }
    let (answer, _) = redirected("https://10.0.0.2/x", hosts).await;
    assert_eq!(answer, Err(ErrorKind::Refused));
}
