//! What names offer once they are parsed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests")]

use std::collections::{BTreeSet, HashSet};

use registry_name::{
    Algorithm, Defaults, Digest, Identifier, ParseError, Reference, Registry, Repository, Tag,
};

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn registry(text: &str) -> Registry {
    text.parse().unwrap()
}

#[test]
fn a_registry_is_a_host_and_perhaps_a_port() {
    let rows = [
        ("docker.io", "docker.io", "docker.io", None),
        ("index.docker.io", "docker.io", "docker.io", None),
        ("Registry-1.Docker.IO", "docker.io", "docker.io", None),
        ("docker.io:443", "docker.io:443", "docker.io", Some(443)),
        ("GHCR.io", "ghcr.io", "ghcr.io", None),
        ("localhost", "localhost", "localhost", None),
        ("LOCALHOST:5000", "localhost:5000", "localhost", Some(5000)),
        ("registry:5000", "registry:5000", "registry", Some(5000)),
        ("[::1]", "[::1]", "[::1]", None),
        ("[FD00::1]:5000", "[fd00::1]:5000", "[fd00::1]", Some(5000)),
        ("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", Some(80)),
        ("x.localhost.evil.com", "x.localhost.evil.com", "x.localhost.evil.com", None),
    ];
    for (text, name, host, port) in rows {
        let registry = registry(text);
        assert_eq!((registry.as_str(), registry.host(), registry.port()), (name, host, port));
        assert_eq!(registry.is_docker_hub(), name == "docker.io");
        assert_eq!(registry.to_string().parse(), Ok(registry));
    }
    assert_eq!(Registry::docker_hub(), registry("docker.io"));
}

/// What a URL parser lets pass as a host is not yet a registry (distribution grammar, `domain`).
#[test]
fn n01_what_is_no_host_is_refused() {
    for text in [
        "localhost:",
        "127.0.0.1:123456",
        "127.1",
        "10.256.0.0:1",
        "foo.localhost:123456",
        "exa_mple.com",
        "ex!ample.com",
        "ex~ample.com",
        "a,b:1",
        "a;b:1",
        "a=b:1",
        "a&b:1",
        "a'b:1",
        "a(b):1",
        "a*b:1",
        "a+b:1",
        "a$b:1",
        "a:1:2",
        "localhost:abc",
        "a b.c",
        "gcr?com",
        "gcr.io/foo",
        "gcr.io#x",
        "user@gcr.io",
        "[::1",
        "%zz",
        "a%20b",
        "%41.com",
        "ex\\ample",
        "::1",
        ".localhost",
        "foo",
        "foo.",
        "foo.com.",
        "0x7f.1",
        "1.2.3.0x4",
        "1.2.3.0X4",
        "e.0X",
        "2130706433:5000",
    ] {
        assert!(text.parse::<Registry>().is_err(), "{text}");
    }
}

#[test]
fn a_repository_is_a_registry_and_a_path() {
    let hub = Registry::docker_hub();
    let ubuntu = Repository::new(&hub, "ubuntu").unwrap();
    assert_eq!(ubuntu, "index.docker.io/library/ubuntu".parse().unwrap());
    assert_eq!((ubuntu.registry_str(), ubuntu.path()), ("docker.io", "library/ubuntu"));
    assert_eq!(ubuntu.registry(), hub);
    let local = Repository::new(&registry("localhost:5000"), "a/b").unwrap();
    assert_eq!(local.to_string(), "localhost:5000/a/b");
    for path in ["", "/", "A", "..", "a/../b", "a:b", "a@b", "/a", "a/", "%2e"] {
        assert!(Repository::new(&hub, path).is_err(), "{path:?}");
    }
}

#[test]
fn join_goes_down_and_never_up() {
    let acme: Repository = "ghcr.io/acme".parse().unwrap();
    assert_eq!(acme.join("app/web").unwrap().to_string(), "ghcr.io/acme/app/web");
    for below in ["", "..", "../other", "/etc", "a/", "A", "a:tag"] {
        assert!(acme.join(below).is_err(), "{below:?}");
    }
    assert!(acme.join(&"a".repeat(250)).is_ok());
    let error = acme.join(&"a".repeat(251)).unwrap_err();
    assert_eq!(
        error.reason(),
        "a repository has at most 255 bytes, this one has 256 with its namespace"
    );
}

