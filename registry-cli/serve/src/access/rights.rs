//! What a user may do, in every repository.

use std::fmt;
use std::str::FromStr;

use super::Scope;

/// What a user may do, in every repository: `pull,push,delete,catalog`. Whoever may push may pull.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights(u8);

const NAMES: [(&str, Rights); 4] = [
    ("pull", Rights::PULL),
    ("push", Rights(0b11)),
    ("delete", Rights::DELETE),
    ("catalog", Rights::CATALOG),
];

impl Rights {
    /// Nothing, except that the password is right.
    pub const NONE: Self = Self(0);
    /// Reading manifests, blobs, tags and referrers.
    pub const PULL: Self = Self(0b1);
    /// Writing manifests, tags and blobs, and all of [`Rights::PULL`].
    pub const PUSH: Self = Self(0b11);
    /// Deleting manifests, tags and blobs.
    pub const DELETE: Self = Self(0b100);
    /// Listing the repositories.
    pub const CATALOG: Self = Self(0b1000);
    /// Everything.
    pub const ALL: Self = Self(0b1111);

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether all of `needed` is among these.
    pub const fn contains(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// What of a scope these rights allow.
    pub(crate) fn limit(self, scope: Scope) -> Option<Scope> {
        if self == Self::ALL {
            return Some(scope);
        }
        scope.keep(|catalog, action| match (catalog, action) {
            (true, "*") => self.contains(Self::CATALOG),
            (false, "pull") => self.contains(Self::PULL),
            (false, "push") => self.contains(Self::PUSH),
            (false, "delete") => self.contains(Self::DELETE),
            _ => false,
        })
    }
}

impl FromStr for Rights {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(Self::NONE, |rights, name| {
            let known = NAMES.iter().find(|(known, _)| *known == name);
            known.map(|(_, right)| rights.and(*right)).ok_or(UnknownRight(()))
        })
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = NAMES.iter().filter(|(_, right)| self.contains(*right));
        f.write_str(&held.map(|(name, _)| *name).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// A word that is no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rights are pull, push, delete and catalog, with commas between them")]
pub struct UnknownRight(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_words_with_commas() {
        for (text, shown) in [
            ("", ""),
            ("pull", "pull"),
            ("push", "pull,push"),
            ("catalog,delete,pull", "pull,delete,catalog"),
            ("pull,push,delete,catalog", "pull,push,delete,catalog"),
        ] {
            assert_eq!(text.parse::<Rights>().expect(text).to_string(), shown);
        }
        assert_eq!("pull,push,delete,catalog".parse(), Ok(Rights::ALL));
        for text in ["all", "Pull", "pull push", "*"] {
            assert!(text.parse::<Rights>().is_err(), "{text}");
        }
    }

    #[test]
    fn rights_leave_of_a_scope_what_they_allow() {
        for (rights, scope, left) in [
            (Rights::ALL, "repository:a:*", Some("repository:a:*")),
            (Rights::PULL, "repository:a:pull,push", Some("repository:a:pull")),
            (Rights::PULL, "repository:a:*", Some("repository:a:pull")),
            (Rights::DELETE, "repository:a:*", Some("repository:a:delete")),
            (Rights::DELETE, "repository:a:pull", None),
            (Rights::PUSH, "registry:catalog:*", None),
            (Rights::CATALOG, "registry:catalog:*", Some("registry:catalog:*")),
            (Rights::CATALOG, "registry:other:*", None),
        ] {
            let limited = rights.limit(Scope::parse(scope).expect(scope));
            assert_eq!(limited.map(|scope| scope.to_string()).as_deref(), left, "{scope}");
        }
    }
}
