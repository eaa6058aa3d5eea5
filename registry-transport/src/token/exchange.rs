//! A token request (Docker registry token specification; OAuth2, RFC 6749): a credential and scopes in, a token out.

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use registry_authn::{Credential, Scopes, Secret};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Token;
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Tally};
use crate::follow::{Outgoing, follow};
use crate::origin::{Home, Origin};
use crate::redact::RedactedUrl;
use crate::response::Response;
use crate::retry::Class;
use crate::scheme::basic;
use crate::service::Route;
use crate::transport::Inner;

/// What to ask a token endpoint for, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
    pub(crate) scopes: Scopes,
    pub(crate) credential: Credential,
    /// The registry that the token is for.
    pub(crate) registry: Home,
    pub(crate) grant: Grant,
}

/// How a password is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// By GET, in an `Authorization` header (token specification, "Requesting a Token").
    Query,
    /// By POST, for an identity token beside the access token (OAuth2 specification, `grant_type=password`).
    Offline,
}

/// Redirects of a token endpoint that are followed.
const HOPS: usize = 3;
const CLIENT: &str = "registry-transport";

/// Fetches a token: by GET as anybody or with Basic, by OAuth2 POST with an identity token or for one, and where the
/// endpoint does not offer that, by GET again.
pub(crate) async fn exchange(inner: Arc<Inner>, ask: Ask) -> Result<Token, Error> {
    Tally::add(&inner.tally.token_requests, 1);
    let answer = match (&ask.credential, ask.grant) {
        (Credential::IdentityToken(secret), _) => {
            match posted(&inner, &ask, refresh_form(&ask, secret)).await? {
                Some(answer) => answer,
                None => get(&inner, &ask, Some(basic("<token>", secret.expose())?)).await?,
            }
        }
        (Credential::Basic { username, password }, grant) => {
            let offered = match grant {
                Grant::Offline => {
                    posted(&inner, &ask, password_form(&ask, username, password)).await?
                }
                Grant::Query => None,
            };
            match offered {
                Some(answer) => answer,
                None => get(&inner, &ask, Some(basic(username, password.expose())?)).await?,
            }
        }
        _ => get(&inner, &ask, None).await?,
    };
    let token = read(&inner, answer, &ask).await?;
    let realm = RedactedUrl::from(&ask.realm);
    let scopes = ask.scopes.to_string();
    inner.listeners.tell(&Event::TokenFetched { realm: &realm, scopes: &scopes });
    tracing::debug!(%realm, scopes, "token fetched");
    Ok(token)
}

async fn get(
    inner: &Inner,
    ask: &Ask,
    authorization: Option<HeaderValue>,
) -> Result<Response, Error> {
    let mut url = ask.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &ask.service {
            query.append_pair("service", service);
        }
        for scope in ask.scopes.iter() {
            query.append_pair("scope", &scope.to_string());
        }
        if ask.grant == Grant::Offline {
            query.append_pair("offline_token", "true").append_pair("client_id", CLIENT);
        }
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    send(inner, ask, Method::GET, url, HeaderMap::new(), Body::empty(), authorization).await
}

/// A refresh (RFC 6749, section 6). A serializer must not live across an await: it is not `Sync`.
fn refresh_form(ask: &Ask, token: &Secret) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("refresh_token", token.expose());
    finish(form, ask)
}

/// A password grant (RFC 6749, section 4.3).
fn password_form(ask: &Ask, username: &str, password: &Secret) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "password");
    form.append_pair("username", username);
    form.append_pair("password", password.expose());
    form.append_pair("access_type", "offline");
    finish(form, ask)
}

fn finish(mut form: Serializer<'_, String>, ask: &Ask) -> String {
    form.append_pair("client_id", CLIENT);
    if let Some(service) = &ask.service {
        form.append_pair("service", service);
    }
    if !ask.scopes.is_empty() {
        form.append_pair("scope", &ask.scopes.to_string());
    }
    form.finish()
}

/// The answer to a form; `None` where the endpoint does not take it, and GET remains to be tried.
async fn posted(inner: &Inner, ask: &Ask, form: String) -> Result<Option<Response>, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = Body::bytes(form);
    let mut answer = send(inner, ask, Method::POST, ask.realm.clone(), headers, body, None).await?;
    match answer.status().as_u16() {
        404 | 405 => answer.discard().await,
        400 | 401 => {
            let text = answer.bytes_within(inner.caps.token, inner.deadlines.error_body).await;
            if is_invalid_grant(&text.unwrap_or_default()) {
                let error = answer.error(ErrorKind::TokenRefused, INVALID_GRANT);
                return Err(token_refused(from_token_endpoint(error)));
            }
        }
        _ => return Ok(Some(answer)),
    }
    Tally::add(&inner.tally.token_requests, 1);
    Ok(None)
}

const INVALID_GRANT: &str = "invalid_grant: the credential is wrong, expired or revoked";

/// It was understood and refused (RFC 6749, section 5.2): the same secret in another form would only lock an account.
fn is_invalid_grant(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| refusal.error == "invalid_grant")
}

async fn send(
    inner: &Inner,
    ask: &Ask,
    method: Method,
    url: Url,
    mut headers: HeaderMap,
    body: Body,
    authorization: Option<HeaderValue>,
) -> Result<Response, Error> {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    let Some(origin) = Origin::of(&url) else {
        return Err(Error::new(ErrorKind::Protocol, "the token endpoint is not an http URL"));
    };
    let outgoing = Outgoing {
        method: &method,
        url,
        headers: &headers,
        body: &body,
        stores: body.size(),
        home: Home { origin, local: ask.registry.local },
        named: &ask.registry.origin,
        hops: HOPS,
        route: Route::default(),
        limited: false,
        // A secret is in the body; Basic is in a header, which stays behind.
        bare: false,
        secret_body: method == Method::POST,
        keep_redirects: false,
    };
    follow(inner, outgoing).await.map_err(from_token_endpoint)
}

async fn read(inner: &Inner, mut answer: Response, ask: &Ask) -> Result<Token, Error> {
    if answer.status() != StatusCode::OK {
        let refused = matches!(answer.status().as_u16(), 400 | 401 | 403);
        let error = answer.into_error(inner.clock.time_of_day()).await;
        let error = from_token_endpoint(error);
        return Err(match (refused, &ask.credential) {
            (false, _) => error,
            (true, Credential::Anonymous) => token_refused(error).with_hint(NOBODY),
            (true, _) => token_refused(error),
        });
    }
    let body = answer.bytes_within(inner.caps.token, inner.deadlines.token_body).await?;
    Token::parse(&body)
        .map_err(|what| answer.error(ErrorKind::Protocol, format!("token endpoint: {what}")))
}

const NOBODY: &str = "nobody is logged in to this registry; log in";

/// Asking again with the same credential would only lock an account.
fn token_refused(error: Error) -> Error {
    error.with_kind(ErrorKind::TokenRefused).with_class(Class::Permanent)
}

/// A token may be asked for again after any failure that passes by, but not as often as anything else: at most twice,
/// whatever was answered.
fn from_token_endpoint(error: Error) -> Error {
    let class = match error.class() {
        Class::Transient | Class::Ambiguous | Class::Once | Class::Misplaced => Class::Unknown,
        class => class,
    };
    error.with_class(class).at_token_endpoint()
}
