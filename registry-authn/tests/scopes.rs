//! Scopes: their text, their order, and what covers what.

#![allow(clippy::unwrap_used, reason = "only tests")]

use std::collections::HashSet;

use registry_authn::{Scope, Scopes};
use registry_name::Repository;

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn scopes(text: &str) -> Scopes {
    text.parse().unwrap()
}

#[test]
fn named_scopes_have_the_text_that_registries_expect() {
    let ubuntu = repository("ubuntu");
    assert_eq!(Scopes::pull(&ubuntu).to_string(), "repository:library/ubuntu:pull");
    assert_eq!(Scopes::push(&ubuntu).to_string(), "repository:library/ubuntu:push,pull");
    assert_eq!(Scopes::delete(&ubuntu).to_string(), "repository:library/ubuntu:push,pull,delete");
    assert_eq!(Scopes::catalog().to_string(), "registry:catalog:*");
    assert_eq!(Scopes::new().to_string(), "");
    let one = Scope::repository(&ubuntu, &["delete", "x", "pull"]);
    assert_eq!(one.to_string(), "repository:library/ubuntu:pull,delete,x");
    assert_eq!((one.kind(), one.name()), ("repository", "library/ubuntu"));
}

#[test]
fn merging_keeps_one_scope_a_resource_in_a_fixed_order() {
    let mut wanted = Scopes::push(&repository("example.com/sample/sample"));
    for source in ["repo2", "repo1", "repo2", "sample/sample"] {
        wanted.merge(&Scopes::pull(&repository(&format!("example.com/{source}"))));
    }
    assert_eq!(
        wanted.to_string(),
        "repository:repo1:pull repository:repo2:pull repository:sample/sample:push,pull"
    );
    assert_eq!(wanted.len(), 3);
    let printed: Vec<String> = wanted.iter().map(|scope| scope.to_string()).collect();
    assert_eq!(printed.join(" "), wanted.to_string());
}

#[test]
fn sets_that_ask_for_the_same_are_one_key() {
    let texts = [
        "repository:a:pull,push repository:b:pull",
        "repository:b:pull repository:a:push,pull,pull",
    ];
    let keys: HashSet<Scopes> = texts.iter().map(|text| scopes(text)).collect();
    assert_eq!(keys.len(), 1);
    assert!(scopes("repository:a:pull") < scopes("repository:b:pull"));
}

#[test]
fn what_is_printed_parses_back() {
    for text in [
        "",
        "registry:catalog:*",
        "repository:library/ubuntu:pull",
        "repository(plugin):vieux/sshfs:pull",
        // The name may hold a host with a port (token specification, "resourcename").
        "repository:localhost:5000/a/b:push,pull,delete",
        "repository:a:pull repository:b:push,pull",
        "artifact-repository:x:metadata_read",
    ] {
        assert_eq!(scopes(text).to_string(), text);
    }
    let scope: Scope = "repository:localhost:5000/a/b:pull".parse().unwrap();
    assert_eq!(
        (scope.name(), scope.actions().collect::<Vec<_>>()),
        ("localhost:5000/a/b", vec!["pull"])
    );
    assert_eq!(
        scopes("  repository:a:pull\t repository:a:push "),
        scopes("repository:a:push,pull")
    );
}

#[test]
fn a_larger_set_covers_a_smaller_one() {
    let rows = [
        ("repository:a:push,pull", "repository:a:pull", true),
        ("repository:a:pull", "repository:a:push,pull", false),
        ("repository:a:pull", "repository:b:pull", false),
        ("repository:a:pull repository:b:pull", "repository:b:pull", true),
        ("repository:a:*", "repository:a:push,pull,delete", true),
        ("repository:a:pull", "repository:a:*", false),
        ("repository:a:pull", "", true),
        ("", "", true),
        ("", "repository:a:pull", false),
        ("repository(plugin):a:pull", "repository:a:pull", false),
    ];
    for (large, small, covers) in rows {
        assert_eq!(scopes(large).covers(&scopes(small)), covers, "{large:?} {small:?}");
    }
}

/// A18: what a server suggests may be nonsense, or an attempt to put something into a query or a log.
#[test]
fn a18_nonsense_from_a_server_is_refused() {
    for text in [
        "pull",
        "a:b",
        ":a:pull",
        "repository::pull",
        "repository:a\u{7}:pull",
        "repository:\"a\":pull",
        "répository:a:pull",
        "a\\b:c:d",
    ] {
        assert!(text.parse::<Scopes>().is_err(), "{text:?}");
    }
    let many =
        |count| (0..count).map(|n| format!("repository:r{n}:pull")).collect::<Vec<_>>().join(" ");
    assert!(many(64).parse::<Scopes>().is_ok());
    let error = many(65).parse::<Scopes>().unwrap_err();
    assert_eq!(error.to_string(), "there are too many scopes");
    assert!(format!("repository:{}:pull", "a".repeat(1100)).parse::<Scope>().is_err());
    let actions = |count| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",");
    assert!(format!("repository:a:{}", actions(16)).parse::<Scope>().is_ok());
    assert!(format!("repository:a:{}", actions(17)).parse::<Scope>().is_err());
}
