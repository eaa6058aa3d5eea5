//! What people read when a name is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests")]

use registry_name::{
    Algorithm, Defaults, Digest, ParseError, Reference, Registry, Repository, Tag,
};

/// Input, message, hint.
type Row = (&'static str, &'static str, &'static str);

const REFERENCES: &[Row] = &[
    ("", r#"invalid reference in "" at byte 0: the reference is empty"#, ""),
    ("/a", r#"invalid repository in "/a" at byte 0: a repository does not start with a slash"#, ""),
    ("a/", r#"invalid repository in "a/" at byte 2: a repository does not end in a slash"#, ""),
    ("a//b", r#"invalid repository in "a//b" at byte 2: there is nothing between two slashes"#, ""),
    (
        "docker.io/",
        r#"invalid repository in "docker.io/" at byte 10: the repository is missing"#,
        "",
    ),
    (
        "ubuntu:",
        r#"invalid tag in "ubuntu:" at byte 7: the tag is missing"#,
        r#"leave out the ":", or write a tag"#,
    ),
    (
        "ubuntu\r\n",
        r#"invalid repository in "ubuntu\r\n" at byte 6: '\r' is not allowed in a repository"#,
        "remove the white space",
    ),
    (
        "ubuntu:-x",
        r#"invalid tag in "ubuntu:-x" at byte 7: a tag starts with a letter, a digit or "_""#,
        "",
    ),
    (
        "ubuntu:a b",
        r#"invalid tag in "ubuntu:a b" at byte 8: ' ' is not allowed in a tag"#,
        "remove the white space",
    ),
    (
        "ubuntu:a/b",
        r#"invalid port in "ubuntu:a/b" at byte 7: 'a' is not allowed in a port"#,
        "what stands before the first slash is a registry, its port after a colon",
    ),
    (
        "gcr.io/Foo/Bar",
        r#"invalid repository in "gcr.io/Foo/Bar" at byte 7: 'F' is not allowed in a repository"#,
        r#"repository names are lower-case: write "foo/bar""#,
    ),
    (
        "Foo/bar:x",
        r#"invalid repository in "Foo/bar:x" at byte 0: a repository has no upper-case letters"#,
        r#"write "foo/bar"; a registry would have a dot or a port"#,
    ),
    (
        "gcr.io:99999/a",
        r#"invalid port in "gcr.io:99999/a" at byte 7: a port is a number from 1 to 65535"#,
        "",
    ),
    ("gcr.io:/a", r#"invalid port in "gcr.io:/a" at byte 7: the port is missing"#, ""),
    (
        "[::1/foo",
        r#"invalid registry in "[::1/foo" at byte 4: the bracket of the IPv6 address is not closed"#,
        "",
    ),
    (
        "2001:db8::1/foo",
        r#"invalid registry in "2001:db8::1/foo" at byte 0: an IPv6 address stands in brackets"#,
        r#"write "[2001:db8::1]""#,
    ),
    ("[1:2]/foo", r#"invalid registry in "[1:2]/foo" at byte 1: "1:2" is not an IPv6 address"#, ""),
    (
        "10.256.0.0/a",
        r#"invalid registry in "10.256.0.0/a" at byte 9: a host that ends in a number is an IPv4 address, four numbers up to 255"#,
        "",
    ),
    (
        "-foo.com/x",
        r#"invalid registry in "-foo.com/x" at byte 0: a label of the host starts with a dash"#,
        "",
    ),
    (
        "foo-.com/x",
        r#"invalid registry in "foo-.com/x" at byte 3: a label of the host ends in a dash"#,
        "",
    ),
    (
        "foo..com/x",
        r#"invalid registry in "foo..com/x" at byte 4: a label of the host is empty"#,
        "",
    ),
    (
        "https://gcr.io/foo:tag",
        r#"invalid registry in "https://gcr.io/foo:tag" at byte 0: a name has no scheme"#,
        r#"write "gcr.io/foo:tag""#,
    ),
    (
        "docker://ubuntu",
        r#"invalid registry in "docker://ubuntu" at byte 0: a name has no scheme"#,
        r#"write "ubuntu""#,
    ),
    (
        "gcr.io/foo?x",
        r#"invalid repository in "gcr.io/foo?x" at byte 10: '?' is not allowed in a repository"#,
        "a reference is not a URL: no query, no fragment, no percent-encoding",
    ),
    (
        "gcr%2eio.x/foo",
        r#"invalid registry in "gcr%2eio.x/foo" at byte 3: '%' is not allowed in a host"#,
        "a reference is not a URL: no query, no fragment, no percent-encoding",
    ),
    (
        "gcr.іo/foo",
        r#"invalid registry in "gcr.іo/foo" at byte 4: 'і' is not allowed in a host"#,
        r#"write an international domain name in its "xn--" form"#,
    ),
    (
        "a\\b",
        r#"invalid repository in "a\\b" at byte 1: '\\' is not allowed in a repository"#,
        r#"path components are separated by "/""#,
    ),
    (
        "a___b",
        r#"invalid repository in "a___b" at byte 3: letters and digits are joined by one of ".", "_", "__" or dashes"#,
        "",
    ),
    (
        "a-/b",
        r#"invalid repository in "a-/b" at byte 1: a path component ends in a lower-case letter or a digit"#,
        "",
    ),
    (
        "gcr.io/../a",
        r#"invalid repository in "gcr.io/../a" at byte 7: a path component starts with a lower-case letter or a digit"#,
        "",
    ),
    (
        "foo@",
        r#"invalid digest in "foo@" at byte 4: the digest is missing"#,
        r#"leave out the "@", or write a digest"#,
    ),
    (
        "foo@sha256",
        r#"invalid digest in "foo@sha256" at byte 10: a digest is an algorithm, a colon and hexadecimal digits"#,
        "",
    ),
    (
        "foo@md5:0123",
        r#"invalid digest algorithm in "foo@md5:0123" at byte 4: "md5" is not supported, only "sha256" and "sha512" are"#,
        "",
    ),
    (
        "foo@SHA256:0123",
        r#"invalid digest algorithm in "foo@SHA256:0123" at byte 4: "SHA256" is not supported, only "sha256" and "sha512" are"#,
        "algorithm names are lower-case",
    ),
    (
        "foo@sha256:0123",
        r#"invalid digest in "foo@sha256:0123" at byte 15: a sha256 digest has 64 hexadecimal digits, this one has 4"#,
        "",
    ),
    (
        "foo@sha256:01AB",
        r#"invalid digest in "foo@sha256:01AB" at byte 13: 'A' is not allowed among a digest's hexadecimal digits"#,
        "the digits of a digest are lower-case",
    ),
    (
        "foo@sha256:01:tag",
        r#"invalid digest in "foo@sha256:01:tag" at byte 13: ':' is not allowed among a digest's hexadecimal digits"#,
        r#"a tag stands before the "@""#,
    ),
    (
        "foo:sha256:0123",
        r#"invalid tag in "foo:sha256:0123" at byte 10: ':' is not allowed in a tag"#,
        r#"a digest follows "@", not ":""#,
    ),
    (
        "x\u{202e}y",
        r#"invalid repository in "x\u{202e}y" at byte 1: '\u{202e}' is not allowed in a repository"#,
        "",
    ),
];

const REGISTRIES: &[Row] = &[
    ("", r#"invalid registry in "" at byte 0: the registry is missing"#, ""),
    (
        "MyHost",
        r#"invalid registry in "MyHost" at byte 0: a registry has a dot or a port, or is "localhost""#,
        r#"write a port, "myhost:443""#,
    ),
    (
        "ghcr.io/x",
        r#"invalid registry in "ghcr.io/x" at byte 7: '/' is not allowed in a host"#,
        "a registry has no path",
    ),
    (
        "https://ghcr.io/",
        r#"invalid registry in "https://ghcr.io/" at byte 0: a name has no scheme"#,
        r#"write "ghcr.io""#,
    ),
    (
        "a.b:1:2",
        r#"invalid port in "a.b:1:2" at byte 5: ':' is not allowed in a port"#,
        "what stands before the first slash is a registry, its port after a colon",
    ),
];

const REPOSITORIES: &[Row] = &[
    (
        "ghcr.io/x:y",
        r#"invalid tag in "ghcr.io/x:y" at byte 9: a repository has no tag"#,
        "leave it out: this is about a whole repository",
    ),
    (
        "x@sha256:0",
        r#"invalid digest in "x@sha256:0" at byte 1: a repository has no digest"#,
        "leave it out: this is about a whole repository",
    ),
];

const STRICT: &[Row] = &[
    (
        "ubuntu",
        r#"invalid registry in "ubuntu" at byte 0: the registry is not written"#,
        r#"nothing is assumed here; Docker Hub is "docker.io/""#,
    ),
    (
        "gcr.io/x",
        r#"invalid reference in "gcr.io/x" at byte 8: neither a tag nor a digest is written"#,
        r#"write a tag, "gcr.io/x:latest""#,
    ),
    (
        "docker.io/x:y",
        r#"invalid repository in "docker.io/x:y" at byte 10: the namespace is not written"#,
        r#"official images are in "library/" on Docker Hub"#,
    ),
];

#[track_caller]
fn check<T: std::fmt::Debug>((input, message, hint): &Row, parsed: Result<T, ParseError>) {
    let error = parsed.expect_err(input);
    assert_eq!(error.to_string(), *message);
    assert_eq!(error.hint().unwrap_or_default(), *hint, "{input:?}");
    assert_eq!(error.input(), *input);
    assert!(message.ends_with(error.reason()));
}

#[test]
fn every_message_names_component_byte_and_reason() {
    for row in REFERENCES {
        check(row, row.0.parse::<Reference>());
    }
    for row in REGISTRIES {
        check(row, row.0.parse::<Registry>());
    }
    for row in REPOSITORIES {
        check(row, row.0.parse::<Repository>());
    }
    for row in STRICT {
        check(row, Reference::parse(row.0, &Defaults::strict()));
    }
}

#[test]
fn the_parts_on_their_own_count_from_their_own_start() {
    let messages = [
        Tag::try_from("a b").unwrap_err().to_string(),
        Digest::try_from("sha256:x").unwrap_err().to_string(),
        Algorithm::try_from("sha1").unwrap_err().to_string(),
    ];
    assert_eq!(
        messages,
        [
            r#"invalid tag in "a b" at byte 1: ' ' is not allowed in a tag"#,
            r#"invalid digest in "sha256:x" at byte 7: 'x' is not allowed among a digest's hexadecimal digits"#,
            r#"invalid digest algorithm in "sha1" at byte 0: "sha1" is not supported, only "sha256" and "sha512" are"#,
        ]
    );
}

#[test]
fn a_limit_is_named_with_what_was_found() {
    let reason = |input: &str| input.parse::<Reference>().unwrap_err().reason().to_owned();
    assert_eq!(
        reason(&format!("a.b/{}", "a".repeat(256))),
        "a repository has at most 255 bytes, this one has 256"
    );
    assert_eq!(
        reason(&"a".repeat(250)),
        "a repository has at most 255 bytes, this one has 258 with its namespace"
    );
    assert_eq!(
        reason(&format!("a:{}", "t".repeat(129))),
        "a tag has at most 128 bytes, this one has 129"
    );
    let error = "a".repeat(64).parse::<Reference>().unwrap_err();
    assert_eq!(error.reason(), "64 hexadecimal digits are an image's identifier, not a name");
    assert_eq!(error.hint(), Some("a digest is written behind a name, \"name@sha256:…\""));
    let error = format!("foo@{}", "A".repeat(64)).parse::<Reference>().unwrap_err();
    assert_eq!(error.hint(), Some("write \"sha256:\" before the digits"));
}

#[test]
fn x04_a_password_in_front_of_the_host_is_not_repeated() {
    let inputs = [
        "user:hunter2@host.example/foo",
        "user:hunter2@host.example:5000/foo:tag",
        "https://user:hunter2@host.example/foo",
        "user:hunter2@shady.example/foo",
        "user:hun@hunter2@host.example/foo",
        "user:hunter2/x@host.example/foo",
        "user:hunter2@host.example",
        "user:hunter2@shared.example",
        "user:hunter2@localhost:5000",
        "user:hunter2@[::1]",
        "user:hunter2/x@host.example",
    ];
    for input in inputs {
        let reference = input.parse::<Reference>().unwrap_err();
        let registry = input.parse::<Registry>().unwrap_err();
        for error in [reference, registry] {
            let all = format!("{error} {error:?} {:?} {}", error.hint(), error.caret());
            assert!(!all.contains("hunter2"), "{all}");
            assert_eq!(error.input().len(), input.len());
        }
    }
    let error = "user:hunter2@host.example/foo".parse::<Reference>().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"invalid registry in "user:*******@host.example/foo" at byte 12: a name carries no user"#
    );
    assert_eq!(error.hint(), Some("log in to the registry instead"));
    let names =
        ["app:v1@sha256", "app:v1@sha256:12", "host:5000/App:v1@x", "app:v1@md5:ab", "app:v1@"];
    for input in names {
        assert_eq!(input.parse::<Reference>().unwrap_err().input(), input);
    }
}

#[test]
fn x05_the_caret_stands_under_the_byte_and_nothing_moves_the_cursor() {
    let caret = |input: &str| input.parse::<Reference>().unwrap_err().caret();
    assert_eq!(caret("gcr.io/föö"), "gcr.io/föö\n        ^");
    assert_eq!(caret("gcr.io/öX"), "gcr.io/öX\n       ^");
    assert_eq!(caret("a\u{1b}[31m\n"), "a?[31m?\n ^");
    assert_eq!(caret("ubuntu:"), "ubuntu:\n       ^");
    let long = format!("gcr.io/{}!{}", "a".repeat(200), "b".repeat(200));
    let drawing = caret(&long);
    let (line, pointer) = drawing.split_once('\n').unwrap();
    assert_eq!(line.chars().nth(pointer.len() - 1), Some('!'));
    assert!(line.starts_with('…') && line.ends_with('…') && line.chars().count() < 80, "{line}");
}

#[test]
fn a_long_input_does_not_make_a_long_message() {
    let error = "é".repeat(1 << 20).parse::<Reference>().unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}
