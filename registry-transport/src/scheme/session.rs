//! What a scheme knows of one request, across all its attempts.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use registry_authn::{Credential, Resource, Scopes};
use registry_name::Registry;
use url::Url;

use super::{Anonymous, Scheme};
use crate::challenge::Challenge;
use crate::error::{Error, ErrorKind};
use crate::origin::{Home, Origin};
use crate::request::Request;
use crate::token::{Held, Key};
use crate::transport::Inner;

/// What a [`Scheme`] knows of one request, across all its attempts.
#[derive(Debug)]
pub struct Session<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) request: &'a Request,
    pub(crate) url: Url,
    pub(crate) home: Home,
    pub(super) scopes: Scopes,
    pub(crate) scheme: Arc<dyn Scheme>,
    pub(crate) challenge: Option<Challenge>,
    pub(super) proof: Proof,
    /// The headers of the next attempt.
    pub(crate) headers: HeaderMap,
    /// A scheme added something to them.
    dressed: bool,
    resends: Resends,
    resource: Resource,
    /// The token endpoint that a credential was kept from.
    pub(crate) withheld_from: Option<String>,
    /// The connection before was the wrong one.
    pub(crate) fresh: bool,
    /// Whether a refresh token was used by an attempt whose outcome is not known.
    pub(super) unsettled: bool,
}

/// What was attached to a request.
#[derive(Debug)]
pub(crate) enum Proof {
    Nothing,
    /// A credential as it is (Basic, or a registry token), by its fingerprint.
    Credential(u64),
    Token {
        token: Held,
        key: Key,
        remembered: bool,
    },
    /// The token that a transport was made from.
    Given(Held),
}

/// At most one answer to a challenge and one better proof for each request, whatever the server says.
#[derive(Debug, Default)]
struct Resends {
    challenged: bool,
    refused: bool,
}

