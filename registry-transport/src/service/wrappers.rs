//! Retry, logging and user agent, each alone, around any [`HttpService`].
//!
//! A [`Transport`](crate::Transport) has all three; a program that sends requests through a service of its own puts on what it
//! needs:
//!
//! ```
//! use std::sync::Arc;
//! use registry_transport::RetryPolicy;
//! use registry_transport::service::{HttpService, Logging, Retrying, UserAgent};
//!
//! fn dressed(service: Arc<dyn HttpService>) -> Result<Arc<dyn HttpService>, registry_transport::Error> {
//!     let service = Arc::new(UserAgent::new(service, Some("tool/1.0"))?);
//!     let service = Arc::new(Logging::new(service));
//!     Ok(Arc::new(Retrying::new(service, RetryPolicy::default())))
//! }
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderValue, USER_AGENT};

use super::{HttpError, HttpRequest, HttpResponse, HttpService, log};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, describe_status, kind_of_status};
use crate::follow::no_answer;
use crate::request::Replay;
use crate::retry::{Class, Next, RetryPolicy, Spent, class_of_status, jitter, next, retry_after};

/// Sends again what failed in passing, as a [`RetryPolicy`] says: GET and HEAD after any such failure, other methods only what
/// was certainly not processed.
///
/// The last answer is returned as it came. The body of an answer is not looked at, and waits belong to one call alone: shared
/// cool-downs and accounts are the transport's.
#[derive(Debug)]
pub struct Retrying {
    service: Arc<dyn HttpService>,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
}

impl Retrying {
    /// Around `service`.
    pub fn new(service: Arc<dyn HttpService>, policy: RetryPolicy) -> Self {
        Self { service, policy, clock: Arc::new(SystemClock) }
    }

    /// Takes its time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// An answer or its absence as a failure to decide about; `None` is a success.
    fn failure(
        &self,
        request: &HttpRequest,
        result: &Result<HttpResponse, HttpError>,
    ) -> Option<Error> {
        let (method, url) = (&request.method, &request.url);
        let answer = match result {
            Err(error) => return Some(no_answer(error.clone(), method, url)),
            Ok(answer) if answer.status.as_u16() < 400 => return None,
            Ok(answer) => answer,
        };
        let asked = retry_after(&answer.headers, self.clock.time_of_day());
        let class = class_of_status(answer.status, &[], asked.is_some());
        let what = describe_status(answer.status, &[], &[]);
        Some(
            Error::new(kind_of_status(answer.status, class), what)
                .with_request(method, url)
                .with_answer(answer.status, Vec::new())
                .with_class(class)
                .with_retry_after(asked.filter(|_| class != Class::Permanent)),
        )
    }
}

#[async_trait]
impl HttpService for Retrying {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let replay = Replay::of(&request.method);
        let mut spent = Spent::default();
        let mut first = None;
        loop {
            let result = self.service.call(request.again()).await;
            let Some(error) = self.failure(&request, &result) else { return result };
            let now = self.clock.now();
            spent.elapsed = now.saturating_duration_since(*first.get_or_insert(now));
            let class = self.policy.class_of(&error);
            let asked = error.retry_after();
            let decision = next(&self.policy, class, replay, asked, &spent, jitter());
            match decision {
                Next::Stop | Next::Later(_) => return result,
                Next::Free => {}
                Next::After(wait) => {
                    tracing::warn!(%error, ?wait, "retry");
                    self.clock.sleep(wait).await;
                }
            }
            spent.charge(class, decision);
        }
    }
}

/// Logs every request and every answer at debug, without their secrets.
#[derive(Debug)]
pub struct Logging(Arc<dyn HttpService>);

impl Logging {
    /// Around `service`.
    pub fn new(service: Arc<dyn HttpService>) -> Self {
        Self(service)
    }
}

#[async_trait]
impl HttpService for Logging {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        log::request(&request);
        let url = request.url.clone();
        let answer = self.0.call(request).await;
        answer
            .map(|answer| log::answer(&url, answer))
            .inspect_err(|error| log::failure(&url, error))
    }
}

/// Names the program that asks, on every request: `tool/1.0 registry-transport/0.1.0`.
#[derive(Debug)]
pub struct UserAgent {
    service: Arc<dyn HttpService>,
    value: HeaderValue,
}

impl UserAgent {
    /// Around `service`, with the caller's own part in front. Fails where that cannot stand in a header.
    pub fn new(service: Arc<dyn HttpService>, caller: Option<&str>) -> Result<Self, Error> {
        Ok(Self { service, value: user_agent(caller)? })
    }
}

#[async_trait]
impl HttpService for UserAgent {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        request.headers.insert(USER_AGENT, self.value.clone());
        self.service.call(request).await
    }
}

/// The version in the user agent: this crate's own, unless `REGISTRY_TRANSPORT_VERSION` was set when it was built.
const VERSION: &str = match option_env!("REGISTRY_TRANSPORT_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

pub(crate) fn user_agent(caller: Option<&str>) -> Result<HeaderValue, Error> {
    let text = match caller {
        Some(caller) => format!("{caller} registry-transport/{VERSION}"),
        None => format!("registry-transport/{VERSION}"),
    };
    HeaderValue::from_str(&text).map_err(|cause| {
        Error::new(ErrorKind::Config, "the user agent is not a header value").with_cause(cause)
    })
}
