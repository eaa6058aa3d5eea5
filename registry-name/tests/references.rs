//! What every kind of reference means, or where it goes wrong. The rows follow the fact table of the
//! distribution grammar; a row where this crate differs on purpose names the rule that it follows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests")]

use registry_name::{Component, Component as C, Defaults, Reference, Repository};

fn fill(template: &str) -> String {
    template
        .replace("<H>", &"a".repeat(64))
        .replace("<H63>", &"a".repeat(63))
        .replace("<HUP>", &"A".repeat(64))
        .replace("<128>", &"b".repeat(128))
        .replace("<a*96>", &"a".repeat(96))
        .replace("<a*32>", &"a".repeat(32))
        .replace("<a*127>", &"a".repeat(127))
        .replace("<b*127>", &"b".repeat(127))
        .replace("<a*247>", &"a".repeat(247))
        .replace("<a*248>", &"a".repeat(248))
        .replace("<a*255>", &"a".repeat(255))
        .replace("<a*256>", &"a".repeat(256))
        .replace("<t*128>", &"t".repeat(128))
        .replace("<t*129>", &"t".repeat(129))
        .replace("<h*250>", &"h".repeat(250))
}

/// Input and canonical form.
const ACCEPTED: &[(&str, &str)] = &[
    // Docker Hub's short names (distribution, ParseNormalizedNamed)
    ("a", "docker.io/library/a:latest"),
    ("0", "docker.io/library/0:latest"),
    ("ubuntu", "docker.io/library/ubuntu:latest"),
    ("ubuntu:latest", "docker.io/library/ubuntu:latest"),
    ("ubuntu:Latest", "docker.io/library/ubuntu:Latest"),
    ("ubuntu:22.04", "docker.io/library/ubuntu:22.04"),
    ("ubuntu:_x", "docker.io/library/ubuntu:_x"),
    ("ubuntu:0", "docker.io/library/ubuntu:0"),
    ("library/ubuntu", "docker.io/library/ubuntu:latest"),
    ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    ("docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"),
    ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    ("index.docker.io/library/ubuntu:18.04", "docker.io/library/ubuntu:18.04"),
    ("docker.io/a/b/c", "docker.io/a/b/c:latest"),
    // Docker Hub's API host is Docker Hub.
    ("registry-1.docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"),
    ("registry-1.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    // Hosts are lower-cased (RFC 3986 §3.2.2), so this is Docker Hub, too.
    ("Docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
    // A port names an endpoint, not Docker Hub.
    ("docker.io:443/ubuntu", "docker.io:443/ubuntu:latest"),
    // What stands before the first slash is a host if it has a dot or a colon, or is localhost.
    ("localhost", "docker.io/library/localhost:latest"),
    ("localhost:5000", "docker.io/library/localhost:5000"),
    ("localhost:5000/foo", "localhost:5000/foo:latest"),
    ("localhost:5000/foo:bar", "localhost:5000/foo:bar"),
    ("LOCALHOST/foo", "localhost/foo:latest"),
    ("LocalHost/foo", "localhost/foo:latest"),
    ("localhost.localdomain/foo", "localhost.localdomain/foo:latest"),
    ("foo.local/bar", "foo.local/bar:latest"),
    ("foo.local:5000/bar", "foo.local:5000/bar:latest"),
    ("gcr.io", "docker.io/library/gcr.io:latest"),
    ("gcr.io/foo", "gcr.io/foo:latest"),
    ("gcr.io/foo/bar/baz:tag", "gcr.io/foo/bar/baz:tag"),
    ("GCR.io:5000/foo", "gcr.io:5000/foo:latest"),
    ("gcr.io:5000/foo:tag", "gcr.io:5000/foo:tag"),
    ("gcr.io:1/a", "gcr.io:1/a:latest"),
    ("gcr.io:65535/a", "gcr.io:65535/a:latest"),
    ("gcr.io:00443/a", "gcr.io:443/a:latest"),
    ("foo:8080", "docker.io/library/foo:8080"),
    ("xn--exmple-cua.com/foo", "xn--exmple-cua.com/foo:latest"),
    ("a.b", "docker.io/library/a.b:latest"),
    ("a.b/c", "a.b/c:latest"),
    ("a.b:c", "docker.io/library/a.b:c"),
    ("a_b/c", "docker.io/a_b/c:latest"),
    ("a-b/c", "docker.io/a-b/c:latest"),
    ("a/b.c/d", "docker.io/a/b.c/d:latest"),
    ("mirror.gcr.io/ubuntu", "mirror.gcr.io/ubuntu:latest"),
    ("public.ecr.aws/docker/library/busybox:1", "public.ecr.aws/docker/library/busybox:1"),
    ("quay.io/a/b", "quay.io/a/b:latest"),
    ("k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1"),
    (
        "mcr.microsoft.com/windows/servercore:ltsc2019",
        "mcr.microsoft.com/windows/servercore:ltsc2019",
    ),
    ("host.docker.internal:5000/x", "host.docker.internal:5000/x:latest"),
    // addresses
    ("127.0.0.1/foo", "127.0.0.1/foo:latest"),
    ("127.0.0.2:5000/foo", "127.0.0.2:5000/foo:latest"),
    ("10.0.0.1/foo", "10.0.0.1/foo:latest"),
    ("172.16.0.1:5000/foo", "172.16.0.1:5000/foo:latest"),
    ("192.168.0.1/foo", "192.168.0.1/foo:latest"),
    ("169.254.1.1/foo", "169.254.1.1/foo:latest"),
    ("100.64.0.1/foo", "100.64.0.1/foo:latest"),
    ("0.0.0.0:5000/foo", "0.0.0.0:5000/foo:latest"),
    ("[::1]/foo", "[::1]/foo:latest"),
    ("[::1]:5000/foo", "[::1]:5000/foo:latest"),
    ("[2001:DB8::1]/foo:tag", "[2001:db8::1]/foo:tag"),
    ("[2001:db8::1]/foo:tag", "[2001:db8::1]/foo:tag"),
    ("[fd00::1]:5000/foo", "[fd00::1]:5000/foo:latest"),
    // path components
    ("gcr.io/a--b", "gcr.io/a--b:latest"),
    ("gcr.io/a__b", "gcr.io/a__b:latest"),
    ("gcr.io/a---b_c.d/e", "gcr.io/a---b_c.d/e:latest"),
    // limits: 255 bytes of path (not counting the registry), 128 of tag
    ("gcr.io/<a*255>", "gcr.io/<a*255>:latest"),
    ("<a*247>", "docker.io/library/<a*247>:latest"),
    ("gcr.io/a:<t*128>", "gcr.io/a:<t*128>"),
    ("<h*250>.io/a", "<h*250>.io/a:latest"),
    ("gcr.io/<a*127>/<b*127>", "gcr.io/<a*127>/<b*127>:latest"),
    // digests
    ("foo@sha256:<H>", "docker.io/library/foo@sha256:<H>"),
    ("<H>:tag", "docker.io/library/<H>:tag"),
    ("docker.io/foo@sha256:<H>", "docker.io/library/foo@sha256:<H>"),
    ("gcr.io@sha256:<H>", "docker.io/library/gcr.io@sha256:<H>"),
    // sha512 is registered (OCI image specification, "Digests").
    ("foo@sha512:<128>", "docker.io/library/foo@sha512:<128>"),
    // I10: both stay
    ("gcr.io/foo:tag@sha256:<H>", "gcr.io/foo:tag@sha256:<H>"),
    ("localhost:5000/foo:tag@sha256:<H>", "localhost:5000/foo:tag@sha256:<H>"),
];

/// Input, component, byte.
const REFUSED: &[(&str, Component, usize)] = &[
    ("", C::Reference, 0),
    ("/", C::Repository, 0),
    (":", C::Repository, 0),
    ("@", C::Repository, 0),
    ("@@", C::Repository, 0),
    ("-", C::Repository, 0),
    (".", C::Repository, 0),
    ("_", C::Repository, 0),
    ("a/", C::Repository, 2),
    ("/a", C::Repository, 0),
    ("ubuntu:", C::Tag, 7),
    ("ubuntu: latest", C::Tag, 7),
    (" ubuntu", C::Repository, 0),
    ("ubuntu ", C::Repository, 6),
    ("ubuntu\t", C::Repository, 6),
    ("ubuntu\r\n", C::Repository, 6),
    ("ubu\0ntu", C::Repository, 3),
    ("ubuntu:a:b", C::Tag, 8),
    ("ubuntu:-x", C::Tag, 7),
    ("ubuntu:.x", C::Tag, 7),
    ("ubuntu:a/b", C::Port, 7),
    ("ubuntu:a@b", C::Digest, 10),
    ("docker.io/", C::Repository, 10),
    ("localhost/", C::Repository, 10),
    ("gcr.io/Foo", C::Repository, 7),
    // A port is a number from 1 to 65535 (RFC 6335 §6: 0 is reserved); the grammar has any digits.
    ("gcr.io:99999/a", C::Port, 7),
    ("gcr.io:65536/a", C::Port, 7),
    ("gcr.io:0/a", C::Port, 7),
    ("gcr.io:abc/a", C::Port, 7),
    ("gcr.io:-1/a", C::Port, 7),
    ("gcr.io:/a", C::Port, 7),
    ("[::1/foo", C::Registry, 4),
    ("[::1]x/foo", C::Registry, 5),
    ("2001:db8::1/foo", C::Registry, 0),
    ("[fe80::1%25eth0]/foo", C::Registry, 8),
    ("[::ffff:127.0.0.1]/foo", C::Registry, 11),
    // An address that is none (RFC 4291 §2.2); the grammar has any hexadecimal digits and colons.
    ("[1:2]/foo", C::Registry, 1),
    // What ends in a number is an IPv4 address (URL standard, host parsing); the grammar has any label.
    ("127.1/foo", C::Registry, 4),
    ("10.256.0.0:1/foo", C::Registry, 9),
    // Hosts are lower-cased, and `foo/bar` is a repository on Docker Hub; the grammar has a host here.
    ("Foo/bar", C::Repository, 0),
    ("-foo.com/x", C::Registry, 0),
    ("foo-.com/x", C::Registry, 3),
    ("foo..com/x", C::Registry, 4),
    (".com/x", C::Registry, 0),
    ("com./x", C::Registry, 4),
    ("foo:bar/baz", C::Port, 4),
    ("user:pw@host.com/foo", C::Registry, 7),
    ("http://gcr.io/foo", C::Registry, 0),
    ("https://gcr.io/foo:tag", C::Registry, 0),
    ("docker://gcr.io/foo", C::Registry, 0),
    ("gcr.io/foo?x=y", C::Repository, 10),
    ("gcr.io?x/foo", C::Registry, 6),
    ("gcr%2eio/foo", C::Repository, 3),
    ("gcr.io%3a5000/foo", C::Registry, 6),
    ("gcr.io/föö", C::Repository, 8),
    ("gcr.іo/foo", C::Registry, 4), // a Cyrillic і
    ("a\\b.c/x", C::Registry, 1),
    ("a/b:c/d", C::Tag, 5),
    ("a___b/c", C::Repository, 3),
    ("a._b", C::Repository, 2),
    ("a_.b", C::Repository, 2),
    ("-a/b", C::Repository, 0),
    ("_a/b", C::Repository, 0),
    ("a-/b", C::Repository, 1),
    ("a_/b", C::Repository, 1),
    ("gcr.io/a/../b", C::Repository, 9),
    ("gcr.io/../a", C::Repository, 7),
    ("gcr.io/./a", C::Repository, 7),
    ("gcr.io/.a", C::Repository, 7),
    ("gcr.io/a.", C::Repository, 8),
    ("gcr.io/a_", C::Repository, 8),
    ("gcr.io/a___b", C::Repository, 10),
    ("gcr.io/a..b", C::Repository, 9),
    ("gcr.io/-a", C::Repository, 7),
    ("gcr.io/a/", C::Repository, 9),
    ("gcr.io//a", C::Repository, 7),
    ("gcr.io/a//b", C::Repository, 9),
    ("gcr.io/a+b", C::Repository, 8),
    ("gcr.io/a\\b", C::Repository, 8),
    ("gcr.io/$x", C::Repository, 7),
    ("gcr.io/<a*256>", C::Repository, 262),
    ("<a*256>", C::Repository, 255),
    ("<a*248>", C::Repository, 247),
    ("gcr.io/a:<t*129>", C::Tag, 137),
    ("foo@sha256:<HUP>", C::Digest, 11),
    ("foo@sha256:<H63>", C::Digest, 74),
    ("foo@sha256:<H>a", C::Digest, 75),
    ("foo@sha512:<H>", C::Digest, 75),
    ("foo@sha384:<a*96>", C::Algorithm, 4),
    ("foo@md5:<a*32>", C::Algorithm, 4),
    ("foo@sha256", C::Digest, 10),
    ("foo@sha256:", C::Digest, 11),
    ("foo@", C::Digest, 4),
    ("foo:tag@", C::Digest, 8),
    ("foo:@sha256:<H>", C::Tag, 4),
    ("foo:BAD TAG@sha256:<H>", C::Tag, 7),
    ("foo:<t*129>@sha256:<H>", C::Tag, 132),
    ("@sha256:<H>", C::Repository, 0),
    ("<H>", C::Reference, 0),
    ("foo@sha256:<H>@sha256:<H>", C::Digest, 75),
    ("foo@SHA256:<H>", C::Algorithm, 4),
    ("foo:a:b@sha256:<H>", C::Tag, 5),
    ("foo@<H>", C::Digest, 68),
    ("foo@sha256: <H>", C::Digest, 11),
    ("foo@sha256:<H>:tag", C::Digest, 75),
    ("foo@sha256+b64:<H>", C::Algorithm, 4),
    ("Foo@sha256:<H>", C::Repository, 0),
    ("repo:tag/with/slash", C::Port, 5),
    ("gcr.io:5000:6000/foo:tag", C::Port, 11),
    ("gcr.io/foo:tag:tag2", C::Tag, 14),
];

#[test]
fn n01_every_accepted_reference_means_what_docker_means_and_round_trips() {
    for (input, canonical) in ACCEPTED {
        let (input, canonical) = (fill(input), fill(canonical));
        let parsed: Reference = input.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed.to_string(), canonical, "{input:?}");
        assert_eq!(canonical.parse::<Reference>().as_ref(), Ok(&parsed), "{input:?}");
        assert_eq!(parsed.familiar().to_string().parse::<Reference>().as_ref(), Ok(&parsed));
    }
}

#[test]
fn n01_every_refused_reference_says_which_component_and_byte() {
    for (input, component, offset) in REFUSED {
        let input = fill(input);
        let error = input.parse::<Reference>().expect_err(&input);
        assert_eq!((error.component(), error.offset()), (*component, *offset), "{error}");
        assert!(error.input().is_char_boundary(error.offset()), "{input:?}");
    }
}

/// Canonical names leave nothing out; with nothing to assume, an accepted name means what it says.
#[test]
fn strict_parsing_assumes_nothing() {
    for (input, canonical) in ACCEPTED {
        let (input, canonical) = (fill(input), fill(canonical));
        let parsed: Reference = input.parse().unwrap();
        assert_eq!(Reference::parse(&canonical, &Defaults::strict()).as_ref(), Ok(&parsed));
        match Reference::parse(&input, &Defaults::strict()) {
            Ok(strict) => assert_eq!(strict, parsed, "{input:?}"),
            Err(error) => assert!(
                error.reason().ends_with("is written") || error.reason().ends_with("not written"),
                "{error}"
            ),
        }
    }
    let strict = |input: &str| Reference::parse(input, &Defaults::strict());
    for incomplete in [
        "ubuntu",
        "ubuntu:22.04",
        "docker.io/ubuntu:22.04",
        "ghcr.io/a/b",
        "localhost:5000",
        "a/b:c",
    ] {
        assert!(strict(incomplete).is_err(), "{incomplete}");
    }
    for complete in [
        "docker.io/library/ubuntu:22.04",
        "index.docker.io/a/b:c",
        "localhost:5000/foo:bar",
        "LOCALHOST/a:B",
    ] {
        assert!(strict(complete).is_ok(), "{complete}");
    }
}

#[test]
fn i10_a_digest_decides_and_remembers_its_tag() {
    let text = fill("gcr.io/foo:tag@sha256:<H>");
    let both: Reference = text.parse().unwrap();
    assert_eq!(both.tag().map(registry_name::Tag::as_str), Some("tag"));
    assert_eq!(both.identifier().to_string(), fill("sha256:<H>"));
    let (repository, identifier) = both.clone().into_parts();
    assert_eq!(repository, "gcr.io/foo".parse::<Repository>().unwrap());
    assert_eq!(identifier.digest(), both.digest());
}
