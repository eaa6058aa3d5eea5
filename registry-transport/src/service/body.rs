//! A request body on its way: counted against its announced size, and watched for progress.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::body::{Body, Source};

/// An opened request body of an exact size. A stream that is shorter or longer than announced fails.
pub struct RequestBody {
    whole: Body,
    source: Source,
    left: u64,
    progress: Arc<Progress>,
}

/// How far a request body has come, seen from outside while the connection sends it.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<State>);

/// Who is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Our own source has no bytes yet: nobody else is to blame.
    Source,
    /// The network has had bytes to send since then.
    Network(Instant),
    /// All bytes were handed over then; the answer is due.
    Sent(Instant),
}

impl State {
    fn at_start(body: &Body) -> Self {
        let now = Instant::now();
        if body.size() == 0 { Self::Sent(now) } else { Self::Network(now) }
    }
}

impl Progress {
    pub(crate) fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl RequestBody {
    pub(crate) fn open(body: &Body) -> Self {
        let progress = Arc::new(Progress(Mutex::new(State::at_start(body))));
        Self { whole: body.clone(), source: body.open(), left: body.size(), progress }
    }

    /// The same body at its beginning. Whoever watches the progress of this one sees that of the new one.
    #[must_use]
    pub fn again(&self) -> Self {
        let Self { whole, progress, .. } = self;
        progress.set(State::at_start(whole));
        let (source, left) = (whole.open(), whole.size());
        Self { whole: whole.clone(), source, left, progress: Arc::clone(progress) }
    }

    /// The bytes that are still to come.
    pub fn size(&self) -> u64 {
        self.left
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn count(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                let now = Instant::now();
                self.progress.set(if left == 0 { State::Sent(now) } else { State::Network(now) });
                Ok(bytes)
            }
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the body is longer than its announced size",
            )),
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match &mut self.source {
            Source::Bytes(bytes) => bytes.take().map(Ok),
            Source::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                match stream.as_mut().poll_next(context) {
                    Poll::Ready(next) => next,
                    Poll::Pending => {
                        self.progress.set(State::Source);
                        return Poll::Pending;
                    }
                }
            }
        };
        let next = match next {
            Some(Ok(bytes)) => Some(self.count(bytes).map(Frame::data)),
            Some(Err(error)) => Some(Err(error)),
            None if self.left > 0 => Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the body is shorter than its announced size",
            ))),
            None => None,
        };
        Poll::Ready(next.map(|frame| frame.map_err(BodyError)))
    }

    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The body to send could not be read, or was not as long as announced. Not the server's fault.
#[derive(Debug)]
pub struct BodyError(io::Error);

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody({} bytes to come)", self.left)
    }
}
