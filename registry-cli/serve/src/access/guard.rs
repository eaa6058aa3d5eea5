//! The check that every request passes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::token::Tokens;
use super::{Access, Rights, Scope, Users};
use crate::problem::{Code, Problem};

/// What the one who sent a request may do.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Everything,
    /// What a user's rights allow, everywhere.
    User(Rights),
    /// Pulling from every repository.
    Pulling,
    Only(Vec<Scope>),
}

impl Caller {
    pub(crate) fn may(&self, needed: &Scope) -> bool {
        match self {
            Self::Everything => true,
            Self::User(rights) => rights.limit(needed.clone()).is_some_and(|left| left == *needed),
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
    /// `http` or `https`.
    scheme: &'static str,
}

impl Guard {
    pub(crate) fn new(access: Access, authority: String, scheme: &'static str) -> Self {
        Self { access, tokens: Tokens::default(), authority, scheme }
    }

    /// Ends all tokens that were handed out.
    pub(crate) fn expire_tokens(&self) {
        self.tokens.expire();
    }

    /// Lets a request pass that may do all of `needed`, or says how to get there. `wished` is asked
    /// for with it, but not required.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        needed: &[Scope],
        wished: &[Scope],
    ) -> Result<Caller, Problem> {
        match &self.access {
            Access::Anonymous => Ok(Caller::Everything),
            Access::Basic(users) => match basic(headers) {
                None => Err(refuse_basic(false)),
                Some((name, password)) => {
                    let rights = users.verify(&name, &password).await;
                    allow(Caller::User(rights.ok_or_else(|| refuse_basic(true))?), needed)
                }
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
    pub(crate) async fn admit_browser(
        &self,
        headers: &HeaderMap,
        needed: &[Scope],
    ) -> Result<Caller, Problem> {
        let Access::Bearer(bearer) = &self.access else {
            return self.admit(headers, needed, &[]).await;
        };
        match verify(&bearer.users, headers).await {
            Some(Some(rights)) => allow(Caller::User(rights), needed),
            // Who has no name yet may have more rights with one.
            None if bearer.anonymous_pull => {
                allow(Caller::Pulling, needed).map_err(|_| refuse_basic(false))
            }
            given => Err(refuse_basic(given.is_some())),
        }
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
        let (authority, scheme) = (self.authority(headers), self.scheme);
        let mut text =
            format!("Bearer realm=\"{scheme}://{authority}/token\",service=\"{authority}\"");
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

/// `None`: no credentials; `Some(None)`: wrong ones.
pub(super) async fn verify(users: &Users, headers: &HeaderMap) -> Option<Option<Rights>> {
    if !headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let Some((name, password)) = basic(headers) else { return Some(None) };
    Some(users.verify(&name, &password).await)
}

/// Who is known, but may not do this, is told so: another password would not help.
fn allow(caller: Caller, needed: &[Scope]) -> Result<Caller, Problem> {
    match needed.iter().find(|scope| !caller.may(scope)) {
        None => Ok(caller),
        Some(scope) => {
            let message = format!("this user has no right to {scope}");
            Err(Problem::new(StatusCode::FORBIDDEN, Code::Denied, message))
        }
    }
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
