//! The transport: one visible flow from a request to an answer.
//!
//! ```text
//! send: walk ─► retry ─► authorize ─► follow ─► HttpService
//! ```

mod builder;
mod insecure;
mod ping;
mod steps;
mod walk;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use registry_authn::Keychain;
use registry_name::Registry;
use tracing::Instrument as _;
use url::{Host, Url};

pub use self::builder::Builder;
pub use self::ping::Ping;
use self::walk::Distrusted;
pub use self::walk::Origin as MirrorOrigin;
use crate::authorize::{Memory, attempt, authorize};
use crate::budget::Budget;
use crate::cancellation::Cancellation;
use crate::caps::Caps;
use crate::clock::Clock;
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorKind, History};
use crate::event::{Counters, Event, Listeners, Tally};
use crate::gate::{Gate, Gates};
use crate::hosts::{Hosts, Servers};
use crate::notice::{Warning, Warnings};
use crate::origin::{Home, Origin};
use crate::redact::RedactedUrl;
use crate::request::{Request, is_expected};
use crate::response::Response;
use crate::retry::{Class, Next, RetryPolicy, backoff, jitter, next, patience};
use crate::route::{Candidate, at, home, routes};
use crate::scheme::{Schemes, Session};
use crate::service::{HttpService, has_private_address};
use crate::token::Shelf;

/// Sends requests to registries. Cheap to clone; all clones share connections, tokens and cool-downs.
#[derive(Clone)]
pub struct Transport {
    inner: Arc<Inner>,
    cancellation: Cancellation,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) service: Arc<dyn HttpService>,
    pub(crate) keychain: Arc<dyn Keychain>,
    pub(crate) hosts: Hosts,
    pub(crate) policy: RetryPolicy,
    pub(crate) deadlines: Deadlines,
    pub(crate) caps: Caps,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) listeners: Listeners,
    pub(crate) tally: Arc<Tally>,
    pub(crate) servers: Arc<Servers>,
    pub(crate) memory: Memory,
    pub(crate) schemes: Schemes,
    pub(crate) warnings: Arc<Warnings>,
    /// The service is a caller's own and complete: nothing is added to it.
    pub(crate) finished: bool,
    pub(crate) shelf: Option<Arc<dyn Shelf>>,
    gates: Arc<Gates>,
    distrusted: Distrusted,
    spoken: insecure::Spoken,
    /// Which host names have turned out to be on a private network.
    localities: Arc<Mutex<HashMap<String, bool>>>,
}

impl Transport {
    /// A transport with everything at its default: anonymous, HTTPS except on this machine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Sends a request: authenticates when asked to, follows redirects, and sends again what failed in passing.
    ///
    /// A status that the request expects is an answer, its body unread. Everything else is an [`Error`].
    ///
    /// Manifests and blobs are read from the registry's mirrors first, if [`Hosts`] name any.
    pub async fn send(&self, mut request: Request) -> Result<Response, Error> {
        // Mirrors and the registry spend from one account.
        request.budget.get_or_insert_default();
        let candidates = self.inner.routes(&request)?;
        let url = candidates.last().map(|candidate| candidate.url.clone());
        let shown = url.as_ref().map(RedactedUrl::from).map(tracing::field::display);
        let span = tracing::debug_span!("request", method = %request.method, url = shown);
        // Boxed: it is large, and every future that awaits it would be as large.
        let answer = Box::pin(self.inner.walk(&request.registry, candidates).instrument(span));
        match (self.cancellation.run_until_cancelled(answer).await, url) {
            (Some(answer), _) => answer.map(|response| response.until(&self.cancellation)),
            (None, Some(url)) => Err(Error::cancelled(&request.method, &url)),
            (None, None) => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
        }
    }

    /// The same transport, whose requests, waits and bodies end when `cancellation` is cancelled: with an error of kind
    /// [`Cancelled`](ErrorKind::Cancelled). It takes the place of the one that was watched before, so that a last request,
    /// such as giving up an upload, can be sent after a cancellation.
    #[must_use]
    pub fn with_cancellation(&self, cancellation: &Cancellation) -> Self {
        Self { inner: Arc::clone(&self.inner), cancellation: cancellation.clone() }
    }

