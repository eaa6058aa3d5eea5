//! Why a lookup has the answer that it has.

use std::fmt;

use super::file::{Config, Finding};
use super::{DockerConfig, places::Place};
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::helper::Helper;
use crate::resource::Resource;
use crate::variables::Variables;

/// Every place that was looked at for a resource, everything found there, and what won.
///
/// `Display` is a few lines for people. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What was looked up.
    pub resource: Resource,
    /// The places in their order.
    pub places: Vec<LookedAt>,
    /// What they have for the resource's keys, in the order in which it counts: the longest key first, then
    /// the places in their order. At most one is [`Outcome::Used`].
    pub candidates: Vec<Candidate>,
}

/// A place, and whether it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedAt {
    /// A file's path, or a variable's name after a `$`.
    pub place: String,
    /// What is there.
    pub state: State,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nothing.
    Absent,
    /// A config file.
    Read,
    /// Something that cannot be used, and why. Lookups that come to it fail.
    Broken(String),
}

/// Something that a place has for one of the resource's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The place.
    pub place: String,
    /// The key as it is written there, or as the helper is asked for it.
    pub key: String,
    /// The helper's program; `None` for an entry of `auths`.
    pub helper: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It won, with this kind of credential.
    Used(String),
    /// It has no credential.
    Empty,
    /// It is broken, and the lookup fails with this.
    Broken(String),
    /// One before it decided; a helper was not asked.
    Outranked,
}

/// Looks `resource` up as [`default_keychain_in`](crate::default_keychain_in) does, helpers included, and tells
/// how.
pub async fn explain_default(environment: &Environment, resource: &Resource) -> Explanation {
    let mut explanation = Explanation::of(resource);
    if let Some((username, _)) = Variables::names(&resource.registry()) {
        let place = format!("${username}");
        let state = match Variables::new(environment).find(&resource.registry()) {
            Ok(None) => State::Absent,
            Err(error) => State::Broken(chain(&error)),
            Ok(Some(credential)) => {
                explanation.candidates.push(Candidate {
                    place: place.clone(),
                    key: resource.registry().to_string(),
                    helper: None,
                    outcome: Outcome::Used(kind(&credential)),
                });
                State::Read
            }
        };
        explanation.places.push(LookedAt { place, state });
    }
    DockerConfig::new(environment).go_on(explanation).await
}

impl Explanation {
    fn of(resource: &Resource) -> Self {
        Self { resource: resource.clone(), places: Vec::new(), candidates: Vec::new() }
    }

    /// Whether something was used, or is broken.
    fn is_decided(&self) -> bool {
        let broken = self.places.iter().any(|at| matches!(at.state, State::Broken(_)));
        let decides = |outcome: &Outcome| matches!(outcome, Outcome::Used(_) | Outcome::Broken(_));
        broken || self.candidates.iter().any(|candidate| decides(&candidate.outcome))
    }
}

impl DockerConfig {
    /// Looks `resource` up as [`resolve`](crate::Keychain::resolve) does, helpers included, and tells how.
    pub async fn explain(&self, resource: &Resource) -> Explanation {
        self.go_on(Explanation::of(resource)).await
    }

    /// Adds what is here to what has been found before.
    async fn go_on(&self, mut explanation: Explanation) -> Explanation {
        let resource = explanation.resource.clone();
        let configs = self.inspect(&mut explanation.places).await;
        let mut decided = explanation.is_decided();
        for key in resource.keys() {
            for config in &configs {
                for finding in config.look_up(key) {
                    let candidate = self.consider(config, finding, decided).await;
                    decided |= matches!(candidate.outcome, Outcome::Used(_) | Outcome::Broken(_));
                    explanation.candidates.push(candidate);
                }
            }
        }
        explanation
    }

    /// Reads all places; one that is broken hides no other here.
    async fn inspect(&self, looked_at: &mut Vec<LookedAt>) -> Vec<Config> {
        let places = self.places.clone();
        let read = move || {
            let name = |place: &Place| place.to_string();
            places.into_iter().map(|place| (name(&place), Config::read(place))).collect()
        };
        let read: Vec<(String, Result<Option<Config>, Error>)> =
            tokio::task::spawn_blocking(read).await.unwrap_or_default();
        let mut configs = Vec::new();
        for (place, config) in read {
            let state = match config {
                Ok(None) => State::Absent,
                Err(error) => State::Broken(chain(&error)),
                Ok(Some(config)) => {
                    configs.push(config);
                    State::Read
                }
            };
            looked_at.push(LookedAt { place, state });
        }
        configs
    }

    async fn consider(&self, config: &Config, finding: Finding, decided: bool) -> Candidate {
        let place = config.place.to_string();
        let (key, helper, found) = match finding {
            Finding::Entry { written, credential } => (written, None, Some(credential)),
            Finding::Helper { name, server } => {
                let program = Helper::new(&name, self.answers.environment())
                    .map_or(name.clone(), |helper| helper.program().to_owned());
                let found =
                    if decided { None } else { Some(self.answers.ask(&name, &server).await) };
                (server, Some(program), found)
            }
        };
        let outcome = match found {
            Some(Ok(None)) => Outcome::Empty,
            _ if decided => Outcome::Outranked,
            None => Outcome::Outranked,
            Some(Ok(Some(credential))) => Outcome::Used(kind(&credential)),
            Some(Err(error)) => Outcome::Broken(chain(&error)),
        };
        Candidate { place, key, helper, outcome }
    }
}

/// An error and its causes in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn kind(credential: &Credential) -> String {
    match credential {
        Credential::Anonymous => "nothing, on purpose".to_owned(),
        Credential::Basic { username, .. } => format!("the password of {username:?}"),
        Credential::IdentityToken(_) => "an identity token".to_owned(),
        Credential::RegistryToken(_) => "a registry token".to_owned(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "for {}, looked at", self.resource)?;
        for LookedAt { place, state } in &self.places {
            match state {
                State::Absent => writeln!(f, "  {place}: nothing there")?,
                State::Read => writeln!(f, "  {place}")?,
                State::Broken(why) => writeln!(f, "  {place}: broken: {why}")?,
            }
        }
        if self.candidates.is_empty() {
            return write!(f, "and found nothing");
        }
        write!(f, "and found")?;
        for Candidate { place, key, helper, outcome } in &self.candidates {
            write!(f, "\n  {key:?} in {place}")?;
            if let Some(program) = helper {
                write!(f, ", kept by {program}")?;
            }
            match outcome {
                Outcome::Used(kind) => write!(f, ": used, {kind}")?,
                Outcome::Empty => write!(f, ": holds nothing")?,
                Outcome::Broken(why) => write!(f, ": broken: {why}")?,
                Outcome::Outranked => write!(f, ": not used, what is above decides")?,
            }
        }
        Ok(())
    }
}
