//! An answer: its head, and a body that is read with deadlines and caps.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, LINK, LOCATION};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::cancellation::Cancellation;
use crate::caps::{Caps, MANIFEST_CAP};
use crate::deadlines::{Deadlines, Meter};
use crate::diagnostic::Diagnostic;
use crate::error::{Error, ErrorKind, describe_status, kind_of_status};
use crate::event::Tally;
use crate::link::next_link;
use crate::notice::{RateLimit, rate_limit};
use crate::origin::{Home, Origin, Refusal, Verdict, judge, locate};
use crate::redact::RedactedUrl;
use crate::request::is_expected;
use crate::retry::{Class, class_of_status, class_of_transport, retry_after};
use crate::service::{HttpErrorKind, ResponseBody};
use crate::transport::MirrorOrigin;

/// An answer with its body unread. Dropping it abandons the body and its connection.
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: ResponseBody,
    context: Context,
    meter: Meter,
    cancellation: Cancellation,
    mirror: Option<MirrorOrigin>,
}

/// What a response has to know about its request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) method: Method,
    /// Where the answer came from, redirects followed.
    pub(crate) url: Url,
    /// Where the request's secrets belong.
    pub(crate) home: Origin,
    pub(crate) deadlines: Deadlines,
    pub(crate) caps: Caps,
    pub(crate) tally: Arc<Tally>,
}

