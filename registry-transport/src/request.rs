//! One request to a registry: what is asked, what it needs, what counts as an answer.

use std::fmt;
use std::ops::Range;

use http::header::{
    ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, RANGE,
};
use http::{Method, StatusCode};
use registry_authn::{Resource, Scopes};
use registry_name::Registry;
use url::Url;

use crate::body::Body;
use crate::budget::Budget;
use crate::redact::RedactedUrl;

/// A request to a registry. It belongs to a *home* registry, also when a server chose its URL: secrets go to the home
/// registry's origin and nowhere else.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) registry: Registry,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) scopes: Scopes,
    pub(crate) resource: Option<Resource>,
    pub(crate) body: Body,
    pub(crate) expect: Vec<u16>,
    pub(crate) replay: Replay,
    pub(crate) budget: Option<Budget>,
    /// What the registry has to store before it answers, where that is more than the body.
    pub(crate) stores: u64,
    pub(crate) bulk: bool,
    /// Mirrors are not asked.
    pub(crate) upstream: bool,
    /// Nothing secret goes along, not even to the home origin.
    pub(crate) bare: bool,
    /// The first header that could not be built; reported when the request is sent.
    pub(crate) invalid: Option<String>,
}

/// Headers that hold a secret, whoever sets them.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Where a request goes.
#[derive(Clone)]
pub(crate) enum Target {
    /// A path (with an optional query) at the registry's endpoint.
    Path(String),
    /// A URL that a server chose: an upload `Location`, a `Link`.
    Url(Url),
}

/// What may be done after a failure that leaves open whether the registry acted on the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// Sending it twice does what sending it once does: it may be sent again after any failure.
    Safe,
    /// Sending it twice leaves something behind that goes away by itself, such as an upload session that nobody uses: it may
    /// be sent again after any failure, but only twice where no answer came.
    Twice,
    /// It is sent again only when it provably was not processed; anything else is for the caller to probe.
    Unsent,
}

impl Replay {
    /// What holds for a method until a request says otherwise.
    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Safe,
            _ => Self::Unsent,
        }
    }
}

impl Request {
    /// A request for `path` (`"/v2/…"`, with a query if needed) at `registry`.
    ///
    /// GET and HEAD are [`Replay::Safe`], every other method is [`Replay::Unsent`] until told otherwise. Any status from
    /// 200 to 299 is an answer until [`expect`](Self::expect) says otherwise.
    pub fn new(method: Method, registry: &Registry, path: impl Into<String>) -> Self {
        Self {
            replay: Replay::of(&method),
            method,
            registry: registry.clone(),
            target: Target::Path(path.into()),
            headers: HeaderMap::new(),
            scopes: Scopes::default(),
            resource: None,
            body: Body::empty(),
            expect: Vec::new(),
            budget: None,
            stores: 0,
            bulk: false,
            upstream: false,
            bare: false,
            invalid: None,
        }
    }

    /// Goes to a URL that a server chose instead. It is judged like a redirect when the request is sent.
    #[must_use]
    pub fn to(mut self, url: Url) -> Self {
        self.target = Target::Url(url);
        self
    }

    /// Sets a header. One that is sensitive (`Authorization`, `Cookie`, or [`secret_header`](Self::secret_header)) stays at
    /// the home origin.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        self.set(name, value.as_ref(), false);
        self
    }

    /// Sets a header that holds a secret: it is sent to the home origin only and never printed.
    #[must_use]
    pub fn secret_header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        self.set(name, value.as_ref(), true);
        self
    }

    /// Sets `Accept` to these media types.
    #[must_use]
    pub fn accept(self, media_types: &[&str]) -> Self {
        self.header(ACCEPT, media_types.join(", "))
    }

    /// Asks for the bytes from `offset` on (RFC 9110, section 14.1.2).
    #[must_use]
    pub fn range_from(self, offset: u64) -> Self {
        self.header(RANGE, format!("bytes={offset}-"))
    }

    /// Asks for the bytes in `range`, which is not empty.
    #[must_use]
    pub fn range(self, range: Range<u64>) -> Self {
        let last = range.end.saturating_sub(1);
        self.header(RANGE, format!("bytes={}-{last}", range.start))
    }

    /// What a token must allow.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Whose credential to use: the registry's own unless told otherwise.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// What to send.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The statuses that are an answer, whatever they mean; every other one becomes an [`Error`](crate::Error).
    /// A request that expects a 401 goes out without a credential.
    #[must_use]
    pub fn expect(mut self, statuses: &[u16]) -> Self {
        self.expect = statuses.to_vec();
        self
    }

    /// What may be done after a failure that leaves the outcome open.
    #[must_use]
    pub fn replay(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }

    /// The budget of the operation that this request is a part of; a fresh one otherwise.
    #[must_use]
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Commits this many bytes, most of which other requests may have brought: the answer is given the
    /// [time](crate::Deadlines::commit) to store them all, and not only those of this request's body.
    #[must_use]
    pub fn stores(mut self, bytes: u64) -> Self {
        self.stores = bytes;
        self
    }

    /// Moves many bytes: HTTP/1.1 connections of its own, since all streams of an HTTP/2 connection share one window.
    #[must_use]
    pub fn bulk(mut self) -> Self {
        self.bulk = true;
        self
    }

    /// Asks the registry itself and none of its mirrors: what is there, and not what can be had somewhere.
    #[must_use]
    pub fn upstream(mut self) -> Self {
        self.upstream = true;
        self
    }

    /// Carries no secret, not even to the registry itself, and a 401 is an error that is not answered: for a URL that content
    /// names, such as the `urls` of a layer, since whoever wrote the content may not act in the caller's name.
    ///
    /// ```
    /// use registry_transport::{Method, Request};
    ///
    /// let registry: registry_name::Registry = "registry.example".parse()?;
    /// let elsewhere = "https://store.example/layer".parse()?;
    /// let layer = Request::new(Method::GET, &registry, "/").to(elsewhere).without_secrets();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.bare = true;
        self
    }

    fn set(&mut self, name: HeaderName, value: &[u8], secret: bool) {
        match HeaderValue::from_bytes(value) {
            Ok(mut value) => {
                value.set_sensitive(secret || SECRET.contains(&name));
                self.headers.insert(name, value);
            }
            Err(_) => self.invalid = Some(format!("header {name} cannot hold this value")),
        }
    }

    pub(crate) fn resource_or_registry(&self) -> Resource {
        self.resource.clone().unwrap_or_else(|| Resource::Registry(self.registry.clone()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                // Its query may hold what only the registry should see.
                write!(f, "{:?}", path.split(['?', '#']).next().unwrap_or_default())
            }
            Self::Url(url) => RedactedUrl::from(url).fmt(f),
        }
    }
}

/// Whether `status` is an answer to a request that expects `expected` (any 2xx when empty).
pub(crate) fn is_expected(expected: &[u16], status: StatusCode) -> bool {
    if expected.is_empty() { status.is_success() } else { expected.contains(&status.as_u16()) }
}
