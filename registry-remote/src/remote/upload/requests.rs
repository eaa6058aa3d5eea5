//! The single requests of an upload.

use std::{
    io,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{
    Method, StatusCode,
    header::{CONTENT_RANGE, CONTENT_TYPE, RANGE},
};
use registry_authn::Scopes;
use registry_name::Repository;
use registry_transport::{Body, Error as TransportError, ErrorKind, Replay, Request, Response};
use url::Url;

use super::{Begun, Upload};
use crate::{Error, Mismatch, Stored};

const BYTES: &str = "application/octet-stream";

impl Upload<'_> {
    /// `POST ?digest=` with the bytes. A registry that does not know it opens a session instead.
    pub(super) async fn post_whole(&self, bytes: Bytes) -> Result<Begun, Error> {
        let route = format!("blobs/uploads/?digest={}", self.descriptor.digest);
        let request = self
            .remote
            .request(Method::POST, &route, self.remote.push())
            .header(CONTENT_TYPE, BYTES)
            .body(Body::bytes(bytes))
            .replay(Replay::Safe)
            .expect(&[201, 202]);
        let response = self.send(request).await.map_err(|error| self.error(error))?;
        self.begun(&response, Stored::Written)
    }

    /// `POST ?mount=&from=`: from the source where it is a repository of this registry, else
    /// from the target itself, which is a question whether the blob is there. `None`: this
    /// registry does not answer that.
    pub(super) async fn post_mount(&self) -> Result<Option<Begun>, Error> {
        let (from, stored) = match self.mountable() {
            Some(from) => (from, Stored::Mounted),
            None => (&self.remote.repository, Stored::Present),
        };
        let mut scopes = self.remote.push();
        scopes.merge(&Scopes::pull(from));
        let route = format!("blobs/uploads/?mount={}&from={}", self.descriptor.digest, from.path());
        let request = self
            .remote
            .request(Method::POST, &route, scopes)
            .replay(Replay::Safe)
            .expect(&[201, 202]);
        match self.send(request).await {
            Ok(response) => self.begun(&response, stored).map(Some),
            Err(error) if is_mount_refused(&error) => {
                // A refused mount says something about this source; a refused question says
                // something about the registry.
                if stored == Stored::Present {
                    self.remote
                        .client
                        .learn(&self.remote.registry, |learnt| learnt.no_mount = true);
                }
                Ok(None)
            }
            Err(error) => Err(self.error(error)),
        }
    }

    pub(super) async fn post_plain(&self) -> Result<Begun, Error> {
        let request = self
            .remote
            .request(Method::POST, "blobs/uploads/", self.remote.push())
            .replay(Replay::Safe)
            .expect(&[201, 202]);
        let response = self.send(request).await.map_err(|error| self.error(error))?;
        self.begun(&response, Stored::Present)
    }

    pub(super) fn mountable(&self) -> Option<&Repository> {
        let from = self.source.repository()?;
        let elsewhere = from.registry_str() == self.remote.repository.registry_str()
            && *from != self.remote.repository;
        elsewhere.then_some(from)
    }

    fn begun(&self, response: &Response, stored: Stored) -> Result<Begun, Error> {
        if response.status() == StatusCode::CREATED {
            return Ok(Begun::Stored(stored));
        }
        response.location().map(Begun::Session).map_err(|error| self.error(error))
    }

    /// One `PUT` with everything.
    pub(super) async fn put_whole(&self, session: &Url) -> Result<(), TransportError> {
        let request = self
            .remote
            .request(Method::PUT, "blobs/uploads/", self.remote.push())
            .to(self.commit_url(session))
            .header(CONTENT_TYPE, BYTES)
            .body(self.body_from(0))
            .replay(Replay::Unsent)
            .bulk()
            .expect(&[201]);
        self.send(request).await.map(drop)
    }

    /// A `PATCH` with what is missing, then an empty `PUT`.
    pub(super) async fn put_rest(&self, session: &Url, offset: u64) -> Result<(), TransportError> {
        let mut session = session.clone();
        if offset < self.descriptor.size {
            let range = format!("{offset}-{}", self.descriptor.size - 1);
            let request = self
                .remote
                .request(Method::PATCH, "blobs/uploads/", self.remote.push())
                .to(session.clone())
                .header(CONTENT_TYPE, BYTES)
                .header(CONTENT_RANGE, range)
                .body(self.body_from(offset))
                .replay(Replay::Unsent)
                .bulk()
                .expect(&[202, 204]);
            session = self.send(request).await?.location()?;
        }
        let request = self
            .remote
            .request(Method::PUT, "blobs/uploads/", self.remote.push())
            .to(self.commit_url(&session))
            .replay(Replay::Unsent)
            .expect(&[201]);
        self.send(request).await.map(drop)
    }

    /// The session's URL with the digest: its own query stays byte for byte.
    fn commit_url(&self, session: &Url) -> Url {
        let mut url = session.clone();
        url.query_pairs_mut().append_pair("digest", self.descriptor.digest.as_str());
        url
    }

    /// The bytes from `offset` on, opened anew each time they are sent.
    fn body_from(&self, offset: u64) -> Body {
        let (source, descriptor) = (Arc::clone(self.source), self.descriptor.clone());
        let unread = Arc::clone(&self.unread);
        Body::stream(
            self.descriptor.size - offset,
            Arc::new(move || {
                let (source, descriptor) = (Arc::clone(&source), descriptor.clone());
                let unread = Arc::clone(&unread);
                let open = async move { source.open_blob(&descriptor, offset).await };
                Box::pin(stream::once(open).try_flatten().map_err(move |error| {
                    *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    io::Error::other("the source of the upload failed")
                }))
            }),
        )
    }

    pub(super) async fn is_there(&self) -> Result<bool, Error> {
        let route = format!("blobs/{}", self.descriptor.digest);
        let request =
            self.remote.request(Method::HEAD, &route, self.remote.pull()).expect(&[200]).upstream();
        match self.send(request).await {
            Ok(response) => match response.content_length() {
                Some(actual) if actual != self.descriptor.size => Err(Error::Integrity {
                    what: format!("blob {} in {}", self.descriptor.digest, self.remote.repository),
                    mismatch: Mismatch::Size { expected: self.descriptor.size, actual },
                }),
                _ => Ok(true),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Where the session goes on, and from which byte; `None` where it does not.
    pub(super) async fn ask_offset(&self, session: &Url) -> Option<(Url, u64)> {
        let request = self
            .remote
            .request(Method::GET, "blobs/uploads/", self.remote.push())
            .to(session.clone())
            .expect(&[204]);
        let response = self.send(request).await.ok()?;
        let offset = next_offset(response.header(RANGE)?)?;
        Some((response.location().ok()?, offset))
    }

    /// Gives a session up. Whether the registry minds is of no interest.
    pub(super) async fn cancel(&self, session: Url) {
        let request = self
            .remote
            .request(Method::DELETE, "blobs/uploads/", self.remote.push())
            .to(session)
            .expect(&[200, 202, 204]);
        let _ = self.send(request).await;
    }

    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.remote.client.transport().send(request).await
    }

    /// What the source met while it was read is the cause; what the transport made of it is not.
    pub(super) fn error(&self, error: TransportError) -> Error {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
        unread.unwrap_or_else(|| {
            Error::registry(|| {
                format!("push blob {} to {}", self.descriptor.digest, self.remote.repository)
            })(error)
        })
    }
}

/// Statuses by which registries refuse a mount and would still take the bytes.
fn is_mount_refused(error: &TransportError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 401 | 403 | 404 | 405 | 500))
        || error.kind() == ErrorKind::TokenRefused
}

/// The byte after those that a session has: `Range: 0-9` means that 10 is next. `0-0` is what
/// some registries say of an empty session too, so it counts as nothing.
fn next_offset(range: &str) -> Option<u64> {
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    if first != "0" || !last.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match last.parse().ok()? {
        0 => Some(0),
        last => u64::checked_add(last, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u06_u08_only_a_well_formed_range_gives_an_offset() {
        let rows = [
            ("0-9", Some(10)),
            ("bytes=0-9", Some(10)),
            ("0-0", Some(0)),
            ("0--1", None),
            ("9-0", None),
            ("1-9", None),
            ("0-18446744073709551615", None),
            ("0-18446744073709551616", None),
            ("0-", None),
            ("", None),
            ("garbage", None),
        ];
        for (range, offset) in rows {
            assert_eq!(next_offset(range), offset, "{range:?}");
        }
    }
}
