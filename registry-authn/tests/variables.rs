//! Credentials in variables that are named after the registry, and what the default keychain makes of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests")]

mod common;

use common::{Home, everything, fill, look_up, resource};
use proptest::prelude::*;
use registry_authn::explain::{self, Outcome, State};
use registry_authn::{Environment, ErrorKind, Variables, default_keychain_in};
use registry_name::Registry;

#[test]
fn the_variables_of_a_registry_have_its_name() {
    for (registry, wanted) in [
        ("ghcr.io", Some("GHCR_IO")),
        ("GHCR.io", Some("GHCR_IO")),
        ("registry-1.docker.io", Some("DOCKER_IO")),
        ("my-registry.example", Some("MY__REGISTRY_EXAMPLE")),
        ("localhost:5000", Some("LOCALHOST___5000")),
        ("127.0.0.1:5000", Some("127_0_0_1___5000")),
        ("xn--bcher-kva.example", Some("XN____BCHER__KVA_EXAMPLE")),
        ("[::1]:5000", None),
    ] {
        let registry: Registry = registry.parse().unwrap();
        let wanted = wanted
            .map(|name| (format!("REGISTRY_USERNAME_{name}"), format!("REGISTRY_PASSWORD_{name}")));
        assert_eq!(Variables::names(&registry), wanted, "{registry}");
    }
}

/// Registries that differ in little else than in what is encoded.
fn registry() -> impl Strategy<Value = Registry> {
    let label = "[ab5](-{0,3}[ab])?";
    let dots = format!("({label}\\.){{1,2}}{label}a(:[1-9]{{1,2}})?");
    let port = format!("{label}a:[1-9]{{1,2}}");
    let any_of = |pattern: &str| prop::string::string_regex(pattern).unwrap();
    prop_oneof![any_of(&dots), any_of(&port)].prop_map(|text| text.parse().unwrap())
}

/// The registry that a variable is for, read from its name alone.
fn decoded(variable: &str) -> String {
    let mut host = String::new();
    let mut rest = variable.strip_prefix("REGISTRY_USERNAME_").unwrap();
    while let Some(c) = rest.chars().next() {
        let row = rest.len() - rest.trim_start_matches('_').len();
        match row {
            0 => host.push(c.to_ascii_lowercase()),
            1 => host.push('.'),
            3 => host.push(':'),
            even => host.push_str(&"-".repeat(even / 2)),
        }
        rest = &rest[row.max(1)..];
    }
    host
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_registries_share_a_variable(one in registry(), other in registry()) {
        let (name, _) = Variables::names(&one).unwrap();
        prop_assert_eq!(decoded(&name), one.as_str());
        prop_assert_eq!(name == Variables::names(&other).unwrap().0, one == other);
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        prop_assert!(name.bytes().all(plain), "{}", name);
    }
}

#[tokio::test]
async fn variables_are_for_their_registry_only() {
    let environment = Environment::empty()
        .var("REGISTRY_USERNAME_GHCR_IO", "me")
        .var("REGISTRY_PASSWORD_GHCR_IO", "p:w")
        .var("REGISTRY_USERNAME_LOCALHOST___5000", "<token>")
        .var("REGISTRY_PASSWORD_LOCALHOST___5000", "idtok")
        .var("REGISTRY_USERNAME_EMPTY_IO", "")
        .var("REGISTRY_PASSWORD_EMPTY_IO", "");
    let variables = Variables::new(&environment);
    for (name, wanted) in [
        ("ghcr.io", "me / p:w"),
        ("ghcr.io/acme/app", "me / p:w"),
        ("ghcr.io:443", "nothing"),
        ("ghcr-io.example", "nothing"),
        ("localhost:5000", "identity idtok"),
        ("localhost:5001", "nothing"),
        ("localhost", "nothing"),
        ("empty.io", "nothing"),
        ("[::1]:5000", "nothing"),
    ] {
        assert_eq!(look_up(&variables, name).await.unwrap(), wanted, "{name}");
    }
    assert!(!format!("{variables:?}").contains("p:w"));
}

