//! Tokens by hand: for callers that log in, keep a token, or hand one on.

use std::sync::Arc;

use registry_authn::{Chain, Credential, Fixed, Keychain, Scopes};
use registry_name::Registry;
use url::Url;

use super::{Inner, Transport};
use crate::authorize::Memory;
use crate::challenge::Challenge;
use crate::error::{Error, ErrorKind};
use crate::realm::{Trust, judge_realm, refused};
use crate::token::{Ask, Grant, Held, Token, exchange};

impl Transport {
    /// Exchanges a credential for a token at the realm of a Bearer challenge: by GET as anybody or with Basic, by OAuth2 POST
    /// with an identity token, and where the endpoint does not take that, by GET (Docker registry token specification).
    ///
    /// [`send`](Self::send) does this by itself; this is the step alone. It is taken once: whether to take it again, ask
    /// [`Error::is_retryable`]. A realm that is not trusted with the credential is not asked ([`ErrorKind::Refused`]).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use registry_authn::{Credential, Scopes};
    /// use registry_transport::{Method, Request, Transport};
    ///
    /// let transport = Transport::builder().build()?;
    /// let app: registry_name::Repository = "ghcr.io/acme/app".parse()?;
    /// let (registry, scopes) = (app.registry(), Scopes::pull(&app));
    ///
    /// let ping = transport.ping(&registry).await?;
    /// if let Some(challenge) = ping.challenge() {
    ///     let me = Credential::basic("me", "password");
    ///     let token = transport.exchange(&registry, challenge, &me, &scopes).await?;
    ///     let stored = serde_json::to_string(&(challenge, &token))?; // for its owner's eyes only
    ///
    ///     // later, perhaps in another process
    ///     let (challenge, token) = serde_json::from_str(&stored)?;
    ///     let transport = transport.from_token(&registry, &challenge, &token);
    ///     let path = format!("/v2/{}/tags/list", app.path());
    ///     transport.send(Request::new(Method::GET, &registry, path).scopes(scopes)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exchange(
        &self,
        registry: &Registry,
        challenge: &Challenge,
        credential: &Credential,
        scopes: &Scopes,
    ) -> Result<Token, Error> {
        self.ask(registry, challenge, credential, scopes, Grant::Query).await
    }

    /// Exchanges a password for an identity token, [`Token::refresh_token`], by the OAuth2 password grant; where the endpoint
    /// does not take a POST, by GET with `offline_token`. An endpoint may give none all the same.
    pub async fn exchange_offline(
        &self,
        registry: &Registry,
        challenge: &Challenge,
        credential: &Credential,
        scopes: &Scopes,
    ) -> Result<Token, Error> {
        self.ask(registry, challenge, credential, scopes, Grant::Offline).await
    }

    async fn ask(
        &self,
        registry: &Registry,
        challenge: &Challenge,
        credential: &Credential,
        scopes: &Scopes,
        grant: Grant,
    ) -> Result<Token, Error> {
        let inner = &self.inner;
        let realm = challenge.realm().filter(|_| challenge.scheme() == "bearer");
        let Some(realm) = realm.and_then(|realm| Url::parse(realm).ok()) else {
            let what = format!("{registry} names no token endpoint in its challenge");
            return Err(Error::new(ErrorKind::NoChallenge, what));
        };
        let mut home = inner.home(registry)?;
        let home = inner.home_for(&mut home, &realm).await;
        match judge_realm(registry, &home, &inner.hosts, &realm) {
            Trust::Anonymous if !credential.is_anonymous() => {
                let host = realm.host_str().unwrap_or_default();
                let what = format!("the token endpoint of {registry} is not trusted");
                let error = Error::new(ErrorKind::Refused, what);
                return Err(error.with_untrusted_realm(registry, host));
            }
            Trust::Refused(refusal) => return Err(refused(&realm, refusal)),
            Trust::Trusted | Trust::Anonymous => {}
        }
        let ask = Ask {
            realm,
            service: challenge.parameter("service").map(str::to_owned),
            scopes: scopes.clone(),
            credential: credential.clone(),
            registry: home,
            grant,
        };
        let answer = Box::pin(exchange(Arc::clone(inner), ask));
        let cancelled = || Error::new(ErrorKind::Cancelled, "the token request was cancelled");
        self.cancellation.run_until_cancelled(answer).await.unwrap_or_else(|| Err(cancelled()))
    }

    /// A transport that shows this token to `registry` from the first request on, until it expires or is refused. Then the
    /// challenge is answered with the token's [`refresh_token`](Token::refresh_token), or as the keychain says. All else is
    /// shared with this transport; what it learnt about authentication is not.
    #[must_use]
    pub fn from_token(&self, registry: &Registry, challenge: &Challenge, token: &Token) -> Self {
        let inner = &*self.inner;
        let memory = Memory::default();
        memory.remember(registry, challenge.clone());
        if let Some(held) = Held::new(token, inner.clock.now()) {
            memory.give(registry, held);
        }
        let keychain: Arc<dyn Keychain> = match &token.refresh_token {
            None => Arc::clone(&inner.keychain),
            Some(refresh) => {
                let identity = Credential::IdentityToken(refresh.clone());
                let mine = Fixed::for_registry(registry.clone(), identity);
                Arc::new(Chain::new().then(mine).then(Arc::clone(&inner.keychain)))
            }
        };
        let inner = Inner {
            service: Arc::clone(&inner.service),
            keychain,
            hosts: inner.hosts.clone(),
            policy: inner.policy.clone(),
            deadlines: inner.deadlines,
            caps: inner.caps,
            clock: Arc::clone(&inner.clock),
            listeners: inner.listeners.clone(),
            tally: Arc::clone(&inner.tally),
            servers: Arc::clone(&inner.servers),
            memory,
            schemes: inner.schemes.clone(),
            warnings: Arc::clone(&inner.warnings),
            finished: inner.finished,
            shelf: None,
            gates: Arc::clone(&inner.gates),
            distrusted: inner.distrusted.clone(),
            spoken: inner.spoken.clone(),
            localities: Arc::clone(&inner.localities),
        };
        Self { inner: Arc::new(inner), cancellation: self.cancellation.clone() }
    }
}
