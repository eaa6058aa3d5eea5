use super::*;

#[test]
fn every_known_code_survives_the_round_trip() {
    assert_eq!(ErrorCode::KNOWN.len(), 18);
    for code in ErrorCode::KNOWN {
        assert_eq!(&ErrorCode::from(code.as_str()), code);
    }
    assert_eq!(ErrorCode::from("RANGE_INVALID"), ErrorCode::Other("RANGE_INVALID".into()));
}

#[test]
fn an_error_document_is_read_leniently() {
    let cases: [(&str, &[&str]); 11] = [
        ("", &[]),
        ("not found\n", &[]),
        ("[1]", &[]),
        (r#"{"errors":[]}"#, &[]),
        (r#"{"errors":null}"#, &[]),
        (r#"{"errors":[{}, 7, "x"]}"#, &[]),
        (r#"{"errors":[{"code":"X"}]}"#, &["X"]),
        (
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":null}]}"#,
            &["MANIFEST_UNKNOWN: manifest unknown"],
        ),
        (
            r#"{"errors":[{"code":"A","message":"a"},{"code":"B","message":"b","detail":"more"}]}"#,
            &["A: a", "B: b; more"],
        ),
        (r#"{"errors":[{"code":"A","message":7,"detail":{"Tag":"x"}}]}"#, &[r#"A; {"Tag":"x"}"#]),
        ("{\"errors\":[{\"code\":\"A\",\"message\":\"\\u001b[2Jgone\"}]}", &["A: \\u{1b}[2Jgone"]),
    ];
    for (body, want) in cases {
        let got: Vec<_> =
            Diagnostic::parse_all(body.as_bytes()).iter().map(ToString::to_string).collect();
        assert_eq!(got, want, "{body}");
    }
}

#[test]
fn nesting_without_end_is_no_diagnostic_and_no_overflow() {
    // M07
    assert_eq!(Diagnostic::parse_all("[".repeat(100_000).as_bytes()), []);
    let nested = format!(r#"{{"errors":[{{"code":"A","detail":{}"#, "[".repeat(100_000));
    assert_eq!(Diagnostic::parse_all(nested.as_bytes()), []);
}
