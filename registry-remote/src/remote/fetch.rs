//! Reading manifests from a repository
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pulling manifests").

use std::sync::Arc;

use bytes::Bytes;
use http::{
    Method, StatusCode,
    header::{CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH},
};
use registry_name::{Algorithm, Digest, Identifier};
use registry_transport::{ErrorKind, Response};

use super::Remote;
use crate::{Descriptor, Error, Fetched, Manifest, Version, manifest, media_type, verify};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The answer to a `GET`, its bytes verified.
struct Answer {
    bytes: Bytes,
    digest: Digest,
    /// What it was asked for by, or what the registry calls it.
    name: Option<Digest>,
    content_type: Option<String>,
    etag: Option<String>,
}

/// What a `HEAD` was good for.
enum Head {
    Found(Box<Descriptor>),
    Missing,
    /// This registry does not answer HEAD, or leaves out what is needed.
    Unusable,
    /// An error without a reason.
    Refused,
    /// Nothing was asked, since this registry does not answer HEAD.
    Unasked,
}

impl Remote {
    /// What a tag or a digest names: its bytes, verified and not interpreted, whatever they are.
    ///
    /// Verified means: against the digest that was asked for, or, by tag, against the digest that
    /// the registry announces.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Integrity`] for other bytes.
    pub async fn get(&self, identifier: &Identifier) -> Result<Fetched, Error> {
        let answer = self.fetch(identifier, None).await?;
        let answer = answer.ok_or_else(|| self.unasked(identifier))?;
        Ok(self.fetched(identifier, answer))
    }

