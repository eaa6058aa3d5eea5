//! One request in, one response out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, RETRY_AFTER, WARNING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::Semaphore;

use crate::access::{Caller, Guard, Scope};
use crate::body::{self, Body};
use crate::fault::{Faults, Plan};
use crate::handlers;
use crate::metrics::{Gauges, Metrics};
use crate::name::Name;
use crate::problem::{Code, Problem};
use crate::rate::RateLimit;
use crate::request_log::{RequestLog, RequestRecord, Sink};
use crate::route::Route;
use crate::sessions::{Bounds, Sessions};
use crate::store::Store;
use crate::ui;

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sessions: Sessions,
    pub(crate) guard: Guard,
    pub(crate) limits: Limits,
    pub(crate) log: Option<RequestLog>,
    pub(crate) sink: Option<Sink>,
    pub(crate) metrics: Metrics,
    pub(crate) faults: Faults,
    pub(crate) rate: Option<RateLimit>,
    /// `Warning` (distribution specification, "Warnings"), with every answer below `/v2/`.
    pub(crate) warning: Option<HeaderValue>,
    /// How many more connections are taken.
    pub(crate) room: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) read_only: bool,
    pub(crate) ui: bool,
    pub(crate) metrics: bool,
    pub(crate) manifest: usize,
    pub(crate) headers: usize,
    pub(crate) connections: usize,
    pub(crate) page: usize,
    pub(crate) chunk_min: Option<u64>,
    pub(crate) upload_expiry: Duration,
    pub(crate) idle: Duration,
    pub(crate) uploads: Bounds,
    /// How long a blob may be without a manifest; `None`: for ever.
    pub(crate) garbage: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_only: false,
            ui: true,
            metrics: false,
            manifest: 4 << 20,
            headers: 32 << 10,
            connections: 512,
            page: usize::MAX,
            chunk_min: None,
            upload_expiry: Duration::from_secs(24 * 3600),
            idle: Duration::from_secs(60),
            uploads: Bounds::default(),
            garbage: None,
        }
    }
}

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) server: &'a Server,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) caller: Caller,
}

impl Call<'_> {
    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.server.store)
    }
}

impl Server {
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> Response<Body> {
        let (time, started) = (SystemTime::now(), Instant::now());
        let (parts, mut body) = request.into_parts();
        let plan = self.faults.plan(parts.uri.path());
        let answered = match self.gate(&parts, client, plan).await {
            Ok(()) => self.answer(&parts, &mut body).await,
            Err(problem) => Err(problem),
        };
        let mut response = match answered {
            Ok(response) => response,
            Err(problem) => {
                self.drain(&parts, &mut body).await;
                problem.into_response()
            }
        };
        self.complete(&parts, &mut response);
        let target = match parts.uri.path() {
            // Some clients put credentials there.
            "/token" => "/token",
            path => parts.uri.path_and_query().map_or(path, |target| target.as_str()),
        };
        tracing::debug!(method = %parts.method, target, status = response.status().as_u16());
        self.record(RequestRecord {
            time,
            client,
            target: target.to_owned(),
            status: response.status(),
            bytes: response.body().size_hint().exact(),
            elapsed: started.elapsed(),
            method: parts.method,
        });
        match plan.cut {
            Some(after) => response.map(|body| body::cut(body, after)),
            None => response,
        }
    }

