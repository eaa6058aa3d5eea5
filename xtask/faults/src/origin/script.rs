//! What an origin does, as data: rules in order, and a well-behaved registry for everything that no rule takes.

use super::reply::{Answer, Reply};
use super::request::Request;
use crate::registry::Registry;

/// The behaviour of one origin.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(super) rules: Vec<Rule>,
    pub(super) registry: Registry,
}

impl Script {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// This registry, where no rule says otherwise.
    pub fn registry(registry: Registry) -> Self {
        Self { rules: Vec::new(), registry }
    }

    /// Adds a rule; the first rule that matches and has a reply left is used.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The registry, as it is at first.
    pub(crate) fn stock(&self) -> &Registry {
        &self.registry
    }

    /// What the registry itself answers.
    pub(super) fn honest(&mut self, request: &Request) -> Answer {
        self.registry.answer(request)
    }

    /// The scripted reply to this request, and which visit to its rule this is.
    pub(super) fn choose(&mut self, request: &Request) -> Option<(Reply, u32)> {
        self.rules.iter_mut().filter(|rule| rule.matches(request)).find_map(Rule::next)
    }
}

/// Replies for the requests of one kind. Made by [`on`].
#[derive(Clone, Debug)]
pub struct Rule {
    method: String,
    path: String,
    header: Option<(String, bool)>,
    steps: Vec<(Option<u32>, Reply)>,
    visits: u32,
}

/// A rule for requests of this method and path. In both, `*` stands for any text, slashes included. A path with a `?` in it is compared
/// with path and query.
pub fn on(method: &str, path: impl Into<String>) -> Rule {
    Rule { method: method.into(), path: path.into(), header: None, steps: Vec::new(), visits: 0 }
}

impl Rule {
    /// Only for requests that carry this header.
    #[must_use]
    pub fn with_header(mut self, name: &str) -> Self {
        self.header = Some((name.to_owned(), true));
        self
    }

    /// Only for requests without this header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header = Some((name.to_owned(), false));
        self
    }

    /// The next `count` matching requests get this reply.
    #[must_use]
    pub fn times(mut self, count: u32, reply: Reply) -> Self {
        self.steps.push((Some(count), reply));
        self
    }

    /// Every further matching request gets this reply.
    #[must_use]
    pub fn always(mut self, reply: Reply) -> Self {
        self.steps.push((None, reply));
        self
    }

    fn matches(&self, request: &Request) -> bool {
        let target = if self.path.contains('?') { request.target.as_str() } else { request.path() };
        glob(&self.method, &request.method)
            && glob(&self.path, target)
            && self
                .header
                .as_ref()
                .is_none_or(|(name, wanted)| request.header(name).is_some() == *wanted)
    }

    fn next(&mut self) -> Option<(Reply, u32)> {
        let mut before = 0;
        for (count, reply) in &self.steps {
            before += count.unwrap_or(u32::MAX - before);
            if self.visits < before {
                self.visits += 1;
                return Some((reply.clone(), self.visits));
            }
        }
        None
    }
}

/// Whether `text` matches `pattern`, where `*` is any text.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len())
        .filter(|end| text.is_char_boundary(*end))
        .any(|end| text.get(end..).is_some_and(|tail| glob(rest, tail)))
}
