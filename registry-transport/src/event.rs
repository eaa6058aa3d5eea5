//! What a caller may want to see while a request runs, and how much of it there was.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Error;
use crate::notice::Warning;
use crate::redact::RedactedUrl;

/// Something that happened on the way to an answer. Nothing in it is secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A failed request will be sent again.
    Retry {
        /// The host that failed.
        host: &'a str,
        /// How it failed.
        reason: &'a Error,
        /// How long is waited first.
        wait: Duration,
        /// How many more times it may be sent.
        left: u32,
    },
    /// An interrupted body will be resumed, or what became of a request found out whose answer was lost.
    Resume {
        /// How it broke off.
        reason: &'a Error,
        /// How long is waited first.
        wait: Duration,
    },
    /// A host asked for patience: this request waits with the others.
    Waiting {
        /// The host that asked.
        host: &'a str,
        /// How long is waited.
        wait: Duration,
    },
    /// A mirror did not answer as it should: the next place is asked.
    MirrorFailed {
        /// Which one, and how it failed.
        reason: &'a Error,
    },
    /// A token was fetched.
    TokenFetched {
        /// The token endpoint.
        realm: &'a RedactedUrl,
        /// What the token is for.
        scopes: &'a str,
    },
    /// A registry warns, for the first time in these words.
    Warning(&'a Warning),
    /// A redirect is followed.
    Redirected {
        /// From here
        from: &'a RedactedUrl,
        /// to here.
        to: &'a RedactedUrl,
        /// To another origin, so without secrets.
        cross_origin: bool,
    },
}

/// Receives events.
pub(crate) type Listener = dyn Fn(&Event<'_>) + Send + Sync;

/// How much a transport did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests on the wire: resends, redirects and token requests included.
    pub requests: u64,
    /// Requests that were sent again after a failure.
    pub retries: u64,
    /// Token requests.
    pub token_requests: u64,
    /// Redirects that were followed.
    pub redirects: u64,
    /// Connections that were opened; a caller's own service does not tell.
    pub connections: u64,
    /// Bytes of request bodies announced for sending.
    pub bytes_sent: u64,
    /// Bytes of response bodies received.
    pub bytes_received: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) token_requests: AtomicU64,
    pub(crate) redirects: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            requests: read(&self.requests),
            retries: read(&self.retries),
            token_requests: read(&self.token_requests),
            redirects: read(&self.redirects),
            connections: read(&self.connections),
            bytes_sent: read(&self.bytes_sent),
            bytes_received: read(&self.bytes_received),
        }
    }
}

/// A listener that can be part of something that is `Debug`.
#[derive(Clone)]
pub(crate) struct Listeners(pub(crate) Option<std::sync::Arc<Listener>>);

impl Listeners {
    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listeners(1)" } else { "Listeners(0)" })
    }
}
