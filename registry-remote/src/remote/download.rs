//! A blob on its way here: read, interrupted, resumed.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use http::{
    Method,
    header::{CONTENT_RANGE, CONTENT_TYPE, ETAG},
};
use registry_transport::{Budget, Error as TransportError, Request, Response, Url};

use super::{
    Remote,
    resume::{Answer, Progress, Start, Validator},
};
use crate::{CopyEvent, Descriptor, Error, Mismatch, tuning};

/// How long to listen for a byte too many after the last one, or for the end.
const LISTEN: Duration = Duration::from_secs(2);

/// A blob's bytes, **not verified**: wrap them in [`Verified`](crate::Verified), or read through
/// [`Remote::blob`].
///
/// An interruption is resumed by `Range` (RFC 9110, section 14), from the registry's own URL and
/// never from where it redirected to. A server that ignores or breaks ranges is read from the
/// start again, and what is known already is skipped.
#[derive(Debug)]
pub(super) struct Blob {
    remote: Remote,
    descriptor: Descriptor,
    /// Where it is asked for, if not of the registry.
    url: Option<Url>,
    progress: Progress,
    budget: Budget,
    response: Option<Response>,
    skip: u64,
    whole: bool,
    /// A part of the blob, that is to be had as such or not at all.
    part: bool,
}

impl Blob {
    /// Asks for the bytes from `offset` on, and returns when the answer has begun.
    pub(super) async fn open(
        remote: Remote,
        descriptor: &Descriptor,
        offset: u64,
        url: Option<Url>,
        budget: Budget,
    ) -> Result<Self, Error> {
        let mut blob = Self::new(remote, descriptor, offset..descriptor.size, budget);
        blob.url = url;
        if offset == 0 || !blob.progress.is_complete() {
            blob.connect().await?;
        }
        Ok(blob)
    }

    /// Asks for exactly these bytes; `None` where the registry answers with anything else.
    pub(super) async fn open_part(
        remote: Remote,
        descriptor: &Descriptor,
        range: Range<u64>,
        budget: Budget,
    ) -> Result<Option<Self>, Error> {
        let mut blob = Self::new(remote, descriptor, range, budget);
        blob.part = true;
        Ok(blob.connect().await?.then_some(blob))
    }

