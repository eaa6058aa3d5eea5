//! The bytes that an upload sends: read once where all goes well, and again from wherever a
//! registry wants them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use registry_name::Digest;
use registry_transport::Body;

use crate::{ByteStream, Descriptor, Error, Source, store::open_blob, verified_blob};

/// What an upload sends.
#[async_trait]
pub(super) trait Outgoing: Send + Sync {
    /// How many bytes it has, where that is known already.
    fn size(&self) -> Option<u64>;

    /// Its digest: known from the start, or once all was read.
    fn digest(&self) -> Option<Digest>;

    /// At most `most` bytes from `offset` on; `None` after the last.
    async fn body(&self, offset: u64, most: u64) -> Result<Option<Body>, Error>;

    /// Why it could not be read, where that is what ended a request.
    fn failure(&self) -> Option<Error>;

    /// Reads all of it again to see whether it is what its descriptor says.
    async fn judge(&self) -> Result<(), Error>;

    /// Where only content of a known size can be sent: sees to it that it is known.
    async fn complete(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A blob of a source, with its descriptor.
pub(super) struct Described {
    source: Arc<dyn Source>,
    descriptor: Descriptor,
    shared: Arc<Shared>,
}

/// What the bodies of one blob have in common.
#[derive(Default)]
struct Shared {
    failure: Mutex<Option<Error>>,
    /// What the last body left over, for the next one to go on with.
    tap: Mutex<Option<Tap>>,
}

/// A source that is open at an offset.
struct Tap {
    offset: u64,
    rest: Bytes,
    stream: ByteStream,
}

impl Described {
    pub(super) fn new(source: &Arc<dyn Source>, descriptor: &Descriptor) -> Self {
        let (source, descriptor) = (Arc::clone(source), descriptor.clone());
        Self { source, descriptor, shared: Arc::default() }
    }

    /// All its bytes are at hand: the source is asked for them only where they are sent again.
    pub(super) fn begins_with(&self, bytes: Bytes) {
        self.shared.leave(Tap { offset: 0, rest: bytes, stream: Box::pin(stream::empty()) });
    }
}

#[async_trait]
impl Outgoing for Described {
    fn size(&self) -> Option<u64> {
        Some(self.descriptor.size)
    }

    fn digest(&self) -> Option<Digest> {
        Some(self.descriptor.digest.clone())
    }

    async fn body(&self, offset: u64, most: u64) -> Result<Option<Body>, Error> {
        let length = self.descriptor.size.saturating_sub(offset).min(most);
        if length == 0 {
            return Ok(None);
        }
        let (source, descriptor) = (Arc::clone(&self.source), self.descriptor.clone());
        let shared = Arc::clone(&self.shared);
        let open = move || {
            let (source, descriptor) = (Arc::clone(&source), descriptor.clone());
            let shared = Arc::clone(&shared);
            let tap = shared.take(offset);
            let state = Reading { source, descriptor, shared, tap, offset, left: length };
            Box::pin(stream::try_unfold(state, Reading::next)) as registry_transport::ByteStream
        };
        Ok(Some(Body::stream(length, Arc::new(open))))
    }

    fn failure(&self) -> Option<Error> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn judge(&self) -> Result<(), Error> {
        let mut stream = verified_blob(self.source.as_ref(), &self.descriptor).await?;
        while let Some(chunk) = stream.next().await {
            chunk?;
        }
        Ok(())
    }
}

impl Shared {
    /// The source as an earlier body left it, if that is where to go on.
    fn take(&self, offset: u64) -> Option<Tap> {
        let tap = self.tap.lock().unwrap_or_else(PoisonError::into_inner).take();
        tap.filter(|tap| tap.offset == offset)
    }

    fn leave(&self, tap: Tap) {
        *self.tap.lock().unwrap_or_else(PoisonError::into_inner) = Some(tap);
    }

    fn failed(&self, error: Error) -> io::Error {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other("the source of the upload failed")
    }
}

/// A body while it is sent.
struct Reading {
    source: Arc<dyn Source>,
    descriptor: Descriptor,
    shared: Arc<Shared>,
    tap: Option<Tap>,
    offset: u64,
    left: u64,
}

impl Reading {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut tap = if let Some(tap) = self.tap.take() {
            tap
        } else {
            let opened = open_blob(self.source.as_ref(), &self.descriptor, self.offset).await;
            let stream = opened.map_err(|error| self.shared.failed(error))?;
            Tap { offset: self.offset, rest: Bytes::new(), stream }
        };
        while tap.rest.is_empty() {
            match tap.stream.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) => tap.rest = bytes,
                Some(Err(error)) => return Err(self.shared.failed(error)),
            }
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        // The last body takes all there is: that it is too much must not go unnoticed.
        let ends = self.offset + self.left == self.descriptor.size;
        let taken = if ends { tap.rest.len() } else { most.min(tap.rest.len()) };
        let bytes = tap.rest.split_to(taken);
        let count = bytes.len() as u64;
        tap.offset += count;
        self.offset += count;
        self.left = self.left.saturating_sub(count);
        if self.left == 0 {
            // Nobody asks again once the announced length is reached.
            self.shared.leave(tap);
        } else {
            self.tap = Some(tap);
        }
        Ok(Some((bytes, self)))
    }
}
