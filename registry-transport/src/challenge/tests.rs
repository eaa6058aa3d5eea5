use super::Challenge;

/// `scheme{key=value …}`, as the table writes it.
fn shown(challenge: &Challenge) -> String {
    let parameters: Vec<_> = challenge
        .parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("{}{{{}}}", challenge.scheme, parameters.join(" "))
}

fn parsed(lines: &[&str]) -> String {
    let challenges = Challenge::parse_all(lines.iter().map(|line| line.as_bytes()));
    challenges.iter().map(shown).collect::<Vec<_>>().join(" + ")
}

#[test]
fn one_line_is_read_however_it_is_spelled() {
    // A04, A05
    let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
    for (line, want) in [
        ("", ""),
        ("Basic", "basic{}"),
        ("BASIC", "basic{}"),
        ("basic ", "basic{}"),
        (" Basic realm=x", "basic{realm=x}"),
        (r#"Basic realm="x""#, "basic{realm=x}"),
        ("Basic realm=", "basic{}"),
        (r#"Basic realm="""#, "basic{}"),
        ("Basic realm", "basic{}"),
        (r#"Basic realm = "x""#, "basic{realm=x}"),
        (r#"Basic realm= "x""#, "basic{realm=x}"),
        (
            hub,
            "bearer{realm=https://auth.docker.io/token service=registry.docker.io scope=repository:a/b:pull,push}",
        ),
        (
            r#"Bearer realm="r", service="s" , scope="a:b:c d:e:f""#,
            "bearer{realm=r service=s scope=a:b:c d:e:f}",
        ),
        (r#"Bearer realm="https://a/token";service="s""#, "bearer{realm=https://a/token}"),
        ("Bearer realm=https://a/token,service=s", "bearer{realm=https://a/token service=s}"),
        (r#"Bearer realm="r" service="s""#, "bearer{realm=r service=s}"),
        (r#"Bearer REALM="X",Service="Y""#, "bearer{realm=X service=Y}"),
        (r#"Bearer realm="a\"b""#, "bearer{realm=a\"b}"),
        (r#"Bearer realm="a\\b""#, r"bearer{realm=a\b}"),
        (r#"Bearer realm="a\b""#, "bearer{realm=ab}"),
        (r#"Bearer realm="a",,service="b""#, "bearer{realm=a service=b}"),
        (r#"Bearer ,realm="a""#, "bearer{realm=a}"),
        (
            r#"Bearer realm="a",error="invalid_token",error_description="bad, token""#,
            "bearer{realm=a error=invalid_token error_description=bad, token}",
        ),
        (r#"Bearer realm="a", Basic realm="b""#, "bearer{realm=a} + basic{realm=b}"),
        (
            r#"Basic realm="b", Bearer realm="a",service="s""#,
            "basic{realm=b} + bearer{realm=a service=s}",
        ),
        ("Negotiate", "negotiate{}"),
        (r#"Negotiate, Basic realm="x""#, "negotiate{} + basic{realm=x}"),
        ("Negotiate YII=", "negotiate{}"),
        (r#"NTLM TlRMTVNTUAAC==, Basic realm="x""#, "ntlm{} + basic{realm=x}"),
        (r#"Basic realm="x", charset="UTF-8""#, "basic{realm=x charset=UTF-8}"),
        (r#""Bearer" realm="a""#, ""),
        ("Bearer realm=\"é\"", "bearer{realm=é}"),
        ("Bearer realm='a'", "bearer{realm='a'}"),
        ("scope=foo", ""),
        ("Bearer scope=foo", "bearer{scope=foo}"),
        ("=foo", ""),
        (r#"Bearer:realm="a""#, ""),
        (r#"Bearer realm="a",scope="""#, "bearer{realm=a}"),
    ] {
        assert_eq!(parsed(&[line]), want, "{line}");
    }
}

#[test]
fn a_challenge_that_can_be_read_in_two_ways_is_not_used() {
    // A05
    for line in [
        r#"bearer realm="a",realm="b""#,
        r#"Bearer realm="a",service="unterminated"#,
        r#"Bearer realm="a\"#,
        "Bearer realm=\"a\u{7}b\"",
        "Bearer realm=\"a\", service=\"b\u{0}\"",
    ] {
        assert_eq!(parsed(&[line]), "", "{line:?}");
    }
    let long = format!("Bearer realm=\"{}\"", "a".repeat(64 << 10));
    assert_eq!(parsed(&[&long]), "");
}

#[test]
fn bearer_is_answered_before_basic_and_nothing_else_is_in_every_order() {
    // A03
    let lines = ["Negotiate", r#"Bearer realm="https://t""#, r#"Basic realm="b""#];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let lines = order.map(|n| lines[n].as_bytes());
        let challenges = Challenge::parse_all(lines);
        assert_eq!(challenges.len(), 3);
        assert_eq!(Challenge::best(&challenges).map(Challenge::scheme), Some("bearer"));
    }
    let without_realm = Challenge::parse_all([b"Bearer".as_slice(), b"Basic".as_slice()]);
    assert_eq!(Challenge::best(&without_realm).map(Challenge::scheme), Some("basic"));
    let unsupported = Challenge::parse_all([b"Negotiate, Digest realm=\"x\"".as_slice()]);
    assert_eq!(Challenge::best(&unsupported), None);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    // A05: every prefix and every single-byte change of a full header
    let line = br#"Negotiate YII=, Bearer realm="https://a/t\"x",service=s,scope="a:b:c", Basic realm="x""#;
    for end in 0..line.len() {
        let _ = Challenge::parse_all([&line[..end]]);
        for byte in [0, b'"', b'\\', b',', b'=', b' ', 0x80, 0xff] {
            let mut changed = line.to_vec();
            changed[end] = byte;
            let _ = Challenge::parse_all([changed.as_slice()]);
        }
    }
}
