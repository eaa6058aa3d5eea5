//! Who may do what: nothing asked, Basic, or Bearer with a token endpoint that may be another origin's.

use serde_json::json;

use super::{Registry, Route, document, error};
use crate::content::{base64, hex};
use crate::origin::{Answer, Request, pairs};

/// What every issued token starts with: a canary that logs can be searched for.
pub const TOKEN: &str = "canary-token";

/// How a registry tells its users apart.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// It does not.
    #[default]
    Open,
    /// User name and password with every request.
    Basic {
        /// The only user.
        user: String,
        /// Their password.
        password: String,
    },
    /// A token with every request.
    Bearer {
        /// Where tokens are fetched; placeholders such as `http://{T}/token` are filled in.
        realm: String,
        /// The user and password that the token endpoint asks for; `None` gives tokens to everybody.
        login: Option<(String, String)>,
        /// The first token is refused after this many requests; later ones last.
        uses: Option<u32>,
    },
}

impl Access {
    /// Bearer with a login, tokens that last, and the token endpoint at `realm`.
    pub fn bearer(realm: &str, user: &str, password: &str) -> Self {
        Self::Bearer {
            realm: realm.to_owned(),
            login: Some((user.to_owned(), password.to_owned())),
            uses: None,
        }
    }

    /// The same, but the first token is refused after this many requests.
    #[must_use]
    pub fn expiring_after(self, requests: u32) -> Self {
        match self {
            Self::Bearer { realm, login, .. } => {
                Self::Bearer { realm, login, uses: Some(requests) }
            }
            other => other,
        }
    }
}

impl Registry {
    /// The 401 for a request that lacks what this registry asks for.
    pub(super) fn refuse(&mut self, request: &Request, route: &Route) -> Option<Answer> {
        let sent = request.header("authorization").unwrap_or_default();
        match &self.access {
            Access::Open => None,
            Access::Basic { user, password } => {
                (sent != basic(user, password)).then(|| unauthorized("Basic realm=\"registry\""))
            }
            Access::Bearer { realm, uses, .. } => {
                let needed = scope(request, route);
                let mut challenge = format!("Bearer realm=\"{realm}\",service=\"registry.test\"");
                if let Some(scope) = &needed {
                    challenge.extend([",scope=\"", scope, "\""]);
                }
                let token =
                    sent.strip_prefix("Bearer ").and_then(|token| granted(token).zip(Some(token)));
                let Some((granted, token)) = token else {
                    return Some(unauthorized(&challenge));
                };
                if !needed.is_none_or(|needed| covers(&granted, &needed)) {
                    challenge.push_str(",error=\"insufficient_scope\"");
                    return Some(unauthorized(&challenge));
                }
                let used = self.uses.entry(token.to_owned()).or_insert(0);
                *used += 1;
                let first = token.starts_with(&format!("{TOKEN}.1."));
                let expired = first && uses.is_some_and(|uses| *used > uses);
                expired.then(|| {
                    challenge.push_str(",error=\"invalid_token\"");
                    unauthorized(&challenge)
                })
            }
        }
    }

    /// The token endpoint: GET with Basic, or the OAuth2 form with a password.
    pub(super) fn token(&mut self, request: &Request) -> Answer {
        let Access::Bearer { login, .. } = &self.access else {
            return error(404, "UNSUPPORTED", "no tokens here");
        };
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let source = if request.method == "POST" { form.as_str() } else { request.query() };
        let asked: Vec<_> = pairs(source).collect();
        let value = |name: &str| asked.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        if let Some((user, password)) = login {
            let right = if request.method == "POST" {
                value("username") == Some(user) && value("password") == Some(password)
            } else {
                request.header("authorization") == Some(&basic(user, password))
            };
            if !right {
                return unauthorized("Basic realm=\"tokens\"");
            }
        }
        let scopes: Vec<_> = asked
            .iter()
            .filter(|(key, _)| key == "scope")
            .flat_map(|(_, value)| value.split(' '))
            .collect();
        self.issued += 1;
        let hex = hex(scopes.join(" ").as_bytes());
        let token = format!("{TOKEN}.{}.{hex}", self.issued);
        let body = json!({ "token": token, "access_token": token, "expires_in": 300 });
        document(200, "application/json", &body)
    }
}

/// The scope that a request needs, in the token specification's words.
fn scope(request: &Request, route: &Route) -> Option<String> {
    if *route == Route::Catalog {
        return Some("registry:catalog:*".into());
    }
    let actions = match request.method.as_str() {
        "GET" | "HEAD" => "pull",
        "DELETE" => "delete",
        _ => "pull,push",
    };
    route.repository().map(|name| format!("repository:{name}:{actions}"))
}

/// The scopes that a token of ours was issued for.
fn granted(token: &str) -> Option<String> {
    let (_, hex) = token.strip_prefix(TOKEN)?.strip_prefix('.')?.split_once('.')?;
    let digits: Vec<_> = hex.chars().collect();
    let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16));
    String::from_utf8(bytes.collect::<Result<_, _>>().ok()?).ok()
}

fn covers(granted: &str, needed: &str) -> bool {
    let Some((resource, actions)) = needed.rsplit_once(':') else { return false };
    actions.split(',').all(|action| {
        granted.split(' ').filter_map(|scope| scope.rsplit_once(':')).any(|(other, given)| {
            other == resource && given.split(',').any(|given| given == action || given == "*")
        })
    })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn unauthorized(challenge: &str) -> Answer {
    let mut answer = error(401, "UNAUTHORIZED", "authentication required");
    answer.headers.push(("WWW-Authenticate".to_owned(), challenge.to_owned()));
    answer
}