impl Response {
    pub(crate) fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: ResponseBody,
        context: Context,
    ) -> Self {
        let cancellation = Cancellation::new();
        Self { status, headers, body, context, meter: Meter::default(), cancellation, mirror: None }
    }

    /// Its body ends with an error once this is cancelled.
    pub(crate) fn until(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header's value, if it is there, readable and not empty.
    pub fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers
            .get(name.into())?
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Where the answer came from: the last URL of the redirects that were followed. It may hold a signed query; print it
    /// as a [`RedactedUrl`].
    pub fn url(&self) -> &Url {
        &self.context.url
    }

    /// Whether the answer came from the registry's own origin, and not from a server it redirected to.
    pub fn is_from_home(&self) -> bool {
        Origin::of(self.url()).as_ref() == Some(&self.context.home)
    }

    /// How many requests the registry still answers, if it says so.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        rate_limit(&self.headers)
    }

    /// Whether the answer came by way of a mirror of the registry.
    pub fn is_from_mirror(&self) -> bool {
        self.mirror.is_some()
    }

    /// The mirror that the answer came from, if one sent it: to [distrust](MirrorOrigin::distrust) it when the content turns
    /// out to be wrong after the answer is gone.
    pub fn mirror(&self) -> Option<&MirrorOrigin> {
        self.mirror.as_ref()
    }

    /// The content was wrong: it is not what its digest says. If a mirror sent it, that mirror is not asked for this
    /// registry's content again as long as the transport lives.
    pub fn distrust(&self) {
        if let Some(mirror) = &self.mirror {
            mirror.distrust();
        }
    }

    pub(crate) fn came_from(mut self, mirror: MirrorOrigin) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// The length that the header announces, in bytes; the answer to a HEAD has one without a body.
    pub fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// The next piece of the body, `None` at its end. Fails when nothing comes for too long, or too little, or
    /// when it was cancelled.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let started = Instant::now();
        let next = poll_fn(|context| self.body.as_mut().poll_next(context));
        let next = tokio::time::timeout(self.context.deadlines.body_idle, next);
        let Some(next) = self.cancellation.run_until_cancelled(next).await else {
            self.abandon();
            return Err(Error::cancelled(&self.context.method, &self.context.url));
        };
        let Ok(next) = next else {
            self.abandon();
            let seconds = self.context.deadlines.body_idle.as_secs_f32();
            let what = format!("no byte of the body came for {seconds} s");
            return Err(self.error(ErrorKind::Timeout, what).with_class(Class::NoAnswer));
        };
        match next {
            None => Ok(None),
            Some(Ok(bytes)) => {
                Tally::add(&self.context.tally.bytes_received, bytes.len() as u64);
                let deadlines = &self.context.deadlines;
                if self.meter.is_fast_enough(deadlines, started.elapsed(), bytes.len() as u64) {
                    return Ok(Some(bytes));
                }
                let what = format!("the body came slower than {} bytes a second", deadlines.floor);
                self.abandon();
                Err(self.error(ErrorKind::TooSlow, what).with_class(Class::NoAnswer))
            }
            Some(Err(cause)) => {
                self.abandon();
                let kind = match cause.kind() {
                    HttpErrorKind::Protocol => ErrorKind::Protocol,
                    _ => ErrorKind::Interrupted,
                };
                let class = class_of_transport(cause.kind());
                Err(self.error(kind, cause.to_string()).with_class(class).with_cause(cause))
            }
        }
    }

    /// The error for a body that ended in good order before the caller had what it was promised: without an announced
    /// length HTTP cannot tell a complete body from one that was cut.
    pub fn cut_short(&self, what: impl Into<String>) -> Error {
        self.error(ErrorKind::Interrupted, what).with_class(Class::NoAnswer)
    }

    /// The whole body, at most `cap` bytes: an announced length over it fails before a byte is read, and nothing is
    /// allocated for a length that was only announced.
    pub async fn bytes(&mut self, cap: u64) -> Result<Bytes, Error> {
        let deadlines = &self.context.deadlines;
        let limit = if cap > MANIFEST_CAP { deadlines.page_body } else { deadlines.small_body };
        self.bytes_within(cap, limit).await
    }

    /// The whole body as JSON, at most `cap` bytes of it.
    pub async fn json<T: DeserializeOwned>(&mut self, cap: u64) -> Result<T, Error> {
        let body = self.bytes(cap).await?;
        serde_json::from_slice(&body).map_err(|cause| {
            self.error(ErrorKind::Protocol, "the answer is not the JSON that was asked for")
                .with_cause(cause)
        })
    }

    /// Reads what is left of a small body, so that its connection can be used again; drops a large one.
    pub async fn discard(mut self) {
        let limit = self.context.deadlines.error_body;
        let _ = self.bytes_within(self.context.caps.error, limit).await;
    }

    /// An answer with one of these statuses as it is, its body unread; any other one as the error it stands for.
    /// An empty list expects any 2xx.
    pub async fn check(self, expected: &[u16]) -> Result<Self, Error> {
        if is_expected(expected, self.status) {
            Ok(self)
        } else {
            Err(self.into_error(SystemTime::now()).await)
        }
    }

    /// Where the server says to go next (`Location`), resolved against the URL that answered.
    ///
    /// It may be at another origin, where no secret follows. One that must not be followed is an error of kind
    /// [`Refused`](ErrorKind::Refused).
    pub fn location(&self) -> Result<Url, Error> {
        let location = self.headers.get(LOCATION);
        let Some(url) = location.and_then(|it| locate(self.url(), it.as_bytes())) else {
            return Err(self.error(ErrorKind::Protocol, "the answer has no usable Location"));
        };
        // Whether the registry is on a private network, and may lead to one, is judged when the request is sent.
        match judge(&Home { origin: self.context.home.clone(), local: true }, &url) {
            Verdict::Keep | Verdict::Strip => Ok(url),
            Verdict::Refuse(refusal) => Err(self.refused("Location", &url, refusal)),
        }
    }

    /// The next page of a list (`Link` with `rel="next"`, RFC 8288), resolved. Only a page at the registry's own origin is
    /// one; a header that cannot be read is an error, not the end of the list.
    pub fn next_link(&self) -> Result<Option<Url>, Error> {
        let target = next_link(self.headers.get_all(LINK).iter().map(http::HeaderValue::as_bytes))
            .map_err(|error| self.error(ErrorKind::Protocol, error.to_string()))?;
        let Some(target) = target else { return Ok(None) };
        let Some(url) = locate(self.url(), target.as_bytes()) else {
            return Err(self.error(ErrorKind::Protocol, "the next page's link is not a URL"));
        };
        match judge(&Home { origin: self.context.home.clone(), local: true }, &url) {
            Verdict::Keep => Ok(Some(url)),
            Verdict::Strip => Err(self.error(
                ErrorKind::Refused,
                format!("the next page would be at another origin, {}", RedactedUrl::from(&url)),
            )),
            Verdict::Refuse(refusal) => Err(self.refused("Link", &url, refusal)),
        }
    }

    /// Reads the text of an error answer, within its cap and deadline, and makes it an [`Error`].
    pub(crate) async fn into_error(mut self, now: SystemTime) -> Error {
        let body = self.error_text().await;
        let diagnostics = Diagnostic::parse_all(&body);
        let asked = retry_after(&self.headers, now);
        let class = class_of_status(self.status, &diagnostics, asked.is_some());
        let kind = kind_of_status(self.status, class);
        let what = describe_status(self.status, &diagnostics, &body);
        self.error(kind, what)
            .with_answer(self.status, diagnostics)
            .with_class(class)
            .with_retry_after(asked.filter(|_| class != Class::Permanent))
    }

    /// As much of the body as may be read of an error: an endless one keeps its status and loses its text.
    async fn error_text(&mut self) -> Bytes {
        let limit = self.context.deadlines.error_body;
        let cap = self.context.caps.error;
        let mut text = BytesMut::new();
        let read = async {
            while let Ok(Some(bytes)) = self.chunk().await {
                let room = usize::try_from(cap).unwrap_or(usize::MAX) - text.len();
                text.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() > room {
                    break;
                }
            }
        };
        let done = tokio::time::timeout(limit, read).await.is_ok();
        if !done {
            self.abandon();
        }
        text.freeze()
    }

    pub(crate) async fn bytes_within(&mut self, cap: u64, limit: Duration) -> Result<Bytes, Error> {
        if self.context.method != Method::HEAD && self.content_length().is_some_and(|n| n > cap) {
            self.abandon();
            return Err(self.too_large(cap));
        }
        let started = Instant::now();
        let mut whole = BytesMut::new();
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let Ok(chunk) = tokio::time::timeout(left, self.chunk()).await else {
                self.abandon();
                let what = format!("the body was not complete after {} s", limit.as_secs_f32());
                return Err(self.error(ErrorKind::Timeout, what).with_class(Class::NoAnswer));
            };
            let Some(chunk) = chunk? else { return Ok(whole.freeze()) };
            if whole.len() as u64 + chunk.len() as u64 > cap {
                self.abandon();
                return Err(self.too_large(cap));
            }
            whole.extend_from_slice(&chunk);
        }
    }

    pub(crate) fn redacted_url(&self) -> RedactedUrl {
        self.url().into()
    }

    pub(crate) fn error(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, what).with_request(&self.context.method, &self.context.url)
    }

    fn too_large(&self, cap: u64) -> Error {
        self.error(ErrorKind::TooLarge, format!("the answer is larger than {cap} bytes"))
    }

    fn refused(&self, what: &str, url: &Url, refusal: Refusal) -> Error {
        let url = RedactedUrl::from(url);
        self.error(ErrorKind::Refused, format!("the {what} {url} is not followed: {refusal}"))
    }

    /// Lets go of the connection.
    fn abandon(&mut self) {
        self.body = Box::pin(futures_util::stream::empty());
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &RedactedUrl::from(self.url()))
            .finish_non_exhaustive()
    }
}
