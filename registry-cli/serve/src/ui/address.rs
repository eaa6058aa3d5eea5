//! Where pages are. Pure.
//!
//! A reference as people write it is the end of its page's address: `/ui/r/app/web:v1`. Neither
//! `:` nor `@` can be part of a name, so no name is mistaken for another page.

use std::fmt;

use percent_encoding::percent_decode_str;
use registry_name::{Digest, Identifier};

use super::assets::Asset;
use crate::name::Name;

/// One page, or one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `/`
    Repositories,
    /// `/ui/r/NAME`
    Repository(Name),
    /// `/ui/r/NAME:TAG`, `/ui/r/NAME@DIGEST`
    Manifest(Name, Identifier),
    /// `/ui/manifest/NAME@DIGEST`
    RawManifest(Name, Digest),
    /// `/ui/blob/NAME@DIGEST`
    Blob(Name, Digest),
    /// `/ui/style.css` and its like.
    Asset(Asset),
}

impl Address {
    /// `None`: there is no such page.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        if matches!(path.as_ref(), "/" | "/ui" | "/ui/") {
            return Some(Self::Repositories);
        }
        let rest = path.strip_prefix("/ui/")?;
        let Some((kind, reference)) = rest.split_once('/') else {
            return Asset::named(rest).map(Self::Asset);
        };
        let (name, identifier) = parse_reference(reference)?;
        match (kind, identifier) {
            ("r", None) => Some(Self::Repository(name)),
            ("r", Some(identifier)) => Some(Self::Manifest(name, identifier)),
            ("manifest", Some(Identifier::Digest(digest))) => Some(Self::RawManifest(name, digest)),
            ("blob", Some(Identifier::Digest(digest))) => Some(Self::Blob(name, digest)),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repositories => f.write_str("/"),
            Self::Repository(name) => write!(f, "/ui/r/{name}"),
            Self::Manifest(name, Identifier::Tag(tag)) => write!(f, "/ui/r/{name}:{tag}"),
            Self::Manifest(name, identifier) => write!(f, "/ui/r/{name}@{identifier}"),
            Self::RawManifest(name, digest) => write!(f, "/ui/manifest/{name}@{digest}"),
            Self::Blob(name, digest) => write!(f, "/ui/blob/{name}@{digest}"),
            Self::Asset(asset) => write!(f, "/ui/{}", asset.name()),
        }
    }
}

/// A name with what may follow it.
fn parse_reference(text: &str) -> Option<(Name, Option<Identifier>)> {
    let (name, identifier) = if let Some((name, digest)) = text.split_once('@') {
        (name, Some(Identifier::Digest(digest.parse().ok()?)))
    } else if let Some((name, tag)) = text.split_once(':') {
        (name, Some(Identifier::Tag(tag.parse().ok()?)))
    } else {
        (text.strip_suffix('/').unwrap_or(text), None)
    };
    Some((Name::parse(name).ok()?, identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn every_page_is_found_where_it_says_it_is() {
        for path in [
            "/".to_owned(),
            "/ui/r/a".to_owned(),
            "/ui/r/blob/manifest/r/style.css".to_owned(),
            "/ui/r/a/b:v1.0".to_owned(),
            format!("/ui/r/a@{DIGEST}"),
            format!("/ui/manifest/a/b@{DIGEST}"),
            format!("/ui/blob/a@{DIGEST}"),
            "/ui/style.css".to_owned(),
        ] {
            let address = Address::parse(&path).expect(&path);
            assert_eq!(address.to_string(), path);
        }
        assert_eq!(Address::parse("/ui/r/a/"), Address::parse("/ui/r/a"));
        assert_eq!(Address::parse("/ui/r/a%3Av1"), Address::parse("/ui/r/a:v1"));
    }

    #[test]
    fn what_passes_no_grammar_is_no_page() {
        for path in [
            "/ui/r/",
            "/ui/r/..",
            "/ui/r/%2e%2e%2f%2e%2e/etc",
            "/ui/r/A",
            "/ui/r/a:",
            "/ui/r/a:..",
            "/ui/r/a:<b>",
            "/ui/r/a@sha256:00",
            "/ui/r/a:v1@sha256:00",
            "/ui/r/a%00",
            "/ui/r/%ff",
            "/ui/blob/a",
            "/ui/blob/a:v1",
            "/ui/nothing",
            "/ui/../etc/passwd",
        ] {
            assert_eq!(Address::parse(path), None, "{path}");
        }
    }
}
