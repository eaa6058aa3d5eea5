//! A blob that is read in several places at the same time.

use std::{fmt, ops::Range, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ByteStream, Error};

/// A blob that is read in several places at the same time, because several connections bring more
/// than one does; see [`Source::parts`](crate::Source::parts).
///
/// Everything that is opened here belongs to one download, and shares what that may spend on
/// interruptions.
#[derive(Clone)]
pub struct Parts {
    open: Arc<Open>,
    seats: Arc<Semaphore>,
}

type Open =
    dyn Fn(Part) -> BoxFuture<'static, Result<Option<ByteStream>, Error>> + Send + Sync + 'static;

/// What of a blob is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Everything from this byte on, whether or not the place knows ranges. There is always an
    /// answer, or an error.
    From(u64),
    /// Exactly these bytes. Where they are not to be had (ranges are ignored, or answered wrongly)
    /// there is no stream, or it ends early.
    Range(Range<u64>),
}

impl Parts {
    /// Parts that `open` opens. Their bytes are not verified.
    pub fn new(
        open: impl Fn(Part) -> BoxFuture<'static, Result<Option<ByteStream>, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let seats = Arc::new(Semaphore::new(crate::tuning::RANGED_CONNECTIONS));
        Self { open: Arc::new(open), seats }
    }

    /// Opens a part.
    ///
    /// # Errors
    ///
    /// As [`Source::open_blob`](crate::Source::open_blob).
    pub async fn open(&self, part: Part) -> Result<Option<ByteStream>, Error> {
        (self.open)(part).await
    }

    /// The same with every stream changed by `change`, which is told what of the blob it brings:
    /// for a source that wraps another one.
    #[must_use]
    pub fn map(
        self,
        change: impl Fn(&Part, ByteStream) -> ByteStream + Send + Sync + 'static,
    ) -> Self {
        let (open, change) = (self.open, Arc::new(change));
        let open = move |part: Part| -> BoxFuture<'static, _> {
            let (opened, change) = (open(part.clone()), Arc::clone(&change));
            Box::pin(async move { Ok(opened.await?.map(|stream| change(&part, stream))) })
        };
        Self { open: Arc::new(open), seats: self.seats }
    }

    /// Shares the connections beyond the first with other blobs.
    pub(crate) fn sharing(mut self, seats: &Arc<Semaphore>) -> Self {
        self.seats = Arc::clone(seats);
        self
    }

    /// Leave to read one part more at the same time, for as long as it is held.
    pub(crate) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}
