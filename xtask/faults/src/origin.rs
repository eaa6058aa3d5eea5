//! Scripted HTTP origins on loopback.
//!
//! A [`Stage`] starts any number of origins, each on its own port, on a thread of its own: a test needs no runtime, and one that
//! has a runtime may block it. Dropping the stage closes every socket. Nothing here depends on the crates under test.

mod connection;
mod log;
mod placeholders;
mod reply;
mod request;
mod script;
#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub(crate) use log::holds;
pub use log::{Leak, Log, Seen};
pub use reply::{Answer, End, Length, Reply};
pub use request::Request;
pub(crate) use request::pairs;
pub use script::{Rule, Script, on};

use crate::background::Background;
use crate::registry::Registry;
use placeholders::Placeholders;

/// After this many requests an origin resets every connection: no test can run for ever.
const REQUEST_LIMIT: usize = 20_000;
/// A request that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Running origins, named `A`, `B`, … in their scripts.
#[derive(Debug)]
pub struct Stage {
    origins: Vec<(String, Origin)>,
    _running: Background,
}

impl Stage {
    /// One origin, named `A`.
    pub fn single(script: Script) -> io::Result<Self> {
        Self::start([("A", script)])
    }

    /// Several origins; every script may name every other one.
    pub fn start<'a>(scripts: impl IntoIterator<Item = (&'a str, Script)>) -> io::Result<Self> {
        let mut bound = Vec::new();
        for (name, script) in scripts {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            listener.set_nonblocking(true)?;
            let host = listener.local_addr()?.to_string();
            bound.push((name.to_owned(), host, listener, script));
        }
        let hosts: Vec<_> =
            bound.iter().map(|(name, host, ..)| (name.clone(), host.clone())).collect();
        let mut origins = Vec::new();
        let mut listeners = Vec::new();
        for (name, host, listener, script) in bound {
            let state = State { script, log: Log::default(), hosts: hosts.clone() };
            let state = Arc::new(Mutex::new(state));
            let origin = Origin { host, state, noted: Arc::default() };
            listeners.push((listener, origin.clone()));
            origins.push((name, origin));
        }

        let running = Background::start("origins", async {
            for (listener, origin) in listeners {
                tokio::spawn(connection::accept(listener, origin));
            }
            std::future::pending::<()>().await;
        })?;
        Ok(Self { origins, _running: running })
    }

    /// The origin of this name.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.iter().find(|(other, _)| other == name).map(|(_, origin)| origin)
    }

    /// Every origin with its name, in the order in which they were given.
    pub fn origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().map(|(name, origin)| (name.as_str(), origin))
    }

    /// `127.0.0.1:PORT` of the first origin: the registry under test.
    pub fn host(&self) -> &str {
        self.origins.first().map_or("", |(_, origin)| origin.host())
    }

    /// What the first origin saw so far.
    pub fn log(&self) -> Log {
        self.origins.first().map(|(_, origin)| origin.log()).unwrap_or_default()
    }

    /// Waits until the first origin has seen `count` requests of a method and path. Where they do not come, the error names those
    /// that it saw.
    pub async fn until(&self, method: &str, path: &str, count: usize) -> io::Result<()> {
        let Some((_, origin)) = self.origins.first() else { return Ok(()) };
        let seen = async {
            loop {
                let next = origin.noted.notified();
                if origin.log().count(method, path) >= count {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.map_err(|_| {
            let seen = origin.log().seen;
            let seen = seen
                .iter()
                .map(|seen| format!("\n  {} {}", seen.request.method, seen.request.target));
            let seen = seen.collect::<String>();
            io::Error::other(format!(
                "{count} of {method} {path} were waited for; there came:{seen}"
            ))
        })
    }
}

/// One origin of a [`Stage`].
#[derive(Clone, Debug)]
pub struct Origin {
    host: String,
    state: Arc<Mutex<State>>,
    /// Told of every request.
    noted: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    script: Script,
    log: Log,
    hosts: Vec<(String, String)>,
}

impl Origin {
    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// A copy of what this origin saw so far.
    pub fn log(&self) -> Log {
        self.lock().log.clone()
    }

    /// A copy of what its registry holds now.
    pub fn registry(&self) -> Registry {
        self.lock().script.registry.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on a reply when the request's head has arrived; `None` once the origin has seen enough.
    fn choose(&self, request: &Request) -> Option<(Reply, Placeholders)> {
        let mut state = self.lock();
        if state.log.seen.len() >= REQUEST_LIMIT {
            return None;
        }
        let (reply, visit) = state.script.choose(request).unwrap_or_else(|| (Reply::registry(), 0));
        Some((reply, Placeholders { hosts: state.hosts.clone(), visit }))
    }

    /// The registry's answer, now that the body is here as well.
    fn honest(&self, request: &Request) -> Answer {
        self.lock().script.honest(request)
    }

    /// Notes a request before anything is written, so that a client that has its answer finds it in the log.
    fn note(&self, request: &Request, at: Instant, status: u16) -> usize {
        const KEPT: usize = 1024 * 1024;
        let mut request = request.clone();
        request.body.truncate(KEPT);
        let mut state = self.lock();
        state.log.seen.push(Seen { at, request, status, sent: 0 });
        self.noted.notify_waiters();
        state.log.seen.len() - 1
    }

    fn note_sent(&self, index: usize, bytes: u64) {
        if let Some(seen) = self.lock().log.seen.get_mut(index) {
            seen.sent += bytes;
        }
    }
}
