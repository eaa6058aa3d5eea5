//! A token request (Docker registry token specification; OAuth2, RFC 6749): a credential and scopes in, a token out.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use registry_authn::{Credential, Scopes, Secret};
use url::Url;
use url::form_urlencoded::Serializer;

use super::{Token, parse};
use crate::authorize::basic;
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Tally};
use crate::follow::{Outgoing, follow};
use crate::origin::Home;
use crate::redact::RedactedUrl;
use crate::response::{Response, SMALL_CAP};
use crate::retry::Class;
use crate::service::Route;
use crate::transport::Inner;

/// What to ask a token endpoint for, and as whom.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) realm: &'a Url,
    pub(crate) service: Option<&'a str>,
    pub(crate) scopes: &'a Scopes,
    pub(crate) credential: &'a Credential,
    /// The registry that the token is for.
    pub(crate) registry: &'a Home,
}

/// Redirects of a token endpoint that are followed.
const HOPS: usize = 3;

/// Fetches a token: by GET as anybody or with Basic, by OAuth2 POST with an identity token, and where the endpoint does not
/// offer that, by GET again.
pub(crate) async fn exchange(inner: &Inner, ask: Exchange<'_>) -> Result<Token, Error> {
    Tally::add(&inner.tally.token_requests, 1);
    let answer = match ask.credential {
        Credential::IdentityToken(secret) => {
            let answer = post(inner, &ask, secret).await?;
            if matches!(answer.status().as_u16(), 400 | 401 | 404 | 405) {
                answer.discard().await;
                Tally::add(&inner.tally.token_requests, 1);
                get(inner, &ask, Some(basic("<token>", secret.expose())?)).await?
            } else {
                answer
            }
        }
        Credential::Basic { username, password } => {
            get(inner, &ask, Some(basic(username, password.expose())?)).await?
        }
        _ => get(inner, &ask, None).await?,
    };
    let token = read(inner, answer, &ask).await?;
    inner.listeners.tell(&Event::TokenFetched {
        realm: &RedactedUrl::from(ask.realm),
        scopes: &ask.scopes.to_string(),
    });
    tracing::debug!(realm = %RedactedUrl::from(ask.realm), scopes = %ask.scopes, "token fetched");
    Ok(token)
}

async fn get(
    inner: &Inner,
    ask: &Exchange<'_>,
    authorization: Option<HeaderValue>,
) -> Result<Response, Error> {
    let mut url = ask.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = ask.service {
            query.append_pair("service", service);
        }
        for scope in ask.scopes.iter() {
            query.append_pair("scope", &scope.to_string());
        }
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    send(inner, ask, Method::GET, url, HeaderMap::new(), Body::empty(), authorization).await
}

/// The form of a refresh (OAuth 2.0, RFC 6749, section 6). A serializer must not live across an await: it is not `Sync`.
fn refresh_form(ask: &Exchange<'_>, token: &Secret) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("refresh_token", token.expose());
    form.append_pair("client_id", "registry-transport");
    if let Some(service) = ask.service {
        form.append_pair("service", service);
    }
    if !ask.scopes.is_empty() {
        form.append_pair("scope", &ask.scopes.to_string());
    }
    form.finish()
}

async fn post(inner: &Inner, ask: &Exchange<'_>, token: &Secret) -> Result<Response, Error> {
    let body = Body::bytes(refresh_form(ask, token));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    send(inner, ask, Method::POST, ask.realm.clone(), headers, body, None).await
}

async fn send(
    inner: &Inner,
    ask: &Exchange<'_>,
    method: Method,
    url: Url,
    mut headers: HeaderMap,
    body: Body,
    authorization: Option<HeaderValue>,
) -> Result<Response, Error> {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(mut authorization) = authorization {
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
    }
    let Some(origin) = crate::origin::Origin::of(&url) else {
        return Err(Error::new(ErrorKind::Protocol, "the token endpoint is not an http URL"));
    };
    let outgoing = Outgoing {
        method: &method,
        url,
        headers: &headers,
        body: &body,
        home: Home { origin, local: ask.registry.local },
        named: &ask.registry.origin,
        hops: HOPS,
        route: Route::default(),
        // A refresh token is in the body; Basic is in a header, which stays behind.
        secret_body: method == Method::POST,
        keep_redirects: false,
    };
    follow(inner, outgoing).await.map_err(from_token_endpoint)
}

async fn read(inner: &Inner, mut answer: Response, ask: &Exchange<'_>) -> Result<Token, Error> {
    if answer.status() != StatusCode::OK {
        let refused = matches!(answer.status().as_u16(), 400 | 401 | 403);
        let error = answer.into_error(inner.clock.time_of_day()).await;
        let error = from_token_endpoint(error);
        return Err(match (refused, ask.credential) {
            (false, _) => error,
            (true, Credential::Anonymous) => token_refused(error).with_hint(NOBODY),
            (true, _) => token_refused(error),
        });
    }
    let body = answer.bytes_within(SMALL_CAP, inner.deadlines.token_body).await?;
    parse(&body, inner.clock.now())
        .map_err(|what| answer.error(ErrorKind::Protocol, format!("token endpoint: {what}")))
}

const NOBODY: &str = "nobody is logged in to this registry; log in";

/// Asking again with the same credential would only lock an account.
fn token_refused(error: Error) -> Error {
    error.with_kind(ErrorKind::TokenRefused).with_class(Class::Permanent)
}

/// A token may be asked for again after any failure that passes by, but not as often as anything else: at most twice.
fn from_token_endpoint(error: Error) -> Error {
    let class = match error.class() {
        Class::Transient | Class::Once | Class::Misplaced => Class::Ambiguous,
        class => class,
    };
    error.with_class(class).at_token_endpoint()
}
