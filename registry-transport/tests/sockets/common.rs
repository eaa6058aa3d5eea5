//! What every test here needs: a stage of origins, a transport that looks at it, and a clock that never makes anyone wait.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use registry_authn::{Credential, Fixed, Resource, Scopes};
use registry_faults::origin::{Log, Script, Stage};
use registry_name::{Registry, Repository};
use registry_transport::{Builder, Clock, Deadlines, Event, Method, Request, Transport};

/// User and password: wherever these turn up, a secret has arrived.
pub(crate) const USER: &str = "canary-user";
pub(crate) const PASSWORD: &str = "canary-password";
/// Every secret that a test may send, and the start of every token that a stage issues.
pub(crate) const CANARIES: [&str; 4] = [USER, PASSWORD, "canary-token", "canary-header"];

/// Time that passes by itself, and at once when somebody waits.
#[derive(Debug, Default)]
pub(crate) struct TestClock(Mutex<(Duration, Vec<Duration>)>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.lock().unwrap().0 += by;
    }

    /// Every wait so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().1.clone()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::now() + self.0.lock().unwrap().0
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::now() + self.0.lock().unwrap().0
    }

    async fn sleep(&self, duration: Duration) {
        {
            let mut time = self.0.lock().unwrap();
            time.0 += duration;
            time.1.push(duration);
        }
        tokio::task::yield_now().await;
    }
}

/// A stage and a transport in front of it.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) transport: Transport,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) events: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// With nobody logged in.
    pub(crate) fn new<'a>(scripts: impl IntoIterator<Item = (&'a str, Script)>) -> Self {
        Self::with(scripts, Credential::Anonymous, |builder| builder)
    }

    /// With user and password for `A`.
    pub(crate) fn logged_in<'a>(scripts: impl IntoIterator<Item = (&'a str, Script)>) -> Self {
        Self::with(scripts, Credential::basic(USER, PASSWORD), |builder| builder)
    }

    pub(crate) fn with<'a>(
        scripts: impl IntoIterator<Item = (&'a str, Script)>,
        credential: Credential,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let stage = Stage::start(scripts).unwrap();
        let clock = Arc::new(TestClock::default());
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let listener = move |event: &Event<'_>| heard.lock().unwrap().push(format!("{event:?}"));
        let registry: Registry = stage.host().parse().unwrap();
        let builder = Transport::builder()
            .keychain(Arc::new(Fixed::for_registry(registry, credential)))
            .deadlines(Deadlines::default().divided_by(3))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .events(Arc::new(listener));
        let transport = change(builder).build().unwrap();
        Self { stage, transport, clock, events }
    }

    pub(crate) fn registry(&self) -> Registry {
        self.stage.host().parse().unwrap()
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::new(&self.registry(), "real/app").unwrap()
    }

    /// A GET that needs to pull from `real/app`.
    pub(crate) fn get(&self, path: &str) -> Request {
        Request::new(Method::GET, &self.registry(), path)
            .resource(Resource::Repository(self.repository()))
            .scopes(Scopes::pull(&self.repository()))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, &self.registry(), path)
    }

    pub(crate) fn log(&self, origin: &str) -> Log {
        self.stage.origin(origin).unwrap().log()
    }

    /// How many requests an origin has seen.
    pub(crate) fn count(&self, origin: &str) -> usize {
        self.log(origin).seen.len()
    }

    /// No secret has arrived at `B`, and none was told to a listener.
    pub(crate) fn assert_nothing_leaked(&self) {
        assert_eq!(self.log("B").leaks(&CANARIES), []);
        let told = self.events.lock().unwrap().join("\n");
        assert!(!CANARIES.iter().any(|canary| told.contains(canary)), "{told}");
    }
}

/// The error with its causes and its debug form: whatever of it may be printed.
pub(crate) fn printed(error: &registry_transport::Error) -> String {
    let mut lines = vec![format!("{error}\n{error:?}\n{error:#?}\n{:?}", error.hint())];
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        lines.push(format!("{next}\n{next:?}"));
        cause = next.source();
    }
    lines.join("\n")
}
