//! The check that every request passes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::token::Tokens;
use super::{Access, Scope, Users};
use crate::problem::{Code, Problem};

/// What the one who sent a request may do.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Everything,
    /// Pulling from every repository.
    Pulling,
    Only(Vec<Scope>),
}

impl Caller {
    pub(crate) fn may(&self, needed: &Scope) -> bool {
        match self {
            Self::Everything => true,
            Self::Pulling => needed.clone().only_pull().is_some_and(|pull| pull == *needed),
            Self::Only(held) => held.iter().any(|scope| scope.covers(needed)),
        }
    }
}

/// Keeps the door.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(super) access: Access,
    pub(super) tokens: Tokens,
    /// Where clients find us when a request does not say under which name it did.
    authority: String,
}

impl Guard {
    pub(crate) fn new(access: Access, authority: String) -> Self {
        Self { access, tokens: Tokens::default(), authority }
    }

    /// Lets a request pass that may do all of `needed`, or says how to get there. `wished` is asked
    /// for with it, but not required.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        needed: &[Scope],
        wished: &[Scope],
    ) -> Result<Caller, Problem> {
        match &self.access {
            Access::Anonymous => Ok(Caller::Everything),
            Access::Basic(users) => match basic(headers) {
                Some((name, password)) if users.verify(&name, &password) => Ok(Caller::Everything),
                given => Err(refuse_basic(given.is_some())),
            },
            Access::Bearer(_) => {
                let token = authorization(headers, "Bearer");
                let caller = token.and_then(|token| self.tokens.find(token)).map(Caller::Only);
                match caller {
                    Some(caller) if needed.iter().all(|scope| caller.may(scope)) => Ok(caller),
                    caller => {
                        let error = match (token, &caller) {
                            (None, _) => None,
                            (Some(_), None) => Some("invalid_token"),
                            (Some(_), Some(_)) => Some("insufficient_scope"),
                        };
                        Err(self.challenge(headers, needed.iter().chain(wished), error))
                    }
                }
            }
        }
    }

    /// [`Guard::admit`] for a browser, which asks for name and password but cannot fetch tokens.
    #[allow(clippy::unused_async, reason = "looking at a password may take time")]
    pub(crate) async fn admit_browser(
        &self,
        headers: &HeaderMap,
        needed: &[Scope],
    ) -> Result<Caller, Problem> {
        let Access::Bearer(bearer) = &self.access else {
            return self.admit(headers, needed, &[]);
        };
        let caller = match verify(&bearer.users, headers) {
            Some(true) => Caller::Everything,
            None if bearer.anonymous_pull => Caller::Pulling,
            given => return Err(refuse_basic(given.is_some())),
        };
        // Who has no name yet may have more rights with one.
        let allowed = needed.iter().all(|scope| caller.may(scope));
        if allowed { Ok(caller) } else { Err(refuse_basic(false)) }
    }

    /// The `service` of the token endpoint, and the host of its URL: what the client calls us, so
    /// that `localhost` is not sent to `127.0.0.1`.
    fn authority<'a>(&'a self, headers: &'a HeaderMap) -> &'a str {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let host = headers.get(HOST).and_then(|value| value.to_str().ok());
        host.filter(|host| !host.is_empty() && host.bytes().all(usual)).unwrap_or(&self.authority)
    }

    fn challenge<'a>(
        &self,
        headers: &HeaderMap,
        scopes: impl Iterator<Item = &'a Scope>,
        error: Option<&str>,
    ) -> Problem {
        let authority = self.authority(headers);
        let mut text = format!("Bearer realm=\"http://{authority}/token\",service=\"{authority}\"");
        let scopes: Vec<String> = scopes.map(ToString::to_string).collect();
        if !scopes.is_empty() {
            text = format!("{text},scope=\"{}\"", scopes.join(" "));
        }
        if let Some(error) = error {
            text = format!("{text},error=\"{error}\"");
        }
        let message = match error {
            None => "a token is needed",
            Some("invalid_token") => "the token is unknown or has expired",
            Some(_) => "the token does not allow this",
        };
        unauthorized(message, &text)
    }
}

/// Refuses a name and password that were `given`, or asks for them.
pub(super) fn refuse_basic(given: bool) -> Problem {
    let message =
        if given { "unknown user or wrong password" } else { "user name and password are needed" };
    unauthorized(message, "Basic realm=\"registry\", charset=\"UTF-8\"")
}

/// Name and password of a `Basic` header.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = STANDARD.decode(authorization(headers, "Basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

pub(super) fn verify(users: &Users, headers: &HeaderMap) -> Option<bool> {
    if !headers.contains_key(AUTHORIZATION) {
        return None;
    }
    Some(basic(headers).is_some_and(|(name, password)| users.verify(&name, &password)))
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}

fn unauthorized(message: &str, challenge: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message);
    match HeaderValue::try_from(challenge) {
        Ok(value) => problem.header(WWW_AUTHENTICATE, value),
        Err(_) => problem,
    }
}