    fn new(remote: Remote, descriptor: &Descriptor, range: Range<u64>, budget: Budget) -> Self {
        Self {
            remote,
            descriptor: descriptor.clone(),
            url: None,
            progress: Progress::new(descriptor.size, range),
            budget,
            response: None,
            skip: 0,
            whole: false,
            part: false,
        }
    }

    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    ///
    /// What could not be recovered from. [`Error::Integrity`] where the registry announces or
    /// sends another size than the descriptor's.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.progress.is_complete() {
                return self.listen().await;
            }
            let Some(response) = &mut self.response else {
                if self.connect().await? {
                    continue;
                }
                return Ok(None);
            };
            let lost = match response.chunk().await {
                Ok(Some(chunk)) => match self.take(chunk)? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Ok(None) => response.cut_short("the body ended early"),
                Err(error) => error,
            };
            self.response = None;
            self.interrupted(lost).await?;
        }
    }

    /// The bytes as a stream, until the end or the first error.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        stream::try_unfold(self, |mut blob| async move {
            Ok(blob.chunk().await?.map(|chunk| (chunk, blob)))
        })
    }

    /// Drops what is known already, and refuses what is too much.
    fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, Error> {
        if self.skip > 0 {
            let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
            drop(chunk.split_to(known));
            self.skip -= known as u64;
            self.progress.skipped(known as u64);
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        self.progress.advance(chunk.len() as u64);
        if self.progress.position() > self.progress.end() {
            return Err(self.wrong_size(self.progress.position()));
        }
        Ok(Some(chunk))
    }

    /// After the last byte: whether there is one too many. How the body ends is of no interest,
    /// since every byte is here; but where its end is read, the connection can be used again.
    async fn listen(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(mut response) = self.response.take() else { return Ok(None) };
        match tokio::time::timeout(LISTEN, response.chunk()).await {
            Ok(Ok(Some(more))) if !more.is_empty() => {
                Err(self.wrong_size(self.descriptor.size + more.len() as u64))
            }
            _ => Ok(None),
        }
    }

    /// Asks until an answer can be used; `false` where a part is not to be had.
    async fn connect(&mut self) -> Result<bool, Error> {
        loop {
            let position = self.progress.position();
            let ranged = self.part || (position > 0 && !self.whole);
            let sent = self.remote.client.transport().send(self.request(ranged)).await;
            let response = match sent {
                Ok(response) => response,
                Err(error) if ranged && !self.part && is_about_ranges(&error) => {
                    if !self.progress.may_restart() {
                        return Err(self.error(error));
                    }
                    self.whole = true;
                    continue;
                }
                Err(error) => return Err(self.error(error)),
            };
            let ranges: Vec<_> = response.headers().get_all(CONTENT_RANGE).iter().collect();
            let answer = Answer {
                status: response.status().as_u16(),
                content_length: response.content_length(),
                content_ranges: ranges
                    .iter()
                    .map(|range| range.to_str().unwrap_or_default())
                    .collect(),
                content_type: response.header(CONTENT_TYPE),
                validator: Validator::of(response.url(), response.header(ETAG)),
            };
            match self.progress.start(&answer, ranged) {
                Start::Append => self.skip = 0,
                other if self.part => {
                    tracing::debug!(blob = %self.descriptor.digest, ?other, "no ranges here");
                    return Ok(false);
                }
                Start::Skip(known) if self.progress.may_skip(known) => self.skip = known,
                Start::Skip(known) => {
                    let reason = format!(
                        "ranges are ignored, and {known} known bytes more would be fetched again"
                    );
                    return Err(self.error(response.cut_short(reason)));
                }
                Start::Size(announced) => {
                    response.distrust();
                    let expected = self.descriptor.size;
                    return Err(self.mismatched(Mismatch::Announced { expected, announced }));
                }
                Start::Restart(reason) => {
                    tracing::debug!(blob = %self.descriptor.digest, reason, "asking for all of it");
                    self.whole = true;
                    let blob = || self.descriptor.digest.clone();
                    self.remote.events.tell(|| CopyEvent::Retried { blob: blob() });
                    if !self.progress.may_restart() {
                        return Err(self.error(response.cut_short(reason)));
                    }
                    continue;
                }
            }
            self.progress.reads(Validator::of(response.url(), response.header(ETAG)));
            self.remote.suspects.note(&self.descriptor.digest, &response);
            self.response = Some(response);
            return Ok(true);
        }
    }

    fn request(&self, ranged: bool) -> Request {
        let route = format!("blobs/{}", self.descriptor.digest);
        // No content is the right one of a blob that has none.
        let expected: &[u16] =
            if self.descriptor.size == 0 { &[200, 204, 206, 416] } else { &[200, 206, 416] };
        let request = self
            .remote
            .request(Method::GET, &route, self.remote.pull())
            .budget(&self.budget)
            .expect(expected);
        let request = match &self.url {
            Some(url) => request.to(url.clone()).without_secrets(),
            None => request,
        };
        let shared = self.descriptor.size <= tuning::SHARED_UP_TO;
        let request = if shared { request } else { request.bulk() };
        let (from, end) = (self.progress.position(), self.progress.end());
        match (ranged, self.part) {
            (false, _) => request,
            (true, false) => request.range_from(from),
            (true, true) => request.range(from..end),
        }
    }

    /// Waits until the transfer may go on, if it may.
    async fn interrupted(&mut self, lost: TransportError) -> Result<(), Error> {
        let progress = self.progress.since();
        let resumed = self.remote.client.transport().resume_after(lost, progress, &self.budget);
        resumed.await.map_err(|error| self.error(error))?;
        let (at, of) = (self.progress.position(), self.descriptor.size);
        tracing::info!(blob = %self.descriptor.digest, at, of, "resuming");
        let blob = || self.descriptor.digest.clone();
        self.remote.events.tell(|| CopyEvent::Resumed { blob: blob(), offset: at });
        Ok(())
    }

    fn error(&self, error: TransportError) -> Error {
        let at = self.progress.position();
        Error::registry(|| {
            let from = if at > 0 { format!(", from byte {at} on") } else { String::new() };
            format!("pull blob {} of {}{from}", self.descriptor.digest, self.remote.repository)
        })(error)
    }

    fn wrong_size(&self, actual: u64) -> Error {
        if let Some(response) = &self.response {
            response.distrust();
        }
        self.mismatched(Mismatch::Size { expected: self.descriptor.size, actual })
    }

    fn mismatched(&self, mismatch: Mismatch) -> Error {
        let what = format!("blob {} of {}", self.descriptor.digest, self.remote.repository);
        Error::Integrity { what, mismatch }
    }
}

/// Whether a request may have been refused for asking for a range: some servers sign, or know, no
/// other requests than those for the whole.
fn is_about_ranges(error: &TransportError) -> bool {
    use registry_transport::ErrorKind as Kind;
    matches!(error.kind(), Kind::Denied | Kind::Unsupported | Kind::Rejected)
}
