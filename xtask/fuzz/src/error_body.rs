//! The body of an error answer: read in bounded memory, and printed on one line that no terminal obeys.

use std::sync::Arc;

use async_trait::async_trait;
use registry_transport::service::{HttpError, HttpRequest, HttpResponse, HttpService};
use registry_transport::{
    Bytes, Diagnostic, Error, HeaderMap, Method, Request, RetryPolicy, StatusCode, Transport,
};

/// Checks what every body has to keep to. The first byte chooses the status.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let diagnostics = Diagnostic::parse_all(body);
    // No entry is shorter than `{"code":"…"}`.
    assert!(diagnostics.len() <= body.len() / 10);
    for diagnostic in &diagnostics {
        assert!(!diagnostic.code.as_str().is_empty() || !diagnostic.message.is_empty());
        printable(&diagnostic.to_string());
        printable(&diagnostic.code.to_string());
    }

    let status = StatusCode::from_u16(400 + u16::from(*first) % 200).expect("an error");
    let error = answered(status, Bytes::copy_from_slice(body));
    // A challenge that is missing, and a body over the cap, do not hide what was answered.
    assert_eq!(error.status(), Some(status));
    assert_eq!(error.attempts(), 1);
    if body.len() <= 64 << 10 {
        assert_eq!(error.diagnostics(), diagnostics);
    }
    printable(&error.to_string());
    printable(error.hint().unwrap_or_default());
    assert!(error.to_string().contains(status.as_str()));
}

fn printable(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    // Marks that turn the rest of a line around.
    assert!(!text.contains(|c| ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
    assert!(text.len() < 64 << 10, "{} bytes", text.len());
}

/// What comes of a request that is answered like this.
fn answered(status: StatusCode, body: Bytes) -> Error {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let service = Arc::new(Answering { status, body });
    let policy = RetryPolicy::none();
    let transport = Transport::builder().service(service).policy(policy).build();
    let transport = transport.expect("a transport");
    let registry = "registry.example".parse().expect("a registry");
    let request = Request::new(Method::GET, &registry, "/v2/");
    runtime.expect("a runtime").block_on(transport.send(request)).expect_err("an error")
}

#[derive(Debug)]
struct Answering {
    status: StatusCode,
    body: Bytes,
}

#[async_trait]
impl HttpService for Answering {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        let pieces: Vec<_> =
            self.body.chunks(1 << 10).map(Bytes::copy_from_slice).map(Ok).collect();
        let body = Box::pin(futures_util::stream::iter(pieces));
        Ok(HttpResponse::new(self.status, HeaderMap::new(), body))
    }
}
