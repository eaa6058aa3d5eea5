//! What layers are made from, and where they wait.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::pack::Spool;
use crate::{
    ByteStream, Descriptor, Error,
    local::{blocking, read},
};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Where the bytes of a layer or a blob come from.
pub struct Input(Kind);

enum Kind {
    Bytes(Bytes),
    File(PathBuf),
    Stream(ByteStream),
}

/// The bytes of a blob, which can be read as often as need be.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Bytes),
    File { file: Arc<File>, path: PathBuf, size: u64 },
}

impl Input {
    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// A file, which must stay as it is until what is composed has been copied.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// A stream, read once and to its end. Its length need not be known.
    pub fn stream(stream: ByteStream) -> Self {
        Self(Kind::Stream(stream))
    }

    /// A reader, read once and to its end.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::stream(Box::pin(stream::try_unfold(reader, |mut reader| async move {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let read = reader.read_buf(&mut chunk).await;
            let read = read.map_err(Error::local("read", "what was to become a layer"))?;
            Ok((read > 0).then(|| (chunk.freeze(), reader)))
        })))
    }

    /// The bytes as they come, and where they are already, if they can be read again from there.
    pub(crate) async fn open(self) -> Result<(ByteStream, Option<Content>), Error> {
        let content = match self.0 {
            Kind::Stream(stream) => return Ok((stream, None)),
            Kind::Bytes(bytes) => Content::Bytes(bytes),
            Kind::File(path) => blocking(move || Content::of_file(&path)).await?,
        };
        Ok((content.open(0), Some(content)))
    }

    /// The bytes as they are, hashed.
    pub(crate) async fn keep(self) -> Result<(Descriptor, Content), Error> {
        let (mut stream, content) = self.open().await?;
        let mut spool = Spool::new(content.is_none());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            spool = blocking(move || spool.take(&chunk).map(|()| spool)).await?;
        }
        let (digest, size, spooled) = blocking(move || spool.finish()).await?;
        Ok((Descriptor::unknown(digest, size), content.unwrap_or(spooled)))
    }
}

impl Content {
    fn of_file(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::local("open", path))?;
        let metadata = file.metadata().map_err(Error::local("read", path))?;
        if !metadata.is_file() {
            let strange = io::Error::other("it is no regular file");
            return Err(Error::local("read", path)(strange));
        }
        Ok(Self::File { file: Arc::new(file), path: path.to_owned(), size: metadata.len() })
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    pub(super) fn open(&self, offset: u64) -> ByteStream {
        match self {
            Self::Bytes(bytes) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Box::pin(stream::iter([Ok(bytes.slice(offset..))]))
            }
            Self::File { file, path, size } => {
                read::stream(Arc::clone(file), path.clone(), offset.min(*size)..*size)
            }
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Kind::File(path) => path.fmt(f),
            Kind::Stream(_) => f.write_str("a stream"),
        }
    }
}