#[test]
fn with_tag_and_with_digest_set_one_part_and_keep_the_other() {
    let digest = Digest::from_bytes(Algorithm::Sha256, &[0xab; 32]).unwrap();
    let tag: Tag = "v2".parse().unwrap();
    let v1 = reference("ghcr.io/acme/app:v1");
    let pinned = v1.clone().with_digest(digest.clone());
    assert_eq!(pinned.to_string(), format!("ghcr.io/acme/app:v1@{digest}"));
    assert_eq!(pinned.identifier(), Identifier::Digest(digest.clone()));
    assert_eq!(v1.with_tag(tag.clone()), reference("ghcr.io/acme/app:v2"));
    let moved = pinned.with_tag(tag.clone());
    assert_eq!(moved.to_string(), format!("ghcr.io/acme/app:v2@{digest}"));
    assert_eq!(moved.repository().with_tag(tag).to_string(), "ghcr.io/acme/app:v2");
    assert_eq!(moved.repository().with_digest(digest.clone()).tag(), None);
    let twice = moved.with_digest(Digest::from_bytes(Algorithm::Sha256, &[1; 32]).unwrap());
    assert_eq!(twice.tag().map(Tag::as_str), Some("v2"));
    assert_ne!(twice.digest(), Some(&digest));
}

#[test]
fn i05_digests_know_their_algorithm_and_are_made_from_bytes() {
    let sha512 = Digest::from_bytes(Algorithm::Sha512, &[0x0f; 64]).unwrap();
    assert_eq!(sha512.as_str(), format!("sha512:{}", "0f".repeat(64)));
    assert_eq!(sha512.hex().len(), Algorithm::Sha512.hex_len());
    assert_eq!(sha512.algorithm(), Algorithm::Sha512);
    assert_eq!(sha512.to_string().parse(), Ok(sha512));
    assert_eq!(Digest::from_bytes(Algorithm::Sha256, &[0; 31]), None);
    assert_eq!(Digest::from_bytes(Algorithm::Sha256, &[0; 64]), None);
}

/// I06, I07: nothing else than such a digest can become a path or a part of a URL.
#[test]
fn i06_i07_only_exact_digests_of_supported_algorithms_parse() {
    let hex = "0123456789abcdef".repeat(4);
    assert!(format!("sha256:{hex}").parse::<Digest>().is_ok());
    for text in [
        format!("sha1:{}", &hex[..40]),
        format!("md5:{}", &hex[..32]),
        format!("blake3:{hex}"),
        format!("sha256+b64:{hex}"),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("sha512:{hex}"),
        format!("sha256:{}\0", &hex[1..]),
        format!("sha256:{}%41", &hex[3..]),
        format!(" sha256:{hex}"),
        format!("sha256:{hex}\n"),
        format!("sha256-{hex}"),
        hex,
        "sha256:".into(),
        ":abc".into(),
        "sha256:../../x".into(),
        String::new(),
    ] {
        assert!(text.parse::<Digest>().is_err(), "{text:?}");
        assert!(text.parse::<Identifier>().is_err() || !text.contains(':'), "{text:?}");
    }
}

#[test]
fn an_identifier_is_a_digest_if_it_has_a_colon() {
    let digest = format!("sha256:{}", "a".repeat(64));
    assert!(matches!(digest.parse(), Ok(Identifier::Digest(_))));
    assert!(matches!("latest".parse(), Ok(Identifier::Tag(_))));
    assert_eq!(Identifier::try_from("v1").unwrap().tag().map(Tag::as_str), Some("v1"));
    assert!("a:b".parse::<Identifier>().is_err());
    assert!("".parse::<Identifier>().is_err());
}

