//! Bearer (RFC 6750; Docker registry token specification): a token from the realm that the registry names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use registry_authn::Credential;
use tracing::Instrument as _;
use url::Url;

use super::basic::bearer;
use super::session::Proof;
use super::widen::widened;
use super::{Answer, Next, Scheme, Session};
use crate::authorize::NOBODY;
use crate::error::{Error, ErrorKind};
use crate::realm::{Trust, judge_realm, refused};
use crate::redact::RedactedUrl;
use crate::token::{Ask, Grant, Held, Key, exchange};
use crate::transport::Inner;

/// Shows a token from the realm that the registry names; a
/// [`Credential::RegistryToken`](registry_authn::Credential::RegistryToken) as it is.
///
/// Tokens are remembered by (realm, service, scopes, credential), fetched once for all who wait, replaced before they
/// expire, fetched anew once when they are refused, and widened to what `insufficient_scope` asks for, within what the
/// request is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bearer;

/// What should remain of a token when a blob starts to move.
const FOR_A_BLOB: Duration = Duration::from_secs(30);

#[async_trait]
impl Scheme for Bearer {
    async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let now = session.inner.clock.now();
        if let Some(given) = session.inner.memory.given(session.registry(), now) {
            let value = bearer(given.secret.expose())?;
            session.show(AUTHORIZATION, value, Proof::Given(given));
            return Ok(());
        }
        let (credential, who) = session.find().await?;
        let (value, proof) = if let Credential::RegistryToken(token) = &credential {
            (bearer(token.expose())?, Proof::Credential(who))
        } else if let Some((realm, service)) = endpoint(session)? {
            let fetched = token(session, &realm, service.clone(), &credential, who).await;
            let (token, key, remembered) = match fetched {
                Err(error) if may_be_rotated(session, &credential, &error) => {
                    // An answer that was lost may have held the token's successor; somebody else may have stored it.
                    session.unsettled = false;
                    session.forget();
                    let (renewed, other) = session.find().await?;
                    if other == who {
                        return Err(error);
                    }
                    token(session, &realm, service, &renewed, other).await?
                }
                fetched => fetched?,
            };
            (bearer(token.secret.expose())?, Proof::Token { token, key, remembered })
        } else {
            return Ok(());
        };
        session.show(AUTHORIZATION, value, proof);
        Ok(())
    }

    async fn answered(&self, session: &mut Session<'_>, answer: &Answer) -> Result<Next, Error> {
        if !answer.is_unauthorized() {
            return Ok(Next::Done);
        }
        let suggested = session.challenge.as_ref().and_then(|it| it.parameter("scope"));
        let wider = widened(
            &session.scopes,
            suggested.unwrap_or_default(),
            &session.request.scopes,
            session.resource(),
        );
        let (resend, widen) = match &session.proof {
            // A caller that did not say what it needs takes the registry's word, within limits.
            Proof::Nothing => (true, session.scopes.is_empty()),
            Proof::Token { token, key, remembered } => {
                session.forget_token(key, token).await;
                (wider.is_some() || *remembered, true)
            }
            Proof::Given(token) => {
                session.inner.memory.forget_given(session.registry(), token);
                (true, session.scopes.is_empty())
            }
            Proof::Credential(_) => (session.forget_credential().await?, false),
        };
        if let Some(wider) = wider.filter(|_| widen) {
            session.scopes = wider;
        }
        Ok(if resend { Next::Resend } else { Next::Done })
    }
}

/// Where tokens are had, and for which service.
fn endpoint(session: &Session<'_>) -> Result<Option<(Url, Option<String>)>, Error> {
    let Some(challenge) = &session.challenge else { return Ok(None) };
    let Some(realm) = challenge.realm() else { return Ok(None) };
    let realm = Url::parse(realm).map_err(|cause| {
        Error::new(ErrorKind::Protocol, "the registry's token endpoint is not a URL")
            .with_request(session.method(), session.url())
            .with_cause(cause)
    })?;
    Ok(Some((realm, challenge.parameter("service").map(str::to_owned))))
}

/// Whether an identity token was refused after an earlier use of it whose outcome is not known.
fn may_be_rotated(session: &Session<'_>, credential: &Credential, error: &Error) -> bool {
    session.unsettled
        && matches!(credential, Credential::IdentityToken(_))
        && error.kind() == ErrorKind::TokenRefused
}

/// A token for the scopes of the session: remembered, or fetched with as much of the credential as the realm may see.
async fn token(
    session: &mut Session<'_>,
    realm: &Url,
    service: Option<String>,
    credential: &Credential,
    who: u64,
) -> Result<(Held, Key, bool), Error> {
    let inner = session.inner;
    let home = inner.home_for(&mut session.home, realm).await;
    let (credential, shown) = match judge_realm(session.registry(), &home, &inner.hosts, realm) {
        Trust::Trusted => (credential.clone(), who),
        Trust::Anonymous => (Credential::Anonymous, NOBODY),
        Trust::Refused(refusal) => {
            return Err(refused(realm, refusal).with_request(session.method(), session.url()));
        }
    };
    if shown != who {
        session.withheld_from = Some(realm.host_str().unwrap_or_default().to_owned());
    }
    let key = Key { realm: realm.to_string(), service, scopes: session.scopes.clone(), who: shown };
    let refreshable = matches!(credential, Credential::IdentityToken(_));
    let ask = Ask {
        realm: realm.clone(),
        service: key.service.clone(),
        scopes: key.scopes.clone(),
        credential,
        registry: home,
        grant: Grant::Query,
    };
    let fetch = || fetch(Arc::clone(inner), key.clone(), ask);
    let need = if session.request.bulk { FOR_A_BLOB } else { Duration::ZERO };
    match inner.memory.tokens.get(&key, inner.clock.now(), need, fetch).await {
        Ok((token, remembered)) => Ok((token, key, remembered)),
        Err(error) if error.kind() == ErrorKind::TokenRefused => {
            // The keychain may have something better next time.
            session.forget();
            inner.memory.forget_successor(who);
            Err(session.or_withheld(error, std::convert::identity))
        }
        Err(error) => {
            session.unsettled |= refreshable && error.is_retryable();
            Err(error)
        }
    }
}

/// A token from an earlier process, or else from its endpoint.
async fn fetch(inner: Arc<Inner>, key: Key, ask: Ask) -> Result<Held, Error> {
    let credential = ask.credential.clone();
    if let Some(shelf) = &inner.shelf
        && let Some(held) = shelf.find(&key, &credential, &*inner.clock).await
    {
        return Ok(held);
    }
    let span =
        tracing::debug_span!("token", realm = %RedactedUrl::from(&ask.realm), scopes = %ask.scopes);
    let token = exchange(Arc::clone(&inner), ask).instrument(span).await?;
    if let (Credential::IdentityToken(_), Some(successor)) = (&credential, &token.refresh_token) {
        inner.memory.succeed(key.who, successor.clone());
    }
    let held = Held::new(&token, inner.clock.now())
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "the answer has no token"))?;
    if let Some(shelf) = &inner.shelf {
        shelf.keep(&key, &credential, &held, inner.clock.time_of_day()).await;
    }
    Ok(held)
}