impl Session<'_> {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Where the request goes. It may hold a signed query; print it as a [`RedactedUrl`](crate::RedactedUrl).
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The registry that the request is for.
    pub fn registry(&self) -> &Registry {
        &self.request.registry
    }

    /// What a token must allow.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// What the registry wants to see, by its last 401. Its realm is an absolute URL.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// The headers as they will be sent.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Sets a header that holds a secret: it is sent to the registry's own origin only and never printed.
    pub fn secret_header(
        &mut self,
        name: HeaderName,
        value: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        let mut value = HeaderValue::from_bytes(value.as_ref()).map_err(|_| {
            Error::new(ErrorKind::Credential, format!("header {name} cannot hold this value"))
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self.dressed = true;
        Ok(())
    }

    /// The keychain's credential for what the request is about.
    pub async fn credential(&mut self) -> Result<Credential, Error> {
        let (credential, who) = self.find().await?;
        self.proof = Proof::Credential(who);
        Ok(credential)
    }

    /// Forgets the credential that was refused, and asks the keychain again. Whether it has another one now.
    pub async fn forget_credential(&mut self) -> Result<bool, Error> {
        let Proof::Credential(before) = self.proof else { return Ok(true) };
        self.inner.memory.forget_credential(&self.resource);
        let (_, who) = self.find().await?;
        Ok(who != before)
    }

    /// The credential, with a fingerprint that tells it from others.
    pub(super) async fn find(&self) -> Result<(Credential, u64), Error> {
        self.inner.memory.credential(&*self.inner.keychain, &self.resource).await
    }

    pub(super) fn forget(&self) {
        self.inner.memory.forget_credential(&self.resource);
    }

    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    pub(super) fn show(&mut self, name: HeaderName, value: HeaderValue, proof: Proof) {
        self.headers.insert(name, value);
        self.dressed = true;
        self.proof = proof;
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(inner: &'a Arc<Inner>, request: &'a Request, url: Url, home: Home) -> Self {
        let mut session = Self {
            inner,
            request,
            url,
            home,
            scopes: request.scopes.clone(),
            scheme: Arc::new(Anonymous),
            challenge: None,
            proof: Proof::Nothing,
            headers: HeaderMap::new(),
            dressed: false,
            resends: Resends::default(),
            resource: request.resource_or_registry(),
            withheld_from: None,
            fresh: false,
            unsettled: false,
        };
        if let Some(challenge) = inner.memory.challenge(&request.registry) {
            session.adopt(std::slice::from_ref(&challenge));
        }
        if let Some(scheme) = inner.schemes.of(&request.registry) {
            session.scheme = Arc::clone(scheme);
        }
        session
    }

    /// Takes the challenge that can be answered, and its scheme where the caller has not chosen one. `false`: there is none.
    pub(crate) fn adopt(&mut self, challenges: &[Challenge]) -> bool {
        let fixed = self.inner.schemes.of(&self.request.registry).is_some();
        let Some((challenge, scheme)) = self.inner.schemes.choose(challenges) else {
            return fixed;
        };
        let before = self.challenge.replace(challenge.clone());
        if !fixed {
            self.scheme = scheme;
            if before.is_none_or(|before| before.scheme() != challenge.scheme()) {
                // What was shown was for another scheme.
                self.proof = Proof::Nothing;
            }
        }
        true
    }

    /// A session for another request to the same URL.
    pub(crate) fn on_behalf_of<'b>(&self, request: &'b Request) -> Session<'b>
    where
        'a: 'b,
    {
        Session::new(self.inner, request, self.url.clone(), self.home.clone())
    }

    /// A misdirected request (421) goes again over a connection of its own (RFC 9110, section 15.5.20), and so does one that was
    /// not answered in time: over HTTP/2 it would end up on the same dead connection.
    pub(crate) fn wants_fresh_connection(&mut self, error: &Error) {
        self.fresh = error.status() == Some(StatusCode::MISDIRECTED_REQUEST)
            || error.kind() == ErrorKind::Timeout;
    }

    /// What an earlier process learnt, where this one has learnt nothing yet.
    pub(crate) async fn recall(&mut self) {
        let inner = self.inner;
        if let (None, Some(shelf)) = (&self.challenge, &inner.shelf)
            && let Some(challenge) =
                shelf.challenge(self.registry(), inner.clock.time_of_day()).await
            && self.adopt(std::slice::from_ref(&challenge))
        {
            inner.memory.remember(self.registry(), challenge);
        }
    }

    /// Keeps what the registry wants to see for the requests to come.
    pub(crate) async fn remember(&self) {
        let Some(challenge) = &self.challenge else { return };
        let inner = self.inner;
        inner.memory.remember(self.registry(), challenge.clone());
        if let Some(shelf) = &inner.shelf {
            shelf.learn(self.registry(), challenge, inner.clock.time_of_day()).await;
        }
    }

    /// Forgets a token that was refused, wherever it is kept.
    pub(super) async fn forget_token(&self, key: &Key, token: &Held) {
        let inner = self.inner;
        inner.memory.tokens.forget(key, token);
        if let Some(shelf) = &inner.shelf {
            shelf.forget(&token.secret, inner.clock.time_of_day()).await;
        }
    }

    /// Starts an attempt with the caller's headers.
    pub(crate) fn undress(&mut self) {
        self.headers = self.request.headers.clone();
        self.dressed = false;
        self.proof = Proof::Nothing;
    }

    /// Whether secrets may go where the request goes.
    pub(crate) fn is_at_home(&self) -> bool {
        !self.request.bare && Origin::of(&self.url).as_ref() == Some(&self.home.origin)
    }

    /// Whether the request may be sent once more.
    pub(crate) fn may_resend(&mut self) -> bool {
        let spent =
            if self.dressed { &mut self.resends.refused } else { &mut self.resends.challenged };
        !std::mem::replace(spent, true)
    }

    /// Whether anything was shown.
    pub(crate) fn has_shown(&self) -> bool {
        self.dressed
    }

    /// Whether an error was answered by the registry's own origin.
    pub(crate) fn is_home(&self, error: &Error) -> bool {
        error.origin() == Some(&self.home.origin)
    }

    /// The error, with what to do when a credential was kept from a token endpoint that it would have helped with.
    pub(crate) fn or_withheld(&self, error: Error, other: impl FnOnce(Error) -> Error) -> Error {
        match &self.withheld_from {
            Some(host) => error.with_untrusted_realm(self.registry(), host),
            None => other(error),
        }
    }
}
