//! Whatever is a secret reaches the service marked as one: neither a log nor HTTP/2's table of headers keeps it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream;
use registry_authn::{Credential, Fixed};
use registry_transport::header::{
    ACCEPT, AUTHORIZATION, COOKIE, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use registry_transport::scheme::{Answer, Next, Scheme, Session};
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{Error, HeaderMap, Host, Hosts, Method, Request, StatusCode, Transport};

const REGISTRY: &str = "8.8.8.8";
const KEY: HeaderName = HeaderName::from_static("x-key");
const GIVEN: HeaderName = HeaderName::from_static("x-given");
const BOUND: HeaderName = HeaderName::from_static("x-bound");

/// Wants to be shown something, gives a token to everyone, and remembers the headers that it saw.
#[derive(Debug)]
struct Challenging {
    challenge: &'static str,
    seen: Mutex<Vec<HeaderMap>>,
}

#[async_trait]
impl HttpService for Challenging {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let headers = request.headers;
        let shown = headers.contains_key(AUTHORIZATION) || headers.contains_key(KEY);
        self.seen.lock().unwrap().push(headers);
        let token = request.url.path() == "/token";
        let mut headers = HeaderMap::new();
        let status = if shown || token { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        if status != StatusCode::OK {
            headers.insert(WWW_AUTHENTICATE, self.challenge.parse().unwrap());
        }
        let body = if token { r#"{"token":"canary"}"# } else { "" };
        let body = stream::iter([Ok(body.into())]);
        Ok(HttpResponse::new(status, headers, Box::pin(body)))
    }
}

/// Shows a header of its own.
#[derive(Debug)]
struct Sesame;

#[async_trait]
impl Scheme for Sesame {
    async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error> {
        session.secret_header(KEY, "canary")
    }

    async fn answered(&self, _: &mut Session<'_>, _: &Answer) -> Result<Next, Error> {
        Ok(Next::Resend)
    }
}

#[tokio::test]
async fn every_header_that_holds_a_secret_is_marked_sensitive() {
    for (challenge, shown) in [
        ("Basic realm=\"x\"", AUTHORIZATION),
        ("Bearer realm=\"https://8.8.8.8/token\",service=\"x\"", AUTHORIZATION),
        ("Sesame realm=\"x\"", KEY),
    ] {
        let service = Arc::new(Challenging { challenge, seen: Mutex::default() });
        let registry: registry_name::Registry = REGISTRY.parse().unwrap();
        let login = Fixed::for_registry(registry.clone(), Credential::basic("user", "password"));
        let host = Host::new().header(BOUND, "canary".parse().unwrap());
        let transport = Transport::builder()
            .keychain(Arc::new(login))
            .hosts(Hosts::default().host(registry.clone().into(), host))
            .scheme("sesame", Arc::new(Sesame))
            .service(Arc::clone(&service) as Arc<dyn HttpService>)
            .build()
            .unwrap();
        let request = Request::new(Method::GET, &registry, "/v2/x")
            .header(ACCEPT, "text/plain")
            .header(COOKIE, "canary")
            .secret_header(GIVEN, "canary");
        transport.send(request).await.unwrap_or_else(|error| panic!("{challenge}: {error}"));
        let seen = service.seen.lock().unwrap();
        for name in [shown, COOKIE, GIVEN, BOUND] {
            let mut values = seen.iter().flat_map(|headers| headers.get_all(&name)).peekable();
            assert!(values.peek().is_some(), "{challenge}: {name} was not sent");
            assert!(values.all(HeaderValue::is_sensitive), "{challenge}: {name}");
        }
        assert!(!seen[0][ACCEPT].is_sensitive());
    }
}
