//! Hostile scenarios as data: who misbehaves how, what the client is asked to do, and what must be true afterwards.
//!
//! A scenario is written once, in [`catalogue`](crate::catalogue), and played against anything that implements [`Client`]: a library in
//! process, or a program through an adapter.

mod entry;
mod verdict;

use std::future::Future;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use entry::{Certificate, Entry, PROXY_PASSWORD, Settings, Shown};
pub use verdict::Verdict;

use crate::content::Image;
use crate::layout::Layout;
use crate::origin::{Script, Stage};
use crate::registry::TOKEN;

/// The user that scenarios log in as.
pub const USER: &str = "canary-user";
/// Their password: a canary that no other origin and no output may ever hold.
pub const PASSWORD: &str = "canary-password";
/// Where scenarios keep their image.
pub const REPOSITORY: &str = "real/app";
/// The tag of that image.
pub const TAG: &str = "v1";

/// Something that can be asked to do a registry client's work.
pub trait Client {
    /// Why it cannot be given a scenario's task at all, if it cannot.
    fn lacks(&self, _scenario: &Scenario) -> Option<String> {
        None
    }

    /// Does it. The future may be dropped at any time, when the scenario's deadline passes.
    fn run(&self, task: &Task) -> impl Future<Output = Outcome> + Send;
}

/// What a client is asked to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// The work.
    pub action: Action,
    /// `127.0.0.1:PORT`.
    pub registry: String,
    /// What to know about that server; nothing where it is reached in the clear.
    pub settings: Option<Settings>,
    /// `real/app`.
    pub repository: String,
    /// A tag or a digest.
    pub reference: String,
    /// User name and password for this registry, and for no other.
    pub login: Option<(String, String)>,
    /// An OCI layout: for a push the source, which holds the image as `reference`; for a pull the destination, which does not exist yet
    /// unless the scenario prepared it.
    pub layout: PathBuf,
    /// An empty directory of the client's own, for configuration files.
    pub scratch: PathBuf,
}

impl Task {
    /// `127.0.0.1:PORT/real/app:v1`, or `…@sha256:…`.
    pub fn image(&self) -> String {
        let Self { registry, repository, reference, .. } = self;
        let mark = if reference.contains(':') { '@' } else { ':' };
        format!("{registry}/{repository}{mark}{reference}")
    }
}

/// The work that a [`Task`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Fetch the image into [`Task::layout`].
    Pull,
    /// Send the image in [`Task::layout`].
    Push,
    /// Say which tags [`Task::repository`] has.
    ListTags,
    /// Say which digest [`Task::image`] has.
    Digest,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What came of it.
    pub result: Result<Done, Failure>,
    /// Everything that was shown or logged on the way.
    pub said: String,
}

/// What a successful task returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A pull or push is complete.
    Moved,
    /// The answer to [`Action::Digest`].
    Digest(String),
    /// The answer to [`Action::ListTags`].
    Tags(Vec<String>),
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class, for clients that tell.
    pub class: Option<Class>,
    /// The message, with its causes.
    pub message: String,
}

/// Classes of failure that a client can be expected to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Content is not what its digest or size says.
    Integrity,
    /// The registry does not have it.
    NotFound,
    /// The registry does not allow it.
    Denied,
    /// The registry wants fewer requests.
    RateLimited,
    /// Connection, TLS or server trouble.
    Network,
    /// Anything else.
    Other,
}

/// One hostile scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Identifiers of the catalogue of faults, such as `D01`.
    pub ids: &'static [&'static str],
    /// A name that no other scenario has, such as `cut-body-fin`.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub title: &'static str,
    /// The client's work.
    pub action: Action,
    /// A tag or a digest.
    pub reference: String,
    /// Whether the client has a user name and password for the registry.
    pub login: bool,
    /// The way to the registry.
    pub entry: Entry,
    /// The image that is pushed, or that a successful pull must have fetched.
    pub image: Image,
    /// Files at [`Task::layout`] before the client comes, by their paths in there; those of the image that is pushed come first.
    pub prepared: Vec<(String, Bytes)>,
    /// The origins; the first, `A`, is the registry. `B` may never see a secret.
    pub origins: Vec<(&'static str, Script)>,
    /// How the task must end.
    pub expect: Expect,
    /// What the origins must have seen.
    pub bounds: Vec<Bound>,
    /// When the scenario is given up; generous, so that only a hanging client meets it.
    pub deadline: Duration,
}

/// How a task must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// With success: pulled bytes equal, pushed bytes at the registry, the right digest or tags.
    Success,
    /// With success, and with these tags.
    Tags(&'static [&'static str]),
    /// With success, but what was pushed is somewhere else than at `A`.
    Accepted,
    /// With a failure of one of these classes (any, if there is none), and nothing at the destination.
    Failure(&'static [Class]),
}

/// Something that an origin's log must show.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The origin.
    pub origin: &'static str,
    /// The method; `*` stands for any text.
    pub method: &'static str,
    /// The path; `*` stands for any text.
    pub path: String,
    /// What is limited.
    pub limit: Limit,
}

/// What a [`Bound`] limits.
#[derive(Clone, Debug)]
pub enum Limit {
    /// The number of requests.
    Requests(RangeInclusive<usize>),
    /// The sum of all body bytes handed to the socket.
    SentAtMost(u64),
    /// The time between the first two requests.
    PauseAtLeast(Duration),
}

impl Scenario {
    /// A scenario in which the client pulls [`Image::small`] from an origin of this behaviour, and succeeds.
    pub fn new(ids: &'static [&'static str], name: &'static str, title: &'static str) -> Self {
        Self {
            ids,
            name,
            title,
            action: Action::Pull,
            reference: TAG.to_owned(),
            login: false,
            entry: Entry::Plain,
            image: Image::small(),
            prepared: Vec::new(),
            origins: Vec::new(),
            expect: Expect::Success,
            bounds: Vec::new(),
            deadline: Duration::from_secs(60),
        }
    }

    /// Plays it once.
    pub async fn play(&self, client: &impl Client) -> std::io::Result<Verdict> {
        let stage = Stage::start(self.origins.clone())?;
        let directory = tempfile::tempdir()?;
        let scratch = directory.path().join("scratch");
        std::fs::create_dir(&scratch)?;
        let layout = directory.path().join("layout");
        if self.action == Action::Push {
            Layout::create(&layout)?.put_image(&self.image, &self.reference)?;
        }
        for (path, content) in &self.prepared {
            let path = layout.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&layout))?;
            std::fs::write(path, content)?;
        }
        let entry = self.entry.open(stage.host())?;
        let task = Task {
            action: self.action,
            registry: entry.registry.clone(),
            settings: entry.settings.clone(),
            repository: REPOSITORY.to_owned(),
            reference: self.reference.clone(),
            login: self.login.then(|| (USER.to_owned(), PASSWORD.to_owned())),
            layout,
            scratch,
        };
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.deadline, client.run(&task)).await.ok();
        let elapsed = started.elapsed();
        let mut verdict = Verdict::judge(self, &task, &stage, outcome, elapsed);
        if entry.is_passed_by() {
            verdict.faults.push("the proxy was passed by".to_owned());
        }
        Ok(verdict)
    }
}

/// Every canary: none of them may reach `B`.
pub const CANARIES: [&str; 3] = [USER, PASSWORD, TOKEN];