#[test]
fn familiar_is_the_shortest_form_that_means_the_same() {
    let h = "a".repeat(64);
    for (text, short) in [
        ("docker.io/library/ubuntu:22.04", "ubuntu:22.04".to_owned()),
        ("ubuntu", "ubuntu:latest".to_owned()),
        ("docker.io/acme/app:v1", "acme/app:v1".to_owned()),
        ("docker.io/library/a/b:v1", "library/a/b:v1".to_owned()),
        ("docker.io/library/library:v1", "library:v1".to_owned()),
        // These would name another registry.
        ("docker.io/a.b/c:v1", "docker.io/a.b/c:v1".to_owned()),
        ("docker.io/localhost/c:v1", "docker.io/localhost/c:v1".to_owned()),
        ("docker.io/library/localhost:v1", "localhost:v1".to_owned()),
        ("ghcr.io/acme/app:v1", "ghcr.io/acme/app:v1".to_owned()),
        (&format!("ubuntu:v1@sha256:{h}"), format!("ubuntu:v1@sha256:{h}")),
    ] {
        assert_eq!(reference(text).familiar().to_string(), short);
        assert_eq!(reference(&short), reference(text));
    }
    let repository: Repository = format!("docker.io/library/{h}").parse().unwrap();
    assert_eq!(repository.familiar().to_string().parse(), Ok(repository));
    assert_eq!("ubuntu".parse::<Repository>().unwrap().familiar().to_string(), "ubuntu");
}

#[test]
fn defaults_are_a_value() -> Result<(), ParseError> {
    let parse = |text: &str, defaults: &Defaults| Reference::parse(text, defaults);
    for registry in ["myreg:5000", "my.reg", "localhost"] {
        let defaults = Defaults::docker().registry(registry.parse()?);
        assert_eq!(parse("foo", &defaults)?.to_string(), format!("{registry}/foo:latest"));
        assert_eq!(parse("ghcr.io/foo", &defaults)?.to_string(), "ghcr.io/foo:latest");
        assert_eq!(parse("docker.io/foo", &defaults)?.to_string(), "docker.io/library/foo:latest");
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = parse(&format!("foo@{digest}"), &defaults)?;
        assert_eq!(pinned.to_string(), format!("{registry}/foo@{digest}"));
    }
    let house = Defaults::strict()
        .registry("quay.io".parse()?)
        .namespace("acme/base")?
        .tag("stable".parse()?);
    assert_eq!(parse("foo", &house)?.to_string(), "quay.io/acme/base/foo:stable");
    assert_eq!(parse("team/foo:v1", &house)?.to_string(), "quay.io/team/foo:v1");
    assert_eq!(parse("quay.io/foo", &house)?.to_string(), "quay.io/foo:stable");
    assert!(parse("docker.io/foo", &house).is_err());
    assert_eq!(Defaults::default(), Defaults::docker());
    assert!(Defaults::docker().namespace("Not a name").is_err());
    let repository = Repository::parse("foo", &house)?;
    assert_eq!(repository.path(), "acme/base/foo");
    let long = Repository::parse(&"a".repeat(250), &house).unwrap_err();
    assert_eq!(long.offset(), 245);
    Ok(())
}

#[test]
fn equal_names_are_equal_values_and_sort_with_their_registry() {
    let names = ["ubuntu", "docker.io/library/ubuntu:latest", "INDEX.docker.io/ubuntu"];
    let one: HashSet<Reference> = names.iter().map(|name| reference(name)).collect();
    assert_eq!(one.len(), 1);
    let sorted: Vec<String> = ["ghcr.io/b", "a.io/x", "ghcr.io/a", "docker.io/z"]
        .iter()
        .map(|name| name.parse::<Repository>().unwrap())
        .collect::<BTreeSet<_>>()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(sorted, ["a.io/x", "docker.io/library/z", "ghcr.io/a", "ghcr.io/b"]);
}

#[test]
fn names_are_text_where_that_is_honest_and_go_between_threads() {
    fn text(name: &impl AsRef<str>) -> &str {
        name.as_ref()
    }
    fn thread_safe<T: Send + Sync + Clone + 'static>() {}
    let name = reference("ghcr.io/a:b");
    assert_eq!(text(name.repository()), "ghcr.io/a");
    assert_eq!(text(&name.repository().registry()), "ghcr.io");
    assert_eq!(text(&name.identifier()), "b");
    assert_eq!(format!("[{:>8}]", name.tag().unwrap()), "[       b]");
    thread_safe::<Reference>();
    thread_safe::<ParseError>();
    thread_safe::<Defaults>();
}
