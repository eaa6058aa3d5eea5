//! Authentication: answers a 401 once by its challenge and once by a fresh token, and remembers what the registry wants.
//!
//! There is no request just to ask for a challenge: the request itself goes out, and when a registry is known to want
//! a token, it is attached at once.

mod memory;
mod step;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use registry_authn::{Credential, Resource, Scopes};
use url::Url;

pub(crate) use self::memory::Memory;
use self::step::{Answered, Step, next_step, widened};
use crate::challenge::Challenge;
use crate::error::{Error, ErrorKind};
use crate::follow::{HOPS, Outgoing, follow};
use crate::origin::{Home, Origin};
use crate::realm::{Trust, judge_realm};
use crate::redact::RedactedUrl;
use crate::request::{Request, is_expected};
use crate::response::Response;
use crate::service::Route;
use crate::token::{Exchange, Key, Token, exchange};
use crate::transport::Inner;

/// What one request to a registry needs in order to be authenticated, across all its attempts.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    request: &'a Request,
    url: Url,
    home: Home,
    resource: Resource,
    scopes: Scopes,
    /// What the registry wants to see; nothing yet means that it is asked without.
    demand: Option<Demand>,
    answered: Answered,
    /// The token endpoint that a credential was kept from.
    withheld_from: Option<String>,
    /// The connection before was the wrong one.
    fresh: bool,
}

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// What was attached to a request.
#[derive(Debug)]
enum Proof {
    Nothing,
    /// A credential as it is (Basic, or a registry token), by its fingerprint.
    Credential(u64),
    Token {
        token: Token,
        key: Key,
        remembered: bool,
    },
}

impl<'a> Session<'a> {
    pub(crate) fn new(inner: &Inner, request: &'a Request, url: Url, home: Home) -> Self {
        Self {
            request,
            url,
            home,
            resource: request.resource_or_registry(),
            scopes: request.scopes.clone(),
            demand: inner.memory.demand(&request.registry),
            answered: Answered::default(),
            withheld_from: None,
            fresh: false,
        }
    }

    pub(crate) fn request(&self) -> &'a Request {
        self.request
    }

    /// A session for another request to the same URL.
    pub(crate) fn on_behalf_of<'b>(&self, inner: &Inner, request: &'b Request) -> Session<'b> {
        Session::new(inner, request, self.url.clone(), self.home.clone())
    }

    /// A misdirected request (421) goes again over a connection of its own (RFC 9110, section 15.5.20).
    pub(crate) fn wants_fresh_connection(&mut self, error: &Error) {
        self.fresh = error.status() == Some(http::StatusCode::MISDIRECTED_REQUEST);
    }

    /// What to say when a credential was kept from a token endpoint that it would have helped with.
    fn withheld(&self) -> Option<String> {
        let host = self.withheld_from.as_ref()?;
        Some(format!(
            "the credential for {} was not sent to its token endpoint at {host}; \
             trust that host as a token realm to allow it",
            self.request.registry
        ))
    }

    /// Whether an error was answered by the registry's own origin.
    pub(crate) fn is_home(&self, error: &Error) -> bool {
        error.origin() == Some(&self.home.origin)
    }
}

/// Sends a request with what the registry wants to see, and once or twice more if it wants something else.
pub(crate) async fn authorize(inner: &Inner, session: &mut Session<'_>) -> Result<Response, Error> {
    loop {
        let mut headers = session.request.headers.clone();
        let proof = prove(inner, session, &mut headers).await?;
        let response = send(inner, session, &headers).await?;
        if response.status() != http::StatusCode::UNAUTHORIZED
            || is_expected(&session.request.expect, response.status())
        {
            return Ok(response);
        }
        if !response.is_from_home() {
            return Err(from_elsewhere(inner, response).await);
        }
        let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = Challenge::parse_all(lines.map(HeaderValue::as_bytes));
        let Some(best) = Challenge::best(&challenges) else {
            return Err(unauthorized(inner, response, session, &proof)
                .await
                .with_kind(ErrorKind::NoChallenge));
        };
        let demand = demand(session, &response, best)?;
        inner.memory.remember(&session.request.registry, demand.clone());
        let suggested = best.parameter("scope").unwrap_or_default();
        let wider = widened(&session.scopes, suggested, &session.request.scopes, &session.resource);
        let step = next_step(&mut session.answered, &proof, wider.is_some());
        session.demand = Some(demand);
        match &proof {
            Proof::Token { token, key, .. } => inner.memory.tokens.forget(key, token).await,
            Proof::Credential(_) => inner.memory.forget_credential(&session.resource),
            Proof::Nothing => {}
        }
        if step == Step::GiveUp || !has_another(inner, session, &proof).await? {
            return Err(unauthorized(inner, response, session, &proof).await);
        }
        if step == Step::Widen || session.scopes.is_empty() {
            // A caller that did not say what it needs takes the registry's word, within limits.
            session.scopes = wider.unwrap_or_default();
        }
        response.discard().await;
    }
}

/// Whether there is anything to show that was not shown already: the same password is not sent twice.
async fn has_another(inner: &Inner, session: &Session<'_>, shown: &Proof) -> Result<bool, Error> {
    if matches!(session.demand, Some(Demand::Bearer { .. }))
        && !matches!(shown, Proof::Credential(_))
    {
        return Ok(true);
    }
    let (credential, who) = inner.memory.credential(&*inner.keychain, &session.resource).await?;
    Ok(match (&session.demand, credential) {
        (Some(Demand::Basic), Credential::Anonymous | Credential::IdentityToken(_)) => false,
        _ => !matches!(shown, Proof::Credential(before) if *before == who),
    })
}

