//! What holds for every input: parsing is total, what it accepts round-trips, and it accepts what the
//! grammar's published regular expressions accept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests")]

use proptest::prelude::*;
use registry_name::{
    Component, Defaults, Digest, Identifier, ParseError, Reference, Registry, Repository, Tag,
};

mod grammar {
    //! The distribution project's reference grammar (`reference/regexp.go`, `normalize.go`), as written
    //! there.

    use std::sync::LazyLock;

    use regex::Regex;

    const COMPONENT: &str = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*";
    const DOMAIN: &str = r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?";
    const TAG: &str = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
    const DIGEST: &str = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*[:][0-9A-Fa-f]{32,}";

    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
        let path = format!("{COMPONENT}(?:/{COMPONENT})*");
        Regex::new(&format!("^({DOMAIN})/({path})(?::({TAG}))?(?:@({DIGEST}))?$")).unwrap()
    });
    static IMAGE_ID: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-f0-9]{64}$").unwrap());

    /// Registry, path, tag and digest of a name as Docker reads it.
    pub(crate) fn read(text: &str) -> Option<[String; 4]> {
        if IMAGE_ID.is_match(text) {
            return None;
        }
        let (mut domain, mut rest) = match text.split_once('/') {
            Some((first, rest))
                if first.contains(['.', ':'])
                    || first == "localhost"
                    || first.to_lowercase() != first =>
            {
                (first, rest.to_owned())
            }
            _ => ("docker.io", text.to_owned()),
        };
        if domain == "index.docker.io" {
            domain = "docker.io";
        }
        if domain == "docker.io" && !rest.contains('/') {
            rest = format!("library/{rest}");
        }
        let full = format!("{domain}/{rest}");
        let found = REFERENCE.captures(&full)?;
        let part = |index| found.get(index).map_or("", |part| part.as_str()).to_owned();
        (found[2].len() <= 255).then(|| [part(1), part(2), part(3), part(4)])
    }
}

/// Pieces that names are made of, and some that they are not, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "a", "b0", "0", "/", ".", ":", "@", "-", "--", "_", "__", "A", "library", "localhost",
            "LOCALHOST", "docker.io", "index.docker.io", "ghcr.io", "5000", "65536", "[::1]", "[::", "]",
            "127.0.0.1", "sha256:", "sha512:", "md5:", "%2f", "..", " ", "é", "\0", "\n", "://", "latest",
        ]).prop_map(str::to_owned),
        1 => "[0-9a-f]{64}",
        1 => "[a-z0-9]{1,8}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// Names by construction.
fn name() -> impl Strategy<Value = String> {
    let host = "([a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?\\.){1,3}[a-z][a-z0-9]{0,4}(:[1-9][0-9]{0,3})?/";
    let path = "[a-z0-9]{1,5}((\\.|_|__|-{1,3}|/)[a-z0-9]{1,5}){0,6}";
    let tag = "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?";
    (prop::option::of(host), path, tag, prop::option::of("@sha256:[0-9a-f]{64}")).prop_map(
        |(host, path, tag, digest)| {
            format!(
                "{}{path}{tag}{}",
                host.unwrap_or_else(|| "acme/".into()),
                digest.unwrap_or_default()
            )
        },
    )
}

fn round_trips(text: &str) -> Result<(), TestCaseError> {
    let check = |error: ParseError| {
        prop_assert!(error.offset() <= error.input().len());
        prop_assert!(error.input().is_char_boundary(error.offset()));
        prop_assert_eq!(error.caret().lines().count(), 2);
        prop_assert!(!error.to_string().contains(|c: char| c.is_control()));
        Ok(())
    };
    match text.parse::<Reference>() {
        Ok(reference) => {
            prop_assert_eq!(&reference.to_string().parse::<Reference>()?, &reference);
            let familiar = reference.familiar().to_string();
            prop_assert_eq!(&familiar.parse::<Reference>()?, &reference);
            let repository = reference.repository();
            prop_assert_eq!(&repository.familiar().to_string().parse::<Repository>()?, repository);
            let strict = Reference::parse(&reference.to_string(), &Defaults::strict());
            prop_assert_eq!(strict.as_ref(), Ok(&reference));
            let again = Repository::new(&repository.registry(), repository.path());
            prop_assert_eq!(again.as_ref(), Ok(repository));
            prop_assert_eq!(repository.registry().to_string().parse(), Ok(repository.registry()));
            prop_assert_eq!(reference.identifier().to_string().parse(), Ok(reference.identifier()));
        }
        Err(error) => check(error)?,
    }
    round_trip::<Registry>(text).map_or(Ok(()), check)?;
    round_trip::<Repository>(text).map_or(Ok(()), check)?;
    round_trip::<Identifier>(text).map_or(Ok(()), check)?;
    round_trip::<Digest>(text).map_or(Ok(()), check)?;
    round_trip::<Tag>(text).map_or(Ok(()), check)
}

/// The error, if it does not parse.
fn round_trip<T>(text: &str) -> Option<ParseError>
where
    T: std::str::FromStr<Err = ParseError> + ToString + PartialEq + std::fmt::Debug,
{
    let value: T = match text.parse() {
        Ok(value) => value,
        Err(error) => return Some(error),
    };
    assert_eq!(value.to_string().parse().as_ref(), Ok(&value));
    None
}

/// N01: the grammar and we agree, except where a documented rule is stricter or folds names.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    let ours = text.parse::<Reference>();
    let Some([domain, path, tag, digest]) = grammar::read(text) else {
        // Two rules make a name of what is none to the grammar: hosts have no case, and Docker Hub has a
        // third name; both only add `library/`, which can shorten nothing and change no verdict.
        prop_assert!(ours.is_err(), "{:?} is {:?}", text, ours);
        return Ok(());
    };
    let stricter = |error: &ParseError| match error.component() {
        // 1 to 65535; one of two algorithms
        Component::Port | Component::Algorithm => true,
        // exact length and lower case
        Component::Digest => !digest.is_empty(),
        // an address that is one
        Component::Registry => error.reason().contains("address"),
        // `Foo/bar`: a host without dot or port
        Component::Repository => {
            error.reason() == "a repository has no upper-case letters"
                || error.reason().ends_with("with its namespace")
        }
        _ => false,
    };
    match ours {
        Err(error) => prop_assert!(stricter(&error), "{}", error),
        Ok(reference) => {
            let repository = reference.repository();
            let hub = repository.registry().is_docker_hub();
            prop_assert!(path == repository.path() || hub && repository.path().ends_with(&path));
            prop_assert_eq!(&digest, reference.digest().map_or("", Digest::as_str));
            let assumed = if digest.is_empty() { "latest" } else { "" };
            let tag = if tag.is_empty() { assumed } else { &tag };
            prop_assert_eq!(tag, reference.tag().map_or("", Tag::as_str));
            let port = repository.registry().port();
            let host = domain.to_lowercase();
            prop_assert!(hub || port.is_some() || host == repository.registry_str());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn n01_any_text_parses_or_is_refused_with_a_position(text in ".{0,80}") {
        round_trips(&text)?;
        agrees(&text)?;
    }

    #[test]
    fn n01_text_made_of_pieces_of_names_round_trips_and_agrees_with_the_grammar(text in soup()) {
        round_trips(&text)?;
        agrees(&text)?;
    }

    #[test]
    fn every_well_formed_name_is_accepted(text in name()) {
        prop_assert!(grammar::read(&text).is_some(), "{}", text);
        prop_assert!(text.parse::<Reference>().is_ok(), "{:?}", text.parse::<Reference>());
        round_trips(&text)?;
        agrees(&text)?;
    }
}