    /// After a body or a whole request broke off with `error`, having yielded `progress` bytes since the last time: waits and returns `Ok`
    /// when the operation may go on from there, and gives the error back when it has been interrupted too often
    /// (five times in a row with less than 64 KiB of progress, or twice because it came too slowly), or when the server
    /// asks for a longer wait than allowed.
    pub async fn resume_after(
        &self,
        error: Error,
        progress: u64,
        budget: &Budget,
    ) -> Result<(), Error> {
        /// After this much progress the connection was good enough to try the next one at once.
        const GOOD: u64 = 1 << 20;
        let inner = &*self.inner;
        if !error.is_retryable() || inner.finished {
            return Err(error);
        }
        let allowed = match error.kind() {
            ErrorKind::TooSlow => budget.too_slow(progress),
            _ => budget.interrupted(progress),
        };
        let Some(in_a_row) = allowed else { return Err(error) };
        let policy = &inner.policy;
        let wait = match (error.retry_after(), progress) {
            (Some(asked), _) if asked > policy.max_wait => return Err(inner.later(error, asked)),
            (Some(asked), _) => patience(asked, jitter()),
            (None, GOOD..) => Duration::ZERO,
            (None, _) => backoff(policy.base, policy.cap, in_a_row.saturating_sub(1), jitter()),
        };
        inner.listeners.tell(&Event::Resume { reason: &error, wait });
        tracing::debug!(%error, ?wait, "resume");
        if !wait.is_zero() {
            let slept = self.cancellation.run_until_cancelled(inner.clock.sleep(wait)).await;
            return slept.ok_or_else(|| error.into_cancelled());
        }
        Ok(())
    }

    /// The URL of `path` (`"/v2/…"`, with a query if needed) at a registry.
    pub fn url(&self, registry: &Registry, path: &str) -> Result<Url, Error> {
        at(&self.inner.hosts.endpoint(registry)?, path)
    }

    /// How registries are reached.
    pub fn hosts(&self) -> &Hosts {
        &self.inner.hosts
    }

    /// How much of a small body is read.
    pub fn caps(&self) -> &Caps {
        &self.inner.caps
    }

    /// The warnings of all registries so far, each once. They are told to [`events`](Builder::events) as they come.
    pub fn warnings(&self) -> Vec<Warning> {
        self.inner.warnings.all()
    }

    /// What was done so far, by all clones together.
    pub fn counters(&self) -> Counters {
        self.inner.tally.snapshot()
    }
}

impl Inner {
    /// Through a finished service of the caller's, as it is.
    async fn send_once(
        self: &Arc<Self>,
        request: &Request,
        url: Url,
        home: Home,
    ) -> Result<Response, Error> {
        let mut session = Session::new(self, request, url, home);
        session.undress();
        let response = attempt(&session).await?;
        if is_expected(&request.expect, response.status()) {
            return Ok(response);
        }
        Err(response.into_error(self.clock.time_of_day()).await)
    }

    /// The one loop: an attempt, a decision, a wait.
    async fn send(
        self: &Arc<Self>,
        request: &Request,
        url: Url,
        home: Home,
        attempts: u32,
    ) -> Result<Response, Error> {
        if self.finished {
            return self.send_once(request, url, home).await;
        }
        let budget = request.budget.clone().unwrap_or_default();
        let policy = self.policy.with_at_most(budget.retries().saturating_add(attempts));
        let gate = self.gates.of(&home.origin);
        let host = home.origin.host().to_owned();
        let started = self.clock.now();
        let mut session = Session::new(self, request, url.clone(), home);
        let mut history = History::default();
        loop {
            let announce = |wait| self.listeners.tell(&Event::Waiting { host: &host, wait });
            let stream = request.body.is_stream();
            let turn = gate.pass(stream, &*self.clock, self.policy.max_wait, announce).await;
            let turn = turn.map_err(|wait| {
                let what = format!("{host} asked to wait for {} s more", wait.as_secs());
                let error = Error::new(ErrorKind::RateLimited, what);
                self.later(
                    error.with_request(&request.method, &url).with_class(Class::Throttled),
                    wait,
                )
            })?;
            history.attempts += 1;
            let error = match authorize(&mut session).await {
                Ok(response) if is_expected(&request.expect, response.status()) => {
                    gate.answered(turn);
                    return Ok(response);
                }
                Ok(response) => response.into_error(self.clock.time_of_day()).await,
                Err(error) => error,
            };
            let class = self.policy.class_of(&error);
            let error = error.with_class(class);
            session.wants_fresh_connection(&error);
            if error.class() == Class::Permanent {
                gate.answered(turn);
            }
            let now = self.clock.now();
            let decision = next(
                &policy,
                error.class(),
                error.replay().unwrap_or(request.replay),
                error.retry_after(),
                &budget.spent_at(now),
                jitter(),
            );
            let stop = async |error: Error| {
                let error = self.with_reason(&session, error).await;
                let elapsed = now.saturating_duration_since(started);
                error.with_history(History { elapsed, ..history.clone() })
            };
            let wait = match decision {
                Next::Stop => return Err(stop(error).await),
                Next::Later(wait) => return Err(self.later(stop(error).await, wait)),
                Next::Free => Duration::ZERO,
                Next::After(_) if !gate.pay(error.class()) => return Err(stop(error).await),
                Next::After(wait) => wait,
            };
            self.announce_retry(&error, &host, wait, &budget, decision);
            self.wait(&gate, &session, &error, now, wait).await;
            history.doubtful |= error.is_doubtful();
            history.first.get_or_insert(error);
        }
    }

