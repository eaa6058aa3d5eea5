//! Names on the wire: the same text, the same checks.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "only tests")]

use std::fmt::Debug;
use std::str::FromStr;

use registry_name::{Algorithm, Digest, Identifier, Reference, Registry, Repository, Tag};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[track_caller]
fn round_trip<T>(text: &str, json: &str)
where
    T: FromStr<Err: Debug> + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let value: T = text.parse().unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
    assert!(serde_json::from_str::<T>("5").is_err());
}

#[test]
fn every_name_survives_the_round_trip_as_its_canonical_text() {
    let digest = format!("sha256:{}", "a".repeat(64));
    round_trip::<Reference>("ubuntu", r#""docker.io/library/ubuntu:latest""#);
    round_trip::<Reference>(
        &format!("Ghcr.io/a:b@{digest}"),
        &format!(r#""ghcr.io/a:b@{digest}""#),
    );
    round_trip::<Repository>("ubuntu", r#""docker.io/library/ubuntu""#);
    round_trip::<Registry>("index.docker.io", r#""docker.io""#);
    round_trip::<Tag>("v1", r#""v1""#);
    round_trip::<Digest>(&digest, &format!("{digest:?}"));
    round_trip::<Identifier>(&digest, &format!("{digest:?}"));
    round_trip::<Identifier>("v1", r#""v1""#);
    round_trip::<Algorithm>("sha512", r#""sha512""#);
}

#[test]
fn what_does_not_parse_does_not_deserialize() {
    let error = serde_json::from_str::<Reference>(r#""a b""#).unwrap_err().to_string();
    assert!(error.starts_with(r#"invalid repository in "a b" at byte 1"#), "{error}");
    assert!(serde_json::from_str::<Reference>("null").is_err());
    // Escapes are undone first.
    assert_eq!(serde_json::from_str::<Tag>(r#""\u0061""#).unwrap().as_str(), "a");
}
