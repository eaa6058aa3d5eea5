//! Token endpoints' answers: a token is text of the answer that a header can hold, and is never printed.

use registry_transport::Token;
use serde_json::Value;

/// Checks what every answer has to keep to.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let answer = serde_json::from_slice::<Value>(data);
    let object = answer.as_ref().ok().and_then(Value::as_object);
    match Token::parse(data) {
        Ok(token) => {
            let object = object.expect("a token of what is an object");
            accepted(&token, object);
        }
        Err(error) => {
            // Nothing of the answer is repeated.
            let text = error.to_string();
            let known = [
                "the answer is not JSON",
                "the answer has no token",
                "the token has characters that no header can hold",
            ];
            assert!(known.contains(&text.as_str()), "{text}");
            let usable = |name: &str| {
                let text = object.and_then(|object| object.get(name)).and_then(Value::as_str);
                text.filter(|text| !text.is_empty())
            };
            if let Some(secret) = usable("access_token").or_else(|| usable("token")) {
                assert!(!secret.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            }
        }
    }
}

fn accepted(token: &Token, object: &serde_json::Map<String, Value>) {
    let secret = token.secret().expect("a token").expose();
    assert!(!secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic()));
    let named = |name: &str| object.get(name).and_then(Value::as_str) == Some(secret);
    assert!(named("access_token") || named("token"));

    let life = token.life().as_secs();
    assert!(life == 0 || (60..=24 * 60 * 60).contains(&life), "{life}");
    match object.get("expires_in") {
        None | Some(Value::Null) => assert_eq!(life, 60),
        Some(Value::Number(seconds)) if seconds.as_f64().is_some_and(|seconds| seconds > 0.0) => {
            assert!(life > 0);
        }
        Some(_) => assert_eq!(life, 0),
    }

    let shown = format!("{token:?}");
    for secret in [&token.token, &token.access_token, &token.refresh_token].into_iter().flatten() {
        // Short ones are part of any text.
        assert!(secret.expose().len() < 16 || !shown.contains(secret.expose()), "{shown}");
    }
    let stored = serde_json::to_vec(token).expect("JSON");
    assert_eq!(Token::parse(&stored).as_ref(), Ok(token));
}
