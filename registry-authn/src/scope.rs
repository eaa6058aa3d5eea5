//! What a token is asked for.
//!
//! The text is that of the Docker registry token specification, "Token Scope": a resource's type, its
//! name and a list of actions, separated by colons.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use registry_name::Repository;

/// Several scopes: ordered, without duplicates, the actions on one resource together.
///
/// Two sets that ask for the same are equal, hash alike and print alike, so that a set can be the key of
/// a token cache.
///
/// ```
/// use registry_authn::Scopes;
///
/// let ubuntu = "ubuntu".parse()?;
/// let both = Scopes::pull(&ubuntu).union(&Scopes::push(&ubuntu));
/// assert_eq!(both.to_string(), "repository:library/ubuntu:push,pull");
/// assert!(both.covers(&Scopes::pull(&ubuntu)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scopes(BTreeMap<(String, String), BTreeSet<Action>>);

/// Actions on one resource: `repository:library/ubuntu:push,pull`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    kind: String,
    name: String,
    actions: BTreeSet<Action>,
}

/// Text that is not a list of scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError(&'static str);

/// A server may suggest scopes; what no registry needs is refused.
const MOST_SCOPES: usize = 64;
const LONGEST_SCOPE: usize = 1024;
const MOST_ACTIONS: usize = 16;

impl Scopes {
    /// No scope: a token that only says who is asking.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reading a repository: `pull`.
    pub fn pull(repository: &Repository) -> Self {
        Self::from(Scope::repository(repository, &["pull"]))
    }

    /// Writing to a repository: `push,pull`.
    pub fn push(repository: &Repository) -> Self {
        Self::from(Scope::repository(repository, &["push", "pull"]))
    }

    /// Deleting from a repository: `push,pull,delete`.
    pub fn delete(repository: &Repository) -> Self {
        Self::from(Scope::repository(repository, &["push", "pull", "delete"]))
    }

    /// Listing a registry's repositories: `registry:catalog:*`.
    pub fn catalog() -> Self {
        Self::from(Scope::new("registry", "catalog", &["*"]))
    }

    /// Adds a scope.
    pub fn insert(&mut self, scope: Scope) {
        self.0.entry((scope.kind, scope.name)).or_default().extend(scope.actions);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
    }

    /// All of both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.merge(other);
        self
    }

    /// Whether a token for these may do everything that one for `other` may.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(resource, wanted)| {
            self.0.get(resource).is_some_and(|granted| {
                granted.iter().any(|action| action.0 == "*") || wanted.is_subset(granted)
            })
        })
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().map(|((kind, name), actions)| Scope {
            kind: kind.clone(),
            name: name.clone(),
            actions: actions.clone(),
        })
    }

    /// How many resources there are scopes for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scope {
    /// These actions on a repository.
    pub fn repository(repository: &Repository, actions: &[&str]) -> Self {
        Self::new("repository", repository.path(), actions)
    }

    fn new(kind: &str, name: &str, actions: &[&str]) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions: actions.iter().map(|&action| Action(action.to_owned())).collect(),
        }
    }

    /// The type of the resource, `repository` or `registry`, with a class in parentheses if it has one.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name of the resource: a repository's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The actions, in the order in which they are printed.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|action| action.0.as_str())
    }
}

/// An action. In the order of use: push, pull, delete, then all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Action(String);

impl Action {
    fn rank(&self) -> (usize, &str) {
        const FIRST: [&str; 3] = ["push", "pull", "delete"];
        (FIRST.iter().position(|first| *first == self.0).unwrap_or(FIRST.len()), &self.0)
    }
}

impl Ord for Action {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Action {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        let mut scopes = Self::new();
        scopes.insert(scope);
        scopes
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > LONGEST_SCOPE {
            return Err(ScopeError("a scope is too long"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
            return Err(ScopeError("a scope has a character that is not allowed there"));
        }
        // A resource's name may hold a host with a port.
        let parts = text.split_once(':').and_then(|(kind, rest)| {
            rest.rsplit_once(':').map(|(name, actions)| (kind, name, actions))
        });
        let Some((kind, name, actions)) = parts else {
            return Err(ScopeError("a scope is a type, a name and actions, separated by colons"));
        };
        if kind.is_empty() || name.is_empty() {
            return Err(ScopeError("a scope has an empty type or name"));
        }
        let actions: Vec<&str> = actions.split(',').filter(|action| !action.is_empty()).collect();
        if actions.len() > MOST_ACTIONS {
            return Err(ScopeError("a scope has too many actions"));
        }
        Ok(Self::new(kind, name, &actions))
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let mut scopes = Self::new();
        for (count, scope) in text.split_ascii_whitespace().enumerate() {
            if count == MOST_SCOPES {
                return Err(ScopeError("there are too many scopes"));
            }
            scopes.insert(scope.parse()?);
        }
        Ok(scopes)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.kind, self.name)?;
        for (index, action) in self.actions().enumerate() {
            write!(f, "{}{action}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if index > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ScopeError {}