    /// The answer to a HEAD has no body to say why it was denied: a GET, once, has.
    async fn with_reason(&self, session: &Session<'_>, error: Error) -> Error {
        if !wants_reason(error.method(), error.status()) {
            return error;
        }
        let get = Request { method: Method::GET, ..session.request.clone() };
        let mut session = session.on_behalf_of(&get);
        match authorize(&mut session).await {
            Ok(response) if Some(response.status()) == error.status() => {
                response.into_error(self.clock.time_of_day()).await
            }
            _ => error,
        }
    }

    /// Waits before the next attempt. When the host itself asked for it, its gate is closed, and everyone waits there.
    async fn wait(
        &self,
        gate: &Gate,
        session: &Session<'_>,
        error: &Error,
        now: Instant,
        wait: Duration,
    ) {
        if error.class().is_throttled() && session.is_home(error) {
            gate.close(now + wait);
        } else if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    fn announce_retry(
        &self,
        error: &Error,
        host: &str,
        wait: Duration,
        budget: &Budget,
        next: Next,
    ) {
        budget.charge(error.class(), next);
        Tally::add(&self.tally.retries, 1);
        let spent = budget.spent_at(self.clock.now());
        let left = self.policy.attempts.saturating_sub(1 + spent.retries);
        self.listeners.tell(&Event::Retry { host, reason: error, wait, left });
        tracing::warn!(%error, ?wait, left, "retry");
    }

    fn later(&self, error: Error, wait: Duration) -> Error {
        let seconds = wait.as_secs();
        error
            .with_kind(ErrorKind::RateLimited)
            .with_retry_at(self.clock.time_of_day() + wait)
            .with_hint(format!(
                "the server asks to wait {seconds} s; try again then, or allow a longer wait"
            ))
    }

    /// Everywhere that a request may be answered, but for mirrors that gave wrong content.
    fn routes(&self, request: &Request) -> Result<Vec<Candidate>, Error> {
        if let Some(what) = &request.invalid {
            return Err(Error::new(ErrorKind::Config, what.clone()));
        }
        let trusted =
            |mirror: &Url| !self.finished && !self.distrusted.contains(&request.registry, mirror);
        routes(&self.hosts, request, trusted)
    }

    fn home(&self, registry: &Registry) -> Result<Home, Error> {
        home(&self.hosts.endpoint(registry)?)
    }

    /// The home as it counts for `url`: whether it may lead to a private network was found out, or said by the user.
    pub(crate) async fn home_for(&self, home: &mut Home, url: &Url) -> Home {
        self.settle(home, url).await;
        let listed = url.host_str().is_some_and(|host| self.hosts.allows_private(host));
        Home { local: home.local || listed, ..home.clone() }
    }

    async fn settle(&self, home: &mut Home, url: &Url) {
        if home.local || Origin::of(url).as_ref() == Some(&home.origin) {
            return;
        }
        let Ok(Host::Domain(name)) = Host::parse(home.origin.host()) else { return };
        let known = |name: &str| {
            let all = self.localities.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(name).copied()
        };
        if let Some(local) = known(&name) {
            home.local = local;
            return;
        }
        home.local = has_private_address(&name).await;
        let mut all = self.localities.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(name, home.local);
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A keychain may print who logs in.
        f.debug_struct("Transport").field("hosts", &self.inner.hosts).finish_non_exhaustive()
    }
}

/// Whether a GET may tell why this failed.
pub(crate) fn wants_reason(method: Option<&Method>, status: Option<StatusCode>) -> bool {
    method == Some(&Method::HEAD) && status == Some(StatusCode::FORBIDDEN)
}
