//! Request bodies of a known size that can be opened again: for a second attempt, after a challenge, after a 307.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_core::Stream;

/// A stream of bytes, once opened.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a request carries. Its size is always known, so it is announced, and checked while it is sent.
#[derive(Clone, Default)]
pub struct Body(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    Stream {
        size: u64,
        open: Arc<dyn Fn() -> ByteStream + Send + Sync>,
    },
}

impl Body {
    /// No body. A POST, PUT or PATCH still announces `Content-Length: 0` (RFC 9110, section 8.6).
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// Exactly `size` bytes from a stream that `open` starts from its beginning, as often as it is called.
    ///
    /// A stream that turns out shorter or longer than `size` fails the request instead of sending a wrong length.
    pub fn stream(size: u64, open: Arc<dyn Fn() -> ByteStream + Send + Sync>) -> Self {
        Self(Kind::Stream { size, open })
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kind::Empty => 0,
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::Stream { size, .. } => *size,
        }
    }

    /// Whether it is read while it is sent.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream { .. })
    }

    /// Opens the body at its beginning.
    pub(crate) fn open(&self) -> Source {
        match &self.0 {
            Kind::Empty => Source::Bytes(None),
            Kind::Bytes(bytes) => {
                Source::Bytes(Some(bytes.clone()).filter(|bytes| !bytes.is_empty()))
            }
            Kind::Stream { open, .. } => Source::Stream(Mutex::new(open())),
        }
    }
}

/// An opened body, not yet counted: [`crate::service::RequestBody`] does that.
pub(crate) enum Source {
    Bytes(Option<Bytes>),
    /// In a mutex, which is never locked, because a connection wants its body to be `Sync`.
    Stream(Mutex<ByteStream>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes of a token request are a secret.
        write!(f, "Body({} bytes)", self.size())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}