    /// What holds before anything is looked at: limits, and faults that were asked for.
    async fn gate(&self, parts: &Parts, client: IpAddr, plan: Plan) -> Result<(), Problem> {
        tokio::time::sleep(plan.delay).await;
        if plan.expire_tokens {
            self.guard.expire_tokens();
        }
        if let Some(status) = plan.refuse {
            let (code, message) = match status {
                StatusCode::TOO_MANY_REQUESTS => (Code::TooManyRequests, "a fault, as asked for"),
                _ => (Code::Unknown, "a fault, as asked for"),
            };
            let problem = Problem::new(status, code, message);
            return Err(problem.header(RETRY_AFTER, HeaderValue::from_static("1")));
        }
        let lengths = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let length =
            lengths.sum::<usize>() + parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
        if length > self.limits.headers {
            let message =
                format!("the request's head is larger than {} bytes", self.limits.headers);
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Problem::new(status, Code::Unsupported, message));
        }
        match &self.rate {
            Some(rate) if parts.uri.path() != "/healthz" => rate
                .take(client, Instant::now())
                .map_err(|wait| Problem::too_many("too many requests", wait)),
            _ => Ok(()),
        }
    }

    /// Headers of every answer; and what a HEAD request does not get.
    fn complete(&self, parts: &Parts, response: &mut Response<Body>) {
        let version = HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert("docker-distribution-api-version", version);
        if let Some(warning) = &self.warning
            && parts.uri.path().starts_with("/v2/")
        {
            response.headers_mut().append(WARNING, warning.clone());
        }
        // HTTP/2 has no need of it, so it is not added there for an empty blob.
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if let Some(length) = response.body().size_hint().exact()
            && !bodiless.contains(&response.status())
        {
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
        }
        if parts.method == Method::HEAD {
            *response.body_mut() = body::empty();
        }
    }

    fn record(&self, record: RequestRecord) {
        self.metrics.count(&record);
        if let Some(Sink(sink)) = &self.sink {
            sink(&record);
        }
        if let Some(log) = &self.log {
            log.add(record);
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// What there is at this moment.
    pub(crate) fn gauges(&self) -> Gauges {
        let connections = self.limits.connections.saturating_sub(self.room.available_permits());
        Gauges { connections, uploads: self.sessions.open() }
    }

    async fn answer(&self, parts: &Parts, body: &mut Incoming) -> Result<Response<Body>, Problem> {
        let (method, path) = (&parts.method, parts.uri.path());
        if self.limits.ui && ui::is_here(path) {
            return Ok(ui::respond(self, parts, body).await);
        }
        let query = parts.uri.query().unwrap_or_default();
        let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let route = Route::parse(method, path);
        // Who is not let in does not learn what exists.
        let (needed, wished) = match &route {
            Ok(Route::Health | Route::Token) => (None, None),
            Ok(route) => (Some(needs(route, method)), wish(route, &query)),
            Err(_) => (Some(None), None),
        };
        let caller = match needed {
            None => Caller::Only(Vec::new()),
            Some(needed) => {
                self.guard.admit(&parts.headers, needed.as_slice(), wished.as_slice()).await?
            }
        };
        let route = route?;
        if self.limits.read_only && changes(&route, method) {
            let message = "this registry is read-only";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Problem::new(status, Code::Unsupported, message));
        }
        let call = Call { server: self, method, path, headers: &parts.headers, query, caller };
        handlers::dispatch(&call, route, body).await
    }

    /// Takes in some of a body that nobody wanted, so that a client which is still sending reads
    /// the answer instead of a reset connection.
    async fn drain(&self, parts: &Parts, body: &mut Incoming) {
        if parts.headers.contains_key(EXPECT) {
            return; // The client waits for our word before it sends anything.
        }
        let mut left = 8_usize << 20;
        let taken = async {
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(self.limits.idle.min(Duration::from_secs(2)), taken).await;
    }
}

/// The scope that a request needs.
fn needs(route: &Route, method: &Method) -> Option<Scope> {
    let read = matches!(*method, Method::GET | Method::HEAD);
    let on = |name: &Name, actions: &[&str]| Some(Scope::repository(name, actions));
    match route {
        Route::Base | Route::Token | Route::Health | Route::Metrics => None,
        Route::Catalog => Some(Scope::catalog()),
        Route::Tags(name) | Route::Referrers(name, _) => on(name, &["pull"]),
        Route::Blob(name, _) | Route::Manifest(name, _) if read => on(name, &["pull"]),
        Route::Blob(name, _) | Route::Manifest(name, _) if *method == Method::DELETE => {
            on(name, &["delete"])
        }
        Route::Blob(name, _)
        | Route::Manifest(name, _)
        | Route::Uploads(name)
        | Route::Upload(name, _) => on(name, &["pull", "push"]),
    }
}

/// A scope that helps but is not needed: without it, a mount becomes an upload.
fn wish(route: &Route, query: &[(String, String)]) -> Option<Scope> {
    let Route::Uploads(_) = route else { return None };
    let (_, from) = query.iter().find(|(key, _)| key == "from")?;
    Some(Scope::repository(&Name::parse(from).ok()?, &["pull"]))
}

fn changes(route: &Route, method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) && !matches!(route, Route::Token)
}

/// A JSON document.
pub(crate) fn json(document: &impl serde::Serialize) -> Result<Response<Body>, Problem> {
    let bytes = serde_json::to_vec(document).map_err(std::io::Error::other)?;
    let mut response = Response::new(body::full(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
