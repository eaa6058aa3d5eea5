use super::*;

fn read(body: &str) -> Result<Token, TokenError> {
    Token::parse(body.as_bytes())
}

/// For how many seconds a token with this `expires_in` is used.
fn used_for(expires_in: &str, need: u64) -> u64 {
    let received = Instant::now();
    let token = read(&format!(r#"{{"token":"t"{expires_in}}}"#)).unwrap();
    let token = Held::new(&token, received).unwrap();
    let fresh =
        |s: &u64| token.is_fresh(received + Duration::from_secs(*s), Duration::from_secs(need));
    (0..200_000).take_while(fresh).count() as u64
}

#[test]
fn a_token_is_used_until_shortly_before_its_end() {
    // A13
    for (expires_in, want) in [
        ("", 54),
        (r#","expires_in":null"#, 54),
        (r#","expires_in":0"#, 0),
        (r#","expires_in":-1"#, 0),
        (r#","expires_in":"300""#, 0),
        (r#","expires_in":true"#, 0),
        (r#","expires_in":1"#, 54),
        (r#","expires_in":59"#, 54),
        (r#","expires_in":60"#, 54),
        (r#","expires_in":300"#, 270),
        (r#","expires_in":300.5"#, 271),
        (r#","expires_in":3600"#, 3240),
        (r#","expires_in":9.3e9"#, 77_760),
        (r#","expires_in":1e30"#, 77_760),
        // A14
        (r#","expires_in":300,"issued_at":"1969-01-01T00:00:00Z""#, 270),
        (r#","expires_in":300,"issued_at":"garbage""#, 270),
    ] {
        assert_eq!(used_for(expires_in, 0), want, "{expires_in}");
    }
}

#[test]
fn what_takes_long_needs_a_token_that_lasts() {
    for (expires_in, want) in
        [("", 30), (r#","expires_in":100"#, 70), (r#","expires_in":600"#, 540)]
    {
        assert_eq!(used_for(expires_in, 30), want, "{expires_in}");
    }
}

#[test]
fn a_token_is_found_under_either_name_and_nowhere_else() {
    // M18
    for (body, want) in [
        (r#"{"token":"t"}"#, "t"),
        (r#"{"access_token":"a"}"#, "a"),
        (r#"{"token":"t","access_token":"a"}"#, "a"),
        (r#"{"token":"t","access_token":""}"#, "t"),
        (r#"{"token":"t","access_token":null,"refresh_token":7}"#, "t"),
    ] {
        assert_eq!(read(body).unwrap().secret().unwrap().expose(), want, "{body}");
    }
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#"["t","t","t",60]"#,
        "<html>",
        r#"{"token":7}"#,
        r#"{"token":""}"#,
        "{\"token\":\"a\\r\\nb\"}",
    ] {
        assert!(read(body).is_err(), "{body}");
    }
    assert!(read(&"[".repeat(60_000)).is_err());
}

#[test]
fn a_token_can_be_stored_and_is_never_printed() {
    let text = r#"{"token":"canary-t","refresh_token":"canary-r","expires_in":300}"#;
    let token = read(text).unwrap();
    assert_eq!(serde_json::to_string(&token).unwrap(), text);
    let held = Held::new(&token, Instant::now());
    assert!(!format!("{token:?}{held:?}").contains("canary"));
}
