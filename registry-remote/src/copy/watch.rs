//! A source that tells what is read from it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use registry_name::{Identifier, Repository};

use super::{CopyEvent, CopyListener};
use crate::{ByteStream, Descriptor, Error, Manifest, Source};

/// The source itself where nobody listens.
pub(super) struct Watched {
    source: Arc<dyn Source>,
    events: CopyListener,
}

impl Watched {
    #[expect(clippy::new_ret_no_self, reason = "without a listener there is nothing to wrap")]
    pub(super) fn new(source: Arc<dyn Source>, events: Option<CopyListener>) -> Arc<dyn Source> {
        match events {
            Some(events) => Arc::new(Self { source, events }),
            None => source,
        }
    }
}

#[async_trait]
impl Source for Watched {
    fn location(&self) -> String {
        self.source.location()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.source.manifest(identifier).await
    }

    async fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let stream = self.source.open_blob(descriptor, offset).await?;
        let (blob, events) = (descriptor.digest.clone(), Arc::clone(&self.events));
        events(&CopyEvent::Reading { blob: blob.clone(), offset });
        Ok(Box::pin(stream.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                events(&CopyEvent::Moved { blob: blob.clone(), bytes: chunk.len() as u64 });
            }
        })))
    }

    fn repository(&self) -> Option<&Repository> {
        self.source.repository()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
