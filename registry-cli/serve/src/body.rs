//! Bodies of responses: none, bytes in memory, or a piece of a file, read as the client takes it.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use tokio::task::JoinHandle;

/// How much of a file is in memory for one download, twice: one piece goes out, the next is read.
const PIECE: u64 = 256 << 10;

/// Any response's body.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No bytes, for the answer to a HEAD request about `length` of them.
pub(crate) fn announced(length: u64) -> Body {
    FileBody { remaining: length, next: None }.boxed_unsync()
}

/// The next `length` bytes of `file`.
pub(crate) fn file(file: File, length: u64) -> Body {
    FileBody { remaining: length, next: read(file, length) }.boxed_unsync()
}

/// `body`, which fails after `length` bytes if it is longer.
pub(crate) fn cut(body: Body, length: u64) -> Body {
    CutBody { body, left: length, end: End::Later }.boxed_unsync()
}

struct CutBody {
    body: Body,
    left: u64,
    end: End,
}

/// How near the failure is.
#[derive(PartialEq)]
enum End {
    Later,
    /// Once the connection has sent what it has: it drops that when a body fails.
    Next,
    Now,
}

impl HttpBody for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.end {
            End::Later => {}
            End::Next => {
                self.end = End::Now;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            End::Now => return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame?;
        let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
        if data.len() as u64 > self.left {
            self.end = End::Next;
            data.truncate(usize::try_from(self.left).unwrap_or_default());
        }
        self.left -= data.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Later && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type Piece = JoinHandle<io::Result<(File, Bytes)>>;

struct FileBody {
    /// Not yet handed to the connection.
    remaining: u64,
    next: Option<Piece>,
}

/// Starts to read the next piece; `None` at the end. Files block, so this is a thread's work.
fn read(mut file: File, remaining: u64) -> Option<Piece> {
    let length = usize::try_from(remaining.min(PIECE)).ok().filter(|length| *length > 0)?;
    Some(tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; length];
        file.read_exact(&mut piece)?;
        Ok((file, piece.into()))
    }))
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(next) = self.next.as_mut() else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(next).poll(context)).map_err(io::Error::other).flatten();
        self.next = None;
        Poll::Ready(Some(outcome.map(|(file, piece)| {
            self.remaining -= piece.len() as u64;
            self.next = read(file, self.remaining);
            Frame::data(piece)
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
