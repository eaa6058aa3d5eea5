//! Tokens: what a token endpoint answers, and how long it may be used.

mod cache;
mod exchange;

use std::time::{Duration, Instant};

use registry_authn::Secret;
use serde_json::Value;

pub(crate) use self::cache::{Cache, Key};
pub(crate) use self::exchange::{Exchange, exchange};

/// A token lives this long if its answer does not say (token specification, `expires_in`), and at least this long.
const SHORTEST: Duration = Duration::from_secs(60);
/// No token is used for longer without asking again.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A bearer token and the span in which it may be used.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    received: Instant,
    life: Life,
}

/// What `expires_in` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// For the request it was fetched for, and no other one.
    Once,
    For(Duration),
}

impl Token {
    /// Whether it may still be used: it is replaced a tenth of its life, and at least 5 s, before its end.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        match self.life {
            Life::Once => false,
            Life::For(life) => {
                let margin = (life / 10).max(Duration::from_secs(5));
                now.saturating_duration_since(self.received) < life.saturating_sub(margin)
            }
        }
    }
}

/// Reads a token endpoint's answer. `issued_at` is not looked at: clocks disagree, and the time of receipt is our own.
pub(crate) fn parse(body: &[u8], received: Instant) -> Result<Token, &'static str> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    // OAuth2 names it `access_token`; both may be there and are the same then.
    let secret = text("access_token").or_else(|| text("token")).ok_or("the answer has no token")?;
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the token has characters that no header can hold");
    }
    Ok(Token { secret: Secret::new(secret), received, life: life(answer.get("expires_in")) })
}

fn life(expires_in: Option<&Value>) -> Life {
    let seconds = match expires_in {
        None | Some(Value::Null) => return Life::For(SHORTEST),
        Some(value) => value.as_f64().unwrap_or(0.0),
    };
    if seconds <= 0.0 {
        return Life::Once;
    }
    let seconds = seconds.clamp(SHORTEST.as_secs_f64(), LONGEST.as_secs_f64());
    Life::For(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how many seconds a token with this `expires_in` is used.
    fn used_for(expires_in: &str) -> u64 {
        let received = Instant::now();
        let token = parse(format!(r#"{{"token":"t"{expires_in}}}"#).as_bytes(), received).unwrap();
        (0..200_000).take_while(|s| token.is_fresh(received + Duration::from_secs(*s))).count()
            as u64
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
            assert_eq!(used_for(expires_in), want, "{expires_in}");
        }
    }

    #[test]
    fn a_token_is_found_under_either_name_and_nowhere_else() {
        // M18
        let read = |body: &str| parse(body.as_bytes(), Instant::now());
        for (body, want) in [
            (r#"{"token":"t"}"#, "t"),
            (r#"{"access_token":"a"}"#, "a"),
            (r#"{"token":"t","access_token":"a"}"#, "a"),
            (r#"{"token":"t","access_token":""}"#, "t"),
        ] {
            assert_eq!(read(body).unwrap().secret.expose(), want, "{body}");
        }
        for body in [
            "",
            "{}",
            "null",
            "[]",
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
    fn a_token_is_never_printed() {
        let token = parse(br#"{"token":"canary"}"#, Instant::now()).unwrap();
        assert!(!format!("{token:?}").contains("canary"));
    }
}