async fn send(
    inner: &Inner,
    session: &Session<'_>,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let request = session.request;
    let redirect = |status: &u16| (300..400).contains(status);
    let outgoing = Outgoing {
        method: &request.method,
        url: session.url.clone(),
        headers,
        body: &request.body,
        home: session.home.clone(),
        named: &session.home.origin,
        hops: HOPS,
        route: Route { bulk: request.bulk, fresh: session.fresh, ..Route::default() },
        secret_body: false,
        keep_redirects: request.expect.iter().any(redirect),
    };
    follow(inner, outgoing).await
}

/// Adds what the registry wants to see to the headers, and says what it was.
async fn prove(
    inner: &Inner,
    session: &mut Session<'_>,
    headers: &mut HeaderMap,
) -> Result<Proof, Error> {
    let Some(demand) = session.demand.clone() else { return Ok(Proof::Nothing) };
    if Origin::of(&session.url).as_ref() != Some(&session.home.origin) {
        return Ok(Proof::Nothing);
    }
    let (credential, who) = inner.memory.credential(&*inner.keychain, &session.resource).await?;
    let (value, proof) = match (demand, &credential) {
        (_, Credential::RegistryToken(token)) => (bearer(token.expose())?, Proof::Credential(who)),
        (Demand::Basic, Credential::Basic { username, password }) => {
            (basic(username, password.expose())?, Proof::Credential(who))
        }
        (Demand::Basic, _) => return Ok(Proof::Nothing),
        (Demand::Bearer { realm, service }, _) => {
            let (token, key, remembered) =
                token(inner, session, &realm, service, &credential, who).await?;
            (bearer(token.secret.expose())?, Proof::Token { token, key, remembered })
        }
    };
    headers.insert(AUTHORIZATION, value);
    Ok(proof)
}

/// A token for the scopes of the session: remembered, or fetched with as much of the credential as the realm may see.
async fn token(
    inner: &Inner,
    session: &mut Session<'_>,
    realm: &Url,
    service: Option<String>,
    credential: &Credential,
    who: u64,
) -> Result<(Token, Key, bool), Error> {
    let home = inner.home_for(&mut session.home, realm).await;
    let registry = &session.request.registry;
    let (credential, shown) = match judge_realm(registry, &home, &inner.hosts, realm) {
        Trust::Trusted => (credential, who),
        Trust::Anonymous => (&Credential::Anonymous, memory::NOBODY),
        Trust::Refused(refusal) => {
            let realm = RedactedUrl::from(realm);
            let what = format!("the registry's token endpoint {realm} is not asked: {refusal}");
            return Err(Error::new(ErrorKind::Refused, what)
                .with_request(&session.request.method, &session.url));
        }
    };
    if shown != who {
        session.withheld_from = Some(realm.host_str().unwrap_or_default().to_owned());
    }
    let scopes = session.scopes.clone();
    let key = Key { realm: realm.to_string(), service, scopes, who: shown };
    let ask = Exchange {
        realm,
        service: key.service.as_deref(),
        scopes: &key.scopes,
        credential,
        registry: &home,
    };
    match inner.memory.tokens.get(&key, || inner.clock.now(), exchange(inner, ask)).await {
        Ok((token, remembered)) => Ok((token, key, remembered)),
        Err(error) if error.kind() == ErrorKind::TokenRefused => {
            // The keychain may have something better next time.
            inner.memory.forget_credential(&session.resource);
            Err(match session.withheld() {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        }
        Err(error) => Err(error),
    }
}

/// The challenge as what to do about it. A realm may be relative to the URL that was challenged.
fn demand(
    session: &Session<'_>,
    response: &Response,
    challenge: &Challenge,
) -> Result<Demand, Error> {
    if challenge.scheme() == "basic" {
        return Ok(Demand::Basic);
    }
    let realm = challenge.realm().unwrap_or_default();
    let realm = response.url().join(realm).map_err(|cause| {
        let what = "the registry's token endpoint is not a URL";
        Error::new(ErrorKind::Protocol, what)
            .with_request(&session.request.method, &session.url)
            .with_cause(cause)
    })?;
    Ok(Demand::Bearer { realm, service: challenge.parameter("service").map(str::to_owned) })
}

/// A final 401 of the registry.
async fn unauthorized(
    inner: &Inner,
    response: Response,
    session: &Session<'_>,
    proof: &Proof,
) -> Error {
    let error = response.into_error(inner.clock.time_of_day()).await;
    match (&session.demand, proof, session.withheld()) {
        (_, _, Some(hint)) => error.with_hint(hint),
        (Some(_), Proof::Nothing, None) => {
            error.with_hint(format!("no credential for {}; log in", session.request.registry))
        }
        (None, Proof::Nothing, None) => error.with_hint(
            "the registry asks for an authentication that is not supported, or does not say which",
        ),
        _ => error,
    }
}

/// A 401 of a server that a registry redirected to: our secrets are not for it.
async fn from_elsewhere(inner: &Inner, response: Response) -> Error {
    response
        .into_error(inner.clock.time_of_day())
        .await
        .with_hint("the registry redirected to another server, which wants a login of its own")
}

/// RFC 7617. A user name with a colon cannot be told from its password.
pub(crate) fn basic(username: &str, password: &str) -> Result<HeaderValue, Error> {
    if username.contains(':') || username.chars().chain(password.chars()).any(char::is_control) {
        let what =
            "the user name or password has characters that Basic authentication cannot carry";
        return Err(Error::new(ErrorKind::Credential, what));
    }
    header(&format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

/// RFC 6750.
fn bearer(token: &str) -> Result<HeaderValue, Error> {
    header(&format!("Bearer {token}"))
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    // The cause is left out: nobody needs to know more about a secret.
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Credential, "the token has characters that no header can hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
