//! What a request needs and what a token allows: `repository:library/ubuntu:pull,push`.

use std::fmt;

use crate::name::Name;

/// A resource and actions on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `repository:library/ubuntu` or `registry:catalog`.
    resource: String,
    actions: Vec<String>,
}

impl Scope {
    pub(crate) fn repository(name: &Name, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Self { resource: format!("repository:{name}"), actions }
    }

    pub(crate) fn catalog() -> Self {
        Self { resource: "registry:catalog".to_owned(), actions: vec!["*".to_owned()] }
    }

    /// `None`: not of the shape `type:name:actions`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (resource, actions) = text.rsplit_once(':')?;
        resource.split_once(':').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())?;
        let actions = actions.split(',').filter(|action| !action.is_empty());
        Some(Self { resource: resource.to_owned(), actions: actions.map(str::to_owned).collect() })
    }

    /// Whether who holds this scope may do what `needed` says.
    pub(crate) fn covers(&self, needed: &Self) -> bool {
        let holds = |action: &String| self.actions.iter().any(|own| own == "*" || own == action);
        self.resource == needed.resource && needed.actions.iter().all(holds)
    }

    /// What is left of it. `allows` is asked whether it is the catalog's scope, and about an action;
    /// about each one that there is where the scope says `*`.
    pub(super) fn keep(mut self, allows: impl Fn(bool, &str) -> bool) -> Option<Self> {
        let catalog = self.resource == "registry:catalog";
        if !catalog && !self.resource.starts_with("repository:") {
            return None;
        }
        if !catalog && self.actions.iter().any(|action| action == "*") {
            self.actions = ["pull", "push", "delete"].map(str::to_owned).into();
        }
        self.actions.retain(|action| allows(catalog, action));
        (!self.actions.is_empty()).then_some(self)
    }

    /// What is left when only pulling is allowed.
    pub(crate) fn only_pull(mut self) -> Option<Self> {
        self.actions.retain(|action| action == "pull");
        (self.resource.starts_with("repository:") && !self.actions.is_empty()).then_some(self)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.actions.join(","))
    }
}
