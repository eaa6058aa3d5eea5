//! Where a request leaves this crate: one asynchronous method that moves one request to one server and back.
//!
//! No redirect is followed here, nothing is retried, no secret is chosen. The built-in service is reqwest; a caller's own
//! goes in through [`Builder::service`](crate::Builder::service).

mod body;
mod classify;
mod connect;
mod error;
pub(crate) mod log;
mod reqwest;
mod resolve;
mod tls;
mod wrappers;

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::body::Body;

pub use self::body::{BodyError, RequestBody};
pub(crate) use self::body::{Progress, State};
pub use self::error::{HttpError, HttpErrorKind};
pub(crate) use self::reqwest::Reqwest;
pub(crate) use self::resolve::has_private_address;
#[cfg(feature = "files")]
pub(crate) use self::tls::check as check_certificates;
pub(crate) use self::wrappers::user_agent;
pub use self::wrappers::{Logging, Retrying, UserAgent};

/// Sends one request and returns the head of the answer with its body unread.
#[async_trait]
pub trait HttpService: Send + Sync + fmt::Debug {
    /// Sends `request`. A redirect is an answer like any other. Dropping the future abandons the request.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// A request as it goes out: headers complete, secrets attached.
#[derive(Debug)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The absolute URL, without user information.
    pub url: Url,
    /// All headers but `Host`. Secrets among them are marked sensitive.
    pub headers: HeaderMap,
    /// The body, of an exact size.
    pub body: RequestBody,
    /// How to connect.
    pub route: Route,
}

impl HttpRequest {
    /// A request with this body.
    pub fn new(method: Method, url: Url, headers: HeaderMap, body: &Body) -> Self {
        Self { method, url, headers, body: RequestBody::open(body), route: Route::default() }
    }

    /// The same request, its body at the beginning.
    #[must_use]
    pub fn again(&self) -> Self {
        let Self { method, url, headers, body, route } = self;
        Self {
            method: method.clone(),
            url: url.clone(),
            headers: headers.clone(),
            body: body.again(),
            route: *route,
        }
    }
}

/// How to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Route {
    /// Many bytes: an HTTP/1.1 connection of its own serves them better than a shared one.
    pub bulk: bool,
    /// A server chose this URL: a name that resolves to a private address must not be connected to.
    pub public_only: bool,
    /// A connection of its own: the one before was the wrong one (421), or gave no answer in time.
    pub fresh: bool,
}

/// An answer, its body unread.
#[non_exhaustive]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Dropping it abandons the rest.
    pub body: ResponseBody,
}

/// The bytes of an answer as they come, transfer coding removed and content coding untouched.
pub type ResponseBody = Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>> + Send>>;

impl HttpResponse {
    /// An answer.
    pub fn new(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Self {
        Self { status, headers, body }
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