#[tokio::test]
async fn one_variable_without_the_other_is_an_error_for_its_registry() {
    for (set, message) in [
        (
            "REGISTRY_USERNAME_TEST_IO",
            "$REGISTRY_USERNAME_TEST_IO is set without $REGISTRY_PASSWORD_TEST_IO",
        ),
        (
            "REGISTRY_PASSWORD_TEST_IO",
            "$REGISTRY_PASSWORD_TEST_IO is set without $REGISTRY_USERNAME_TEST_IO",
        ),
    ] {
        let variables = Variables::new(&Environment::empty().var(set, "canary"));
        let error = look_up(&variables, "test.io").await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Entry, message));
        assert!(!everything(&error).contains("canary"));
        assert_eq!(look_up(&variables, "other.io").await.unwrap(), "nothing");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_variable_that_is_not_utf8_is_an_error() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = std::ffi::OsString::from_vec(vec![0xFF]);
    let environment = Environment::empty()
        .var("REGISTRY_USERNAME_TEST_IO", "me")
        .var("REGISTRY_PASSWORD_TEST_IO", bytes);
    let error = look_up(&Variables::new(&environment), "test.io").await.unwrap_err();
    assert_eq!(error.to_string(), "$REGISTRY_PASSWORD_TEST_IO is not UTF-8");
}

#[tokio::test]
async fn the_default_asks_variables_then_config_files_and_explains_both() {
    let config = fill(r#"{"auths":{"test.io/a":{"auth":"A"}}}"#);
    let home = Home::with_config(&config);
    let file = home.path(".docker/config.json").display().to_string();
    let name = resource("test.io/a/b");
    let keychain = default_keychain_in(&home.environment);
    assert_eq!(look_up(&keychain, "test.io/a/b").await.unwrap(), "foo / bar");
    let explanation = explain::default_keychain_in(&home.environment, &name).await;
    assert_eq!(explanation.places[0].place, "$REGISTRY_USERNAME_TEST_IO");
    assert_eq!(explanation.places[0].state, State::Absent);
    assert_eq!(explanation.places[1].place, file);
    assert_eq!(explanation.candidates.len(), 1);

    let home =
        home.var("REGISTRY_USERNAME_TEST_IO", "me").var("REGISTRY_PASSWORD_TEST_IO", "canary");
    let keychain = default_keychain_in(&home.environment);
    assert_eq!(look_up(&keychain, "test.io/a/b").await.unwrap(), "me / canary");
    assert_eq!(look_up(&keychain, "other.io").await.unwrap(), "nothing");
    let explanation = explain::default_keychain_in(&home.environment, &name).await;
    assert_eq!(explanation.places[0].state, State::Read);
    let outcomes: Vec<_> = explanation.candidates.iter().map(|found| &found.outcome).collect();
    let used = Outcome::Used("the password of \"me\"".to_owned());
    assert_eq!(outcomes, [&used, &Outcome::Outranked]);
    let text = explanation.to_string();
    assert!(text.contains("\"test.io\" in $REGISTRY_USERNAME_TEST_IO: used"), "{text}");
    assert!(!text.contains("canary"), "{text}");

    let home = home.var("REGISTRY_PASSWORD_TEST_IO", "");
    let explanation = explain::default_keychain_in(&home.environment, &name).await;
    assert!(matches!(explanation.places[0].state, State::Broken(_)));
    assert_eq!(explanation.candidates[0].outcome, Outcome::Outranked);
    let keychain = default_keychain_in(&home.environment);
    assert!(look_up(&keychain, "test.io/a/b").await.is_err());

    // A registry that is named by an IPv6 address has no variables.
    let explanation =
        explain::default_keychain_in(&home.environment, &resource("[::1]:5000")).await;
    assert_eq!(explanation.places[0].place, file);
}
