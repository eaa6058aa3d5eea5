//! The token endpoint: `GET` with Basic, or the OAuth2 form (RFC 6749 sections 4.3 and 6), as
//! container registries use them.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::guard::{self, Guard};
use super::{Access, Bearer, Rights, Scope};
use crate::problem::{Code, Problem};

/// Tokens that are kept at most; then the one that expires first goes.
const KEPT: usize = 10_000;

/// Refresh tokens outlive the tokens that they are exchanged for.
const REFRESH: Duration = Duration::from_secs(24 * 3600);

/// Parameters of a token request, from its query or its form.
#[derive(Debug)]
pub(crate) struct TokenRequest<'a> {
    pub(crate) parameters: &'a [(String, String)],
    pub(crate) form: bool,
}

/// The tokens that are good now. Of a token only its hash is kept.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: Mutex<HashMap<Key, Issued>>,
    refresh: Mutex<HashMap<Key, Issued>>,
}

type Key = [u8; 32];

#[derive(Debug)]
struct Issued {
    until: Instant,
    /// Of the user; what a refresh token is good for.
    rights: Rights,
    scopes: Vec<Scope>,
}

impl Tokens {
    /// What a token allows; `None` if it is unknown or has expired.
    pub(super) fn find(&self, token: &str) -> Option<Vec<Scope>> {
        let tokens = lock(&self.access);
        let issued = tokens.get(&key(token)).filter(|issued| issued.until > Instant::now())?;
        Some(issued.scopes.clone())
    }

    /// Forgets those that requests are made with.
    pub(super) fn expire(&self) {
        lock(&self.access).clear();
    }
}

impl Guard {
    /// Answers a token request with a JSON document.
    pub(crate) async fn token(
        &self,
        headers: &HeaderMap,
        request: &TokenRequest<'_>,
    ) -> Result<Value, Problem> {
        let Access::Bearer(bearer) = &self.access else {
            return Err(Problem::unknown(Code::Unsupported, "this registry uses no tokens"));
        };
        let known = self.identify(bearer, headers, request).await?;
        let scopes = request.all("scope").flat_map(str::split_whitespace).filter_map(Scope::parse);
        let rights = known.unwrap_or(Rights::PULL);
        let scopes: Vec<Scope> = scopes.filter_map(|scope| rights.limit(scope)).collect();

        let token = issue(&self.tokens.access, bearer.expiry, rights, scopes)?;
        let mut answer = json!({
            "token": token,
            "access_token": token,
            "expires_in": bearer.expiry.as_secs(),
        });
        let offline = request.one("offline_token") == Some("true")
            || request.one("access_type") == Some("offline");
        if known.is_some() && offline {
            answer["refresh_token"] =
                issue(&self.tokens.refresh, REFRESH, rights, Vec::new())?.into();
        }
        Ok(answer)
    }

    /// `None`: nobody in particular, who may pull.
    async fn identify(
        &self,
        bearer: &Bearer,
        headers: &HeaderMap,
        request: &TokenRequest<'_>,
    ) -> Result<Option<Rights>, Problem> {
        let verified = match request.one("grant_type").filter(|_| request.form) {
            None => guard::verify(&bearer.users, headers).await,
            Some("password") => {
                let name = request.one("username").unwrap_or_default();
                let password = request.one("password").unwrap_or_default();
                Some(bearer.users.verify(name, password).await)
            }
            Some("refresh_token") => {
                let token = key(request.one("refresh_token").unwrap_or_default());
                let issued = lock(&self.tokens.refresh);
                let issued = issued.get(&token).filter(|issued| issued.until > Instant::now());
                Some(issued.map(|issued| issued.rights))
            }
            Some(_) => {
                let message = "grant_type is password or refresh_token";
                return Err(Problem::new(StatusCode::BAD_REQUEST, Code::Unsupported, message));
            }
        };
        match verified {
            Some(Some(rights)) => Ok(Some(rights)),
            None if bearer.anonymous_pull => Ok(None),
            given => Err(guard::refuse_basic(given.is_some())),
        }
    }
}

impl<'a> TokenRequest<'a> {
    fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        let parameters = self.parameters.iter().filter(move |(name, _)| name == key);
        parameters.map(|(_, value)| value.as_str())
    }

    fn one(&self, key: &str) -> Option<&'a str> {
        self.all(key).next()
    }
}

fn issue(
    into: &Mutex<HashMap<Key, Issued>>,
    expiry: Duration,
    rights: Rights,
    scopes: Vec<Scope>,
) -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let now = Instant::now();
    let mut tokens = lock(into);
    if tokens.len() >= KEPT {
        tokens.retain(|_, issued| issued.until > now);
    }
    if tokens.len() >= KEPT {
        let first = tokens.iter().min_by_key(|(_, issued)| issued.until).map(|(key, _)| *key);
        first.and_then(|key| tokens.remove(&key));
    }
    tokens.insert(key(&token), Issued { until: now + expiry, rights, scopes });
    Ok(token)
}

fn key(token: &str) -> Key {
    Sha256::digest(token).into()
}

fn lock(tokens: &Mutex<HashMap<Key, Issued>>) -> MutexGuard<'_, HashMap<Key, Issued>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}