    /// What a tag names, unless it still is what it was: for whoever looks again and again.
    ///
    /// Asks with `If-None-Match` (RFC 9110, section 13.1.2). A registry that sends the whole in
    /// spite of that is asked with `HEAD` from then on, and only for what did change with `GET`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_if_changed(
        &self,
        identifier: &Identifier,
        previous: &Version,
    ) -> Result<Option<Fetched>, Error> {
        if self.learnt().no_condition {
            let found = self.head_manifest(identifier).await?;
            if found.is_some_and(|found| found.digest == previous.digest) {
                return Ok(None);
            }
        }
        let condition = previous.condition();
        let Some(answer) = self.fetch(identifier, Some(&condition)).await? else {
            return Ok(None);
        };
        let fetched = self.fetched(identifier, answer);
        if fetched.version().digest != previous.digest {
            return Ok(Some(fetched));
        }
        self.learn(|learnt| learnt.no_condition = true);
        Ok(None)
    }

    /// The manifest that a tag or a digest names, verified as by [`get`](Self::get), and read.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Integrity`] for other bytes; [`Error::Manifest`] for
    /// what is no manifest.
    pub async fn get_manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.get(identifier).await?.manifest()
    }

    /// What a tag or a digest names, without its bytes: media type, digest and size, and nothing
    /// that only the bytes tell; `None` where it does not exist. By tag the digest is the registry's
    /// word.
    ///
    /// Costs one `HEAD`; where the registry refuses that or leaves something out, a `GET`, which
    /// also has the word on what does not exist.
    ///
    /// # Errors
    ///
    /// What the registry said, other than that it does not exist.
    pub async fn head_manifest(
        &self,
        identifier: &Identifier,
    ) -> Result<Option<Descriptor>, Error> {
        match self.head(identifier).await? {
            Head::Found(descriptor) => Ok(Some(*descriptor)),
            head => self.get_after(&head, identifier).await,
        }
    }

    /// The digest of what is named, where a `HEAD` that says there is nothing can be believed:
    /// the worst that comes of it is work that was not needed.
    pub(super) async fn probe(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        match self.head(identifier).await? {
            Head::Found(descriptor) => Ok(Some(descriptor.digest)),
            Head::Missing => Ok(None),
            head => Ok(self.get_after(&head, identifier).await?.map(|found| found.digest)),
        }
    }

    /// What a `GET` says after a `HEAD` that was no use, and what that says of the registry's `HEAD`.
    async fn get_after(
        &self,
        head: &Head,
        identifier: &Identifier,
    ) -> Result<Option<Descriptor>, Error> {
        // A replica that lags behind is not wrong about anything else.
        let lags = self.client.state().recent.was_written(&self.repository, identifier);
        let found = match self.get(identifier).await {
            Ok(found) => Some(found),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let lied = matches!(head, Head::Missing) && found.is_some() && !lags;
        if lied || matches!(head, Head::Unusable) {
            self.learn(|learnt| learnt.no_head = true);
        }
        Ok(found.map(|found| {
            let Descriptor { media_type, size, .. } = found.descriptor().clone();
            Descriptor::new(media_type, found.version().digest, size)
        }))
    }

    /// `None`: it is what the condition says.
    async fn fetch(
        &self,
        identifier: &Identifier,
        condition: Option<&str>,
    ) -> Result<Option<Answer>, Error> {
        let what = self.name(identifier);
        let attempt = || format!("pull the manifest of {what}");
        let mut request = self
            .request(Method::GET, &format!("manifests/{identifier}"), self.pull())
            .accept(media_type::MANIFESTS)
            .expect(&[200]);
        if let Some(condition) = condition {
            request = request.header(IF_NONE_MATCH, condition).expect(&[200, 304]);
        }
        let mut response =
            self.ask_for(identifier, request).await.map_err(Error::registry(attempt))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let content_type = response.header(CONTENT_TYPE).map(str::to_owned);
        let etag = response.header(ETAG).map(str::to_owned);
        let announced = announced(&response);
        let cap = self.client.transport().caps().manifest;
        let bytes = response.bytes(cap).await.map_err(Error::registry(attempt))?;
        let mut digest = None;
        // Of two digests of one algorithm the one that was asked for decides.
        let asked = identifier.digest();
        let other = |told: &Digest| asked.is_none_or(|asked| asked.algorithm() != told.algorithm());
        let told = announced.filter(other);
        for expected in asked.into_iter().chain(&told) {
            match manifest::check(&bytes, expected, &what) {
                Ok(checked) => digest.get_or_insert(checked),
                // A mirror that is wrong is told on and passed by; there are only so many.
                Err(_) if response.is_from_mirror() => {
                    response.distrust();
                    return Box::pin(self.fetch(identifier, condition)).await;
                }
                Err(error) => return Err(error),
            };
        }
        let digest = digest.unwrap_or_else(|| verify::digest(Algorithm::Sha256, &bytes));
        let name = asked.cloned().or(told);
        Ok(Some(Answer { bytes, digest, name, content_type, etag }))
    }

    fn fetched(&self, identifier: &Identifier, answer: Answer) -> Fetched {
        let source = Arc::new(self.clone());
        Fetched::new(source, self.name(identifier), answer.bytes, answer.digest)
            .with_name(answer.name)
            .of_type(answer.content_type)
            .with_etag(answer.etag)
    }

    fn unasked(&self, identifier: &Identifier) -> Error {
        let what =
            format!("{} was answered with 304, which was not asked for", self.name(identifier));
        Error::Unsupported { what }
    }

    async fn head(&self, identifier: &Identifier) -> Result<Head, Error> {
        if self.learnt().no_head {
            return Ok(Head::Unasked);
        }
        let request = self
            .request(Method::HEAD, &format!("manifests/{identifier}"), self.pull())
            .accept(media_type::MANIFESTS)
            .expect(&[200]);
        let attempt = || format!("look up {}", self.name(identifier));
        let sent = self.client.transport().send(request).await;
        self.note(identifier, &sent);
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::NotFound => Ok(Head::Missing),
                    ErrorKind::Unsupported => Ok(Head::Unusable),
                    ErrorKind::RateLimited => Err(Error::registry(attempt)(error)),
                    // The transport asked again for the reason, and was refused again.
                    _ if error.method() == Some(&Method::GET) => {
                        Err(Error::registry(attempt)(error))
                    }
                    // A HEAD has no body to say why; the GET that follows has.
                    _ if error.status().is_some() => Ok(Head::Refused),
                    _ => Err(Error::registry(attempt)(error)),
                };
            }
        };
        let digest = match identifier {
            Identifier::Digest(digest) => Some(digest.clone()),
            Identifier::Tag(_) => announced(&response),
        };
        let media_type = response.header(CONTENT_TYPE).map(media_type::essence);
        Ok(match (digest, response.content_length(), media_type) {
            (Some(digest), Some(size), Some(media_type)) if size > 0 => {
                Head::Found(Box::new(Descriptor::new(media_type, digest, size)))
            }
            _ => Head::Unusable,
        })
    }
}

/// The digest that the registry announces; absent where it is empty or of an unknown kind.
pub(super) fn announced(response: &Response) -> Option<Digest> {
    response.header(DIGEST)?.parse().ok()
}
