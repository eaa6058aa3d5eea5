//! What the verbs share: the options of the run, its streams, and the way to registries.

use std::{
    borrow::Cow,
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use registry_authn::{Credential, Environment, Fixed, Logins, default_keychain_in};
use registry_name::{Reference, Registry};
use registry_remote::{Client, Platform};
use registry_transport::{
    Builder, Event, RetryPolicy, TokenCache, Transport,
    files::{HostFiles, Places, Setting},
};
use serde::Serialize;

use crate::{
    args::{Format, Global},
    console::{Console, printable},
    failure::Failure,
    input::Input,
    progress::Audience,
    realms::Realms,
};

/// Waits that are not worth a line.
const SHORT: Duration = Duration::from_secs(1);

/// One run of the command.
pub(crate) struct Session {
    pub(crate) console: Console,
    pub(crate) global: Global,
    surroundings: Surroundings,
    files: OnceLock<HostFiles>,
    client: OnceLock<Client>,
}

/// What a run finds around it.
pub(crate) struct Surroundings {
    pub(crate) environment: Environment,
    /// What the system's configuration files are below.
    pub(crate) root: Option<PathBuf>,
    /// Whether standard error can replace a line.
    pub(crate) terminal: bool,
    pub(crate) input: Input,
}

impl Session {
    pub(crate) fn new(console: Console, global: Global, surroundings: Surroundings) -> Self {
        Self { console, global, surroundings, files: OnceLock::new(), client: OnceLock::new() }
    }

    /// What flags and configuration files say about registries. Files that are broken are a failure of what they concern.
    pub(crate) fn files(&self) -> Result<&HostFiles, Failure> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let mut files = HostFiles::read(self.places());
        for registry in &self.global.plain_http {
            files = files.flag(registry.clone(), Setting::PlainHttp(true), "--plain-http");
        }
        for registry in &self.global.tls {
            if self.global.plain_http.contains(registry) {
                let what = format!("--tls and --plain-http both name {registry}");
                return Err(Failure::usage(what, "give one of the two"));
            }
            files = files.flag(registry.clone(), Setting::PlainHttp(false), "--tls");
        }
        Ok(self.files.get_or_init(|| files))
    }

    fn places(&self) -> Places {
        if self.global.files.no_hosts_files {
            return Places::none();
        }
        let Surroundings { environment, root, .. } = &self.surroundings;
        let places = match root {
            Some(root) => Places::of(environment, root),
            None => Places::user(environment),
        };
        match &self.global.files.hosts_file {
            Some(path) => places.own_file(path),
            None => places,
        }
    }

    /// The image to read that a word names; with `--aliases`, what it is short for.
    pub(crate) fn image(&self, word: &str) -> Result<Reference, Failure> {
        Ok(self.long(word)?.parse()?)
    }

    /// A word without its short name, where `--aliases` asks for that.
    pub(crate) fn long<'a>(&self, word: &'a str) -> Result<Cow<'a, str>, Failure> {
        if !self.global.files.aliases {
            return Ok(word.into());
        }
        let long = self.files()?.resolve(word).map_err(Failure::HostsFile)?;
        Ok(long.map_or(word.into(), Cow::from))
    }

    /// The way to registries, with the credentials of the environment. There is one, so that both
    /// ends of a copy share what it learns.
    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .transport(self.transport()?)
            .jobs(self.global.jobs)
            .verify_pushes(self.global.verify_push)
            .build()
            .map_err(Failure::from)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Deletes at registries what a command that was interrupted has begun there.
    pub(crate) async fn clean_up(&self) {
        if let Some(client) = self.client.get() {
            client.abandon_uploads().await;
        }
    }

    fn transport(&self) -> Result<Transport, Failure> {
        let keychain = default_keychain_in(&self.surroundings.environment);
        let mut transport = self.builder()?.keychain(Arc::new(keychain));
        if let Some(cache) = self.token_cache().filter(|_| !self.global.login.no_token_cache) {
            transport = transport.token_cache(cache);
        }
        transport.build().map_err(Failure::Setup)
    }

    /// A transport that knows this credential and keeps nothing.
    pub(crate) fn transport_as(
        &self,
        registry: &Registry,
        credential: &Credential,
    ) -> Result<Transport, Failure> {
        let keychain = Fixed::for_registry(registry.clone(), credential.clone());
        let transport = self.builder()?.keychain(Arc::new(keychain));
        transport.build().map_err(Failure::Setup)
    }

    fn builder(&self) -> Result<Builder, Failure> {
        let hosts = self.files()?.clone().hosts().map_err(Failure::HostsFile)?;
        let mut hosts = Realms::of(self.environment()).add_to(hosts)?;
        for (registry, realm) in &self.global.login.trust_realm {
            hosts = hosts.trust_realm(registry.clone(), realm);
        }
        if self.global.login.strict_realms {
            hosts = hosts.strict_realms();
        }
        let mut transport = Transport::builder()
            .hosts(hosts)
            .policy(self.policy())
            .user_agent(concat!("registry/", env!("CARGO_PKG_VERSION")));
        if !self.global.quiet {
            let console = self.console.clone();
            transport = transport.events(Arc::new(move |event| tell(&console, event)));
        }
        Ok(transport)
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.surroundings.environment
    }

    pub(crate) fn input(&self) -> &Input {
        &self.surroundings.input
    }

    /// Where passwords are written to.
    pub(crate) fn logins(&self) -> Result<Logins, Failure> {
        let what = "there is no home directory to keep a login in";
        Logins::docker(self.environment())
            .ok_or_else(|| Failure::usage(what, "name a directory in DOCKER_CONFIG"))
    }

    /// Tokens of other runs; none in an environment without a home.
    pub(crate) fn token_cache(&self) -> Option<TokenCache> {
        let directory = self.environment().cache_dir()?;
        Some(TokenCache::at(directory.join("registry/tokens.json")))
    }

    /// The token endpoints of a registry that the command line allows.
    pub(crate) fn trusted_realms(&self, registry: &Registry) -> Vec<String> {
        let all = self.global.login.trust_realm.iter();
        all.filter(|(of, _)| of == registry).map(|(_, realm)| realm.clone()).collect()
    }

    /// Asks whoever sits at the terminal.
    pub(crate) async fn ask(&self, question: &str) -> Result<String, Failure> {
        self.prompt(question)?;
        self.input().line().await
    }

    /// The same, for what nobody should see.
    pub(crate) async fn ask_hidden(&self, question: &str) -> Result<String, Failure> {
        self.prompt(question)?;
        self.input().hidden_line().await
    }

    fn prompt(&self, question: &str) -> Result<(), Failure> {
        if !self.input().is_terminal() {
            let what = "there is no terminal to ask for the password";
            return Err(Failure::usage(what, "give it with -u USER and --password-stdin"));
        }
        self.console.status(question);
        Ok(())
    }

    fn policy(&self) -> RetryPolicy {
        let mut policy = RetryPolicy::default();
        if let Some(seconds) = self.global.max_wait {
            policy.max_wait = Duration::from_secs(seconds.into());
            policy.total = policy.total.max(policy.max_wait * 2);
        }
        policy
    }

    /// Who looks at the progress of a copy. Log lines and a line that is replaced do not mix.
    pub(crate) fn audience(&self) -> Audience {
        match (self.global.quiet, self.surroundings.terminal && !self.global.verbose) {
            (true, _) => Audience::Nobody,
            (false, true) => Audience::Terminal,
            (false, false) => Audience::Log,
        }
    }

    /// The platform to take of an index, for what is about one manifest.
    pub(crate) fn one_platform(&self) -> Result<Option<&Platform>, Failure> {
        match self.global.platform.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(Failure::usage(
                "this command is about one manifest, and --platform names several",
                "give --platform once",
            )),
        }
    }

    /// Refuses `--platform` where it would be ignored.
    pub(crate) fn no_platform(&self) -> Result<(), Failure> {
        if self.global.platform.is_empty() {
            return Ok(());
        }
        Err(Failure::usage("--platform means nothing to this command", "leave --platform out"))
    }

    /// Writes a result: its `Display` as a line, or a JSON document as a line.
    pub(crate) fn answer<T: fmt::Display + Serialize>(&self, answer: &T) -> Result<(), Failure> {
        match self.global.output {
            Format::Text => self.data(format!("{answer}\n").as_bytes()),
            Format::Json => self.document(answer),
        }
    }

    /// Writes a JSON document as a line.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(document)
            .map_err(|error| Failure::other(format!("cannot write the result as JSON: {error}")))?;
        line.push(b'\n');
        self.data(&line)
    }

    /// Writes bytes to standard output as they are.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.console.data(bytes).map_err(Failure::Output)
    }

    /// Says that a list held what cannot be asked for. The names themselves are a stranger's.
    pub(crate) fn note_invalid(&self, count: usize, what: &str) {
        if count > 0 {
            self.note(&format!("left out: {count} that cannot be the name of a {what}"));
        }
    }

    /// With `--stats`, how much it took to get here: as a line, or a JSON document on a line.
    pub(crate) fn say_stats(&self) {
        if !self.global.stats {
            return;
        }
        let counters = self.client.get().map(|client| client.transport().counters());
        let counters = counters.unwrap_or_default();
        let counts = [
            ("requests", counters.requests),
            ("retries", counters.retries),
            ("token_requests", counters.token_requests),
            ("redirects", counters.redirects),
            ("connections", counters.connections),
            ("bytes_sent", counters.bytes_sent),
            ("bytes_received", counters.bytes_received),
        ];
        let line = match self.global.output {
            Format::Text => {
                let count = |(name, n): &(&str, u64)| format!("{n} {}", name.replace('_', " "));
                format!("stats: {}", counts.iter().map(count).collect::<Vec<_>>().join(", "))
            }
            Format::Json => {
                let counts: serde_json::Map<_, _> =
                    counts.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect();
                serde_json::json!({ "stats": counts }).to_string()
            }
        };
        self.console.say(&line);
    }

    /// Says something that is no result, unless `--quiet`.
    pub(crate) fn note(&self, line: &str) {
        if !self.global.quiet {
            self.console.say(&printable(line));
        }
    }
}

/// Says why nothing seems to happen.
fn tell(console: &Console, event: &Event<'_>) {
    let line = match event {
        Event::Retry { reason, wait, .. } => {
            format!("{reason}; trying again in {:.1} s", wait.as_secs_f64())
        }
        Event::Resume { reason, wait } => {
            format!("{reason}; going on in {:.1} s", wait.as_secs_f64())
        }
        Event::Warning(warning) => format!("warning from {}: {}", warning.host, warning.text),
        Event::Waiting { host, wait } if *wait >= SHORT => {
            format!("{host} asks for patience: going on in {:.0} s", wait.as_secs_f64())
        }
        _ => return,
    };
    console.say(&printable(&line));
}
