//! Tokens: what a token endpoint answers, and how long it may be used.

mod cache;
#[cfg(feature = "token-cache")]
mod disk;
mod exchange;
mod shelf;

use std::fmt;
use std::time::{Duration, Instant};

use registry_authn::Secret;
use serde::de::Deserializer;
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::cache::{Cache, Key};
#[cfg(feature = "token-cache")]
pub use self::disk::TokenCache;
pub(crate) use self::exchange::{Ask, Grant, exchange};
pub(crate) use self::shelf::Shelf;

/// A token lives this long if its answer does not say (token specification, `expires_in`), and at least this long.
const SHORTEST: Duration = Duration::from_secs(60);
/// No token is used for longer without asking again.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a token endpoint answers (Docker registry token specification, "Token Response Fields"; OAuth 2.0, RFC 6749,
/// section 5.1).
///
/// It can be stored: `Serialize` writes its secrets in clear, to be put where only their owner can read them. `Debug` shows
/// none.
///
/// ```
/// use registry_transport::Token;
///
/// let token = Token::parse(br#"{"token":"eyJhbGciOi","expires_in":300}"#)?;
/// assert_eq!(token.secret().map(|secret| secret.expose()), Some("eyJhbGciOi"));
/// assert_eq!(token.life().as_secs(), 300);
/// assert!(!format!("{token:?}").contains("eyJhbGciOi"));
/// # Ok::<(), registry_transport::TokenError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// The bearer token, by the name of the token specification.
    pub token: Option<Secret>,
    /// The bearer token, by the name of OAuth 2.0. Where both are there, this one is used.
    pub access_token: Option<Secret>,
    /// An identity token: it can be exchanged for further tokens, as a
    /// [`Credential::IdentityToken`](registry_authn::Credential::IdentityToken).
    pub refresh_token: Option<Secret>,
    /// For how many seconds the token lives. 0 stands for whatever was no positive number.
    pub expires_in: Option<u64>,
}

/// Why a token endpoint's answer is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError(&'static str);

impl Token {
    /// A bearer token that was had in another way.
    pub fn new(secret: impl Into<Secret>) -> Self {
        Self { token: Some(secret.into()), ..Self::default() }
    }

    /// Reads a token endpoint's answer. `issued_at` is not looked at: clocks disagree, and the time of receipt is our own.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let token: Self =
            serde_json::from_slice(body).map_err(|_| TokenError("the answer is not JSON"))?;
        let secret = token.secret().ok_or(TokenError("the answer has no token"))?;
        if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError("the token has characters that no header can hold"));
        }
        Ok(token)
    }

    /// The bearer token.
    pub fn secret(&self) -> Option<&Secret> {
        self.access_token.as_ref().or(self.token.as_ref())
    }

    /// How long it may be used after it was received: between a minute and a day; not at all, after the request that it was
    /// fetched for, when `expires_in` is no positive number.
    pub fn life(&self) -> Duration {
        match self.expires_in {
            None => SHORTEST,
            Some(0) => Duration::ZERO,
            Some(seconds) => Duration::from_secs(seconds).clamp(SHORTEST, LONGEST),
        }
    }
}

/// Fields of the wrong type count as missing: endpoints send `null` and worse.
impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let answer = Map::<String, Value>::deserialize(deserializer)?;
        let text = |key: &str| {
            let text = answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(Secret::from)
        };
        let expires_in = match answer.get("expires_in") {
            None | Some(Value::Null) => None,
            Some(value) => Some(whole(value.as_f64().unwrap_or(0.0))),
        };
        Ok(Self {
            token: text("token"),
            access_token: text("access_token"),
            refresh_token: text("refresh_token"),
            expires_in,
        })
    }
}

/// Seconds, rounded up. What does not fit is as good as for ever.
fn whole(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0).ceil()).map_or(u64::MAX, |whole| whole.as_secs())
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let secrets = [
            ("token", &self.token),
            ("access_token", &self.access_token),
            ("refresh_token", &self.refresh_token),
        ];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                map.serialize_entry(name, secret.expose())?;
            }
        }
        if let Some(seconds) = self.expires_in {
            map.serialize_entry("expires_in", &seconds)?;
        }
        map.end()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TokenError {}

/// A bearer token and the span in which it may be used.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) secret: Secret,
    pub(crate) received: Instant,
    /// Zero: for the request it was fetched for, and no other one.
    pub(crate) life: Duration,
    /// It comes from an earlier process, and may be dead by now.
    pub(crate) stored: bool,
}

impl Held {
    /// A token that was received just now; `None` if there is none in the answer.
    pub(crate) fn new(token: &Token, received: Instant) -> Option<Self> {
        let secret = token.secret()?.clone();
        Some(Self { secret, received, life: token.life(), stored: false })
    }

    /// Whether it may still be used: it is replaced a tenth of its life, and at least 5 s, before its end, and where at
    /// least `need` has to remain, before that.
    pub(crate) fn is_fresh(&self, now: Instant, need: Duration) -> bool {
        let margin = (self.life / 10).max(Duration::from_secs(5)).max(need);
        now.saturating_duration_since(self.received) < self.life.saturating_sub(margin)
    }
}

#[cfg(test)]
mod tests;
