//! Redirects, followed by hand: each hop is judged before it is taken, and secrets stay at home.

use std::pin::pin;
use std::time::{Duration, Instant};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION, RANGE, USER_AGENT,
};
use http::{Method, StatusCode};
use tracing::Instrument as _;
use url::Url;

use crate::body::Body;
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Tally};
use crate::hosts::Server;
use crate::origin::{Home, Origin, Refusal, Verdict, judge, locate};
use crate::redact::RedactedUrl;
use crate::response::{Context, Response};
use crate::retry::{Class, class_of_transport};
use crate::service::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, Progress, RequestBody, Route, State, log,
};
use crate::transport::Inner;

/// Redirects that are followed for one request.
pub(crate) const HOPS: usize = 10;

/// One request, ready to go out: its headers hold the secrets that belong to its home.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: Url,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Body,
    /// What has to be stored before an answer can come, the body or more.
    pub(crate) stores: u64,
    pub(crate) home: Home,
    /// The origin that the user named: whatever address it has is right.
    pub(crate) named: &'a Origin,
    pub(crate) hops: usize,
    /// How to connect; whether to public addresses only is found out for each hop.
    pub(crate) route: Route,
    /// It waits for its turn at a server with a limit. What a running transfer waits for must not.
    pub(crate) limited: bool,
    /// Nothing secret goes along, not even to the home.
    pub(crate) bare: bool,
    /// The body is a secret and goes to the home only.
    pub(crate) secret_body: bool,
    /// A redirect is the answer that the caller wants.
    pub(crate) keep_redirects: bool,
}

/// Sends a request and goes where its answer points, at most `hops` times.
///
/// 307 and 308 send the body again from its start. 301, 302 and 303 are followed for GET and HEAD; they would make any other
/// method a GET, so they are an error there (RFC 9110, section 15.4).
pub(crate) async fn follow(inner: &Inner, outgoing: Outgoing<'_>) -> Result<Response, Error> {
    let mut outgoing = outgoing;
    let method = outgoing.method;
    let mut url = outgoing.url.clone();
    // Once away from home, nothing secret is sent any more: not even when a redirect leads back.
    let mut at_home = !outgoing.bare;
    let mut hops = 0;
    loop {
        let home = inner.home_for(&mut outgoing.home, &url).await;
        let verdict = judge(&home, &url);
        if let Verdict::Refuse(refusal) = verdict {
            return Err(refused(method, &outgoing.url, &url, refusal));
        }
        if verdict == Verdict::Strip
            && is_write(method)
            && inner.servers.of(&home.origin)?.strict_uploads
        {
            return Err(kept_at_home(method, &outgoing.url, &home.origin, &url));
        }
        at_home &= verdict == Verdict::Keep;
        if outgoing.secret_body && !at_home {
            let to = RedactedUrl::from(&url);
            let what = format!("the redirect to {to} would carry a secret to another origin");
            return Err(Error::new(ErrorKind::Refused, what).with_request(method, &outgoing.url));
        }
        let response = call(inner, &outgoing, &home, &url, at_home).await?;
        let turn = turn(method, response.status());
        if outgoing.keep_redirects || turn == Turn::Stay {
            return Ok(response);
        }
        let Some(location) = response.headers().get(LOCATION) else { return Ok(response) };
        if turn == Turn::Back {
            let what = format!("the redirect ({}) would turn {method} into GET", response.status());
            return Err(response.error(ErrorKind::Protocol, what));
        }
        hops += 1;
        if hops > outgoing.hops {
            let what = format!(
                "more than {} redirects, the last one to {}",
                outgoing.hops,
                response.redacted_url()
            );
            return Err(Error::new(ErrorKind::Protocol, what).with_request(method, &outgoing.url));
        }
        let Some(next) = locate(&url, location.as_bytes()) else {
            return Err(response
                .error(ErrorKind::Protocol, "the redirect leads to something that is no URL"));
        };
        Tally::add(&inner.tally.redirects, 1);
        inner.listeners.tell(&Event::Redirected {
            from: &RedactedUrl::from(&url),
            to: &RedactedUrl::from(&next),
            cross_origin: judge(&home, &next) != Verdict::Keep,
        });
        tracing::debug!(from = %RedactedUrl::from(&url), to = %RedactedUrl::from(&next), "redirect");
        // The body of a redirect is not read: dropping the response lets go of its connection.
        url = next;
    }
}

