//! Which file decided what about a registry.

use std::fmt;
use std::path::{Path, PathBuf};

use registry_name::Registry;

use super::broken::BrokenFile;
use super::setting::{Family, Note, Statement};

/// Everything that configuration says about a registry or a repository: what counts, what does not and why, and where was
/// looked.
///
/// `Display` is a few lines for people. Nothing in it is a secret: of a header it has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The registry.
    pub registry: Registry,
    /// The path of the repository at it, if one was asked about.
    pub path: Option<String>,
    /// What is said, the most important first.
    pub decisions: Vec<Decision>,
    /// What is in files that were read and has no effect.
    pub notes: Vec<Note>,
    /// The files and directories in the order in which they were looked at.
    pub looked_at: Vec<LookedAt>,
}

/// Something that is said, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// What is said, and where.
    pub statement: Statement,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It counts.
    Used,
    /// Something more important has said it already.
    Outranked,
}

/// A file or directory, and whether it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedAt {
    /// The kind of file.
    pub family: Family,
    /// Which.
    pub path: PathBuf,
    /// What is there.
    pub state: State,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nothing.
    Absent,
    /// Something that was read.
    Read,
    /// Something that cannot be used. Requests that it concerns fail.
    Broken(BrokenFile),
}

impl LookedAt {
    pub(super) fn new<T>(
        family: Family,
        path: &Path,
        found: &Result<Option<T>, BrokenFile>,
    ) -> Self {
        let state = match found {
            Ok(None) => State::Absent,
            Ok(Some(_)) => State::Read,
            Err(broken) => State::Broken(broken.clone()),
        };
        Self { family, path: path.to_owned(), state }
    }
}

impl Explanation {
    /// What counts, in the order of [`decisions`](Self::decisions).
    pub fn used(&self) -> impl Iterator<Item = &Statement> {
        let used = self.decisions.iter().filter(|decision| decision.outcome == Outcome::Used);
        used.map(|decision| &decision.statement)
    }

    /// The first file that is there and cannot be used. Requests that it concerns fail with this.
    pub fn broken(&self) -> Option<&BrokenFile> {
        self.looked_at.iter().find_map(|at| match &at.state {
            State::Broken(broken) => Some(broken),
            State::Absent | State::Read => None,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.registry)?;
        if let Some(path) = &self.path {
            write!(f, "/{path}")?;
        }
        if self.used().next().is_none() {
            write!(f, "\nas usual: no file says anything about it")?;
        }
        for statement in self.used() {
            write!(
                f,
                "\n{}: {}\n  {}",
                statement.setting.name(),
                statement.setting,
                statement.place
            )?;
        }
        let outranked =
            self.decisions.iter().filter(|decision| decision.outcome == Outcome::Outranked);
        for Decision { statement, .. } in outranked {
            write!(f, "\nnot used, {}: {}", statement.setting.name(), statement.setting)?;
            write!(f, "\n  {}\n  what is above decides", statement.place)?;
        }
        for Note { what, why, place } in &self.notes {
            write!(f, "\nnot used, {what}\n  {place}\n  {why}")?;
        }
        write!(f, "\nlooked at")?;
        for LookedAt { path, state, .. } in &self.looked_at {
            match state {
                State::Absent => write!(f, "\n  {}: nothing there", path.display())?,
                State::Read => write!(f, "\n  {}", path.display())?,
                State::Broken(broken) => write!(f, "\n  broken: {broken}")?,
            }
        }
        Ok(())
    }
}