/// What an answer's status says about where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nowhere: this is the answer.
    Stay,
    /// To its location.
    Follow,
    /// To its location with another method, which is not done.
    Back,
}

pub(crate) fn turn(method: &Method, status: StatusCode) -> Turn {
    match (status.as_u16(), method) {
        (307 | 308, _) | (301..=303, &Method::GET | &Method::HEAD) => Turn::Follow,
        (301..=303, _) => Turn::Back,
        _ => Turn::Stay,
    }
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a header may be seen by anyone.
pub(crate) fn is_harmless(name: &HeaderName, value: &HeaderValue) -> bool {
    const HARMLESS: [HeaderName; 6] =
        [ACCEPT, RANGE, CONTENT_TYPE, CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH];
    HARMLESS.contains(name) && !value.is_sensitive()
}

/// The one place where secrets are attached: at home everything goes along, elsewhere what holds no secret.
///
/// What was configured for a server goes along when the request is meant for it, and not when another one leads there.
fn dress(outgoing: &Outgoing<'_>, server: &Server, at_home: bool, finished: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in outgoing.headers {
        if at_home || is_harmless(name, value) {
            headers.append(name.clone(), value.clone());
        }
    }
    if at_home && outgoing.home.origin == *outgoing.named {
        for name in server.headers.keys().filter(|name| !outgoing.headers.contains_key(*name)) {
            for value in server.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if !finished {
        headers.insert(USER_AGENT, server.user_agent.clone());
    }
    // A transfer that somebody else compressed has neither the length nor the digest that was announced.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let carries = matches!(*outgoing.method, Method::POST | Method::PUT | Method::PATCH);
    if carries && outgoing.body.size() == 0 {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers
}

/// One request to one server: the head of its answer, within its deadlines.
async fn call(
    inner: &Inner,
    outgoing: &Outgoing<'_>,
    home: &Home,
    url: &Url,
    at_home: bool,
) -> Result<Response, Error> {
    let method = outgoing.method;
    let size = outgoing.body.size();
    let origin = Origin::of(url);
    let public_only = !home.local && origin.as_ref() != Some(outgoing.named);
    let server = inner.servers.of(origin.as_ref().unwrap_or(&outgoing.home.origin))?;
    // Bytes that are sent do not show here: only downloads are known to have stopped.
    let patience = if size == 0 { inner.deadlines.body_idle } else { Duration::MAX };
    let limiter = server.limiter(size);
    let limited = outgoing.limited && !inner.finished;
    let permit = if limited { Some(limiter.enter(patience).await) } else { None };
    let body = RequestBody::open(outgoing.body);
    let progress = body.progress();
    let request = HttpRequest {
        method: method.clone(),
        url: url.clone(),
        headers: dress(outgoing, &server, at_home, inner.finished),
        body,
        route: Route { public_only, ..outgoing.route },
    };
    Tally::add(&inner.tally.requests, 1);
    Tally::add(&inner.tally.bytes_sent, size);
    if !inner.finished {
        log::request(&request);
    }
    let span = tracing::debug_span!("http", %method, url = %RedactedUrl::from(url));
    let answer = inner.service.call(request).instrument(span);
    let answer = head(&inner.deadlines, outgoing.stores, &progress, answer).await;
    let mut answer = match answer.map_err(|what| Error::new(ErrorKind::Timeout, what)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(no_answer(error, method, url)),
        Err(late) => return Err(late.with_request(method, url).with_class(Class::Unknown)),
    };
    if !inner.finished {
        answer = log::answer(url, answer);
    }
    let host = url.host_str().unwrap_or_default();
    for warning in inner.warnings.note(host, &answer.headers) {
        tracing::warn!(host, text = warning.text, "the registry warns");
        inner.listeners.tell(&Event::Warning(&warning));
    }
    let HttpResponse { status, headers, body } = answer;
    if status == StatusCode::TOO_MANY_REQUESTS {
        limiter.lower();
    } else if status.is_success() {
        limiter.raise();
    }
    let body = match permit {
        Some(permit) => permit.until_the_end_of(body),
        None => body,
    };
    let context = Context {
        method: method.clone(),
        url: url.clone(),
        home: outgoing.home.origin.clone(),
        deadlines: inner.deadlines,
        caps: inner.caps,
        tally: inner.tally.clone(),
    };
    Ok(Response::new(status, headers, body, context))
}

/// Waits for the head of an answer, as long as the body on its way out makes progress. `Err` says what did not happen in time.
async fn head(
    deadlines: &Deadlines,
    stores: u64,
    progress: &Progress,
    answer: impl Future<Output = Result<HttpResponse, HttpError>>,
) -> Result<Result<HttpResponse, HttpError>, String> {
    let mut answer = pin!(answer);
    loop {
        let (since, limit) = match progress.state() {
            // Our own side is slow: look again later.
            State::Source => (Instant::now(), deadlines.write_idle),
            State::Network(since) => (since, deadlines.write_idle),
            State::Sent(since) => (since, deadlines.head_after(stores)),
        };
        let left = limit.saturating_sub(since.elapsed());
        if left.is_zero() {
            let seconds = limit.as_secs_f32();
            return Err(match progress.state() {
                State::Sent(_) => format!("no answer within {seconds} s"),
                _ => format!("the server took no byte of the body for {seconds} s"),
            });
        }
        // Past the deadline the progress is looked at again: it may have moved on meanwhile.
        if let Ok(answer) = tokio::time::timeout(left, answer.as_mut()).await {
            return Ok(answer);
        }
    }
}

pub(crate) fn no_answer(error: HttpError, method: &Method, url: &Url) -> Error {
    use HttpErrorKind as Kind;
    let kind = match error.kind() {
        Kind::NoSuchHost
        | Kind::Resolve
        | Kind::ConnectionRefused
        | Kind::Connect
        | Kind::Proxy
        | Kind::Unprocessed
        | Kind::Http1Required
        | Kind::NoAnswer => ErrorKind::Network,
        Kind::Throttled => ErrorKind::RateLimited,
        Kind::Tls => ErrorKind::Tls,
        Kind::PrivateAddress => ErrorKind::Refused,
        Kind::Interrupted => ErrorKind::Interrupted,
        Kind::Protocol => ErrorKind::Protocol,
        Kind::RequestBody => ErrorKind::Body,
        Kind::Unsupported => ErrorKind::Config,
    };
    let hint = match (error.kind(), Origin::of(url).is_some_and(|origin| origin.is_tls())) {
        (Kind::Tls, true) => Some(
            "if the registry speaks plain HTTP, say so; if its certificate is private, configure its CA",
        ),
        (Kind::Protocol, false) => {
            Some("if the registry speaks TLS, say so; something else may listen on this port")
        }
        (Kind::PrivateAddress, _) => Some(
            "a public registry should not send anyone there; if it is meant to, allow that host",
        ),
        _ => None,
    };
    let hint = error.hint().or(hint);
    let failure = Error::new(kind, error.to_string())
        .with_request(method, url)
        .with_class(class_of_transport(error.kind()))
        .with_cause(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// A strict registry sends what is written there to another origin.
fn kept_at_home(method: &Method, asked: &Url, home: &Origin, url: &Url) -> Error {
    let to = RedactedUrl::from(url);
    let what = format!("{home} sends this on to {to}, and what is written there has to stay there");
    Error::new(ErrorKind::Refused, what).with_request(method, asked).with_hint(
        "`strict-uploads` is set for this registry; take it back to let others have its uploads",
    )
}

fn refused(method: &Method, asked: &Url, url: &Url, refusal: Refusal) -> Error {
    let to = RedactedUrl::from(url);
    Error::new(ErrorKind::Refused, format!("{to} is not asked: {refusal}"))
        .with_request(method, asked)
}
