//! A source that tells what is read from it, and reads no faster than it may.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use registry_name::{Digest, Identifier, Repository};

use super::{CopyEvent, CopyOptions, event::Listener, rate::Rate};
use crate::{ByteStream, Complaint, Descriptor, Error, Manifest, Part, Parts, Source};

/// The source itself where nobody listens and nothing is limited.
pub(super) struct Watched {
    source: Arc<dyn Source>,
    watch: Watch,
}

/// What is done to each stream.
#[derive(Clone)]
struct Watch {
    events: Listener,
    rate: Option<Arc<Rate>>,
    /// Blobs that were opened before.
    opened: Arc<Mutex<HashSet<Digest>>>,
}

impl Watched {
    #[expect(clippy::new_ret_no_self, reason = "there may be nothing to wrap")]
    pub(super) fn new(source: &Arc<dyn Source>, options: &CopyOptions) -> Arc<dyn Source> {
        if options.events.is_none() && options.rate.is_none() {
            return Arc::clone(source);
        }
        let telling = options.events.as_ref().and_then(|events| source.watched(events));
        let source = telling.unwrap_or_else(|| Arc::clone(source));
        let rate = options.rate.map(|rate| Arc::new(Rate::new(rate)));
        let watch = Watch { events: options.listener(), rate, opened: Arc::default() };
        Arc::new(Self { source, watch })
    }
}

impl Watch {
    /// A stream that tells what passes by. A range of a blob that is read in several places at once
    /// is no news, its bytes are.
    fn stream(&self, blob: &Digest, part: &Part, stream: ByteStream) -> ByteStream {
        let (blob, events) = (blob.clone(), self.events.clone());
        if let Part::From(offset) = *part {
            self.opened(&blob, offset);
        }
        let told = stream.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                let bytes = chunk.len() as u64;
                events.tell(|| CopyEvent::Moved { blob: blob.clone(), bytes });
            }
        });
        let Some(rate) = self.rate.clone() else { return Box::pin(told) };
        Box::pin(told.and_then(move |chunk| {
            let rate = Arc::clone(&rate);
            async move {
                rate.spend(chunk.len()).await;
                Ok(chunk)
            }
        }))
    }

    fn opened(&self, blob: &Digest, offset: u64) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.insert(blob.clone()) {
            let blob = blob.clone();
            self.events.tell(|| match offset {
                0 => CopyEvent::Retried { blob },
                offset => CopyEvent::Resumed { blob, offset },
            });
        }
        drop(opened);
        self.events.tell(|| CopyEvent::Reading { blob: blob.clone(), offset });
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
        Ok(self.watch.stream(&descriptor.digest, &Part::From(offset), stream))
    }

    fn parts(&self, descriptor: &Descriptor) -> Option<Parts> {
        let (watch, blob) = (self.watch.clone(), descriptor.digest.clone());
        let parts = self.source.parts(descriptor)?;
        Some(parts.map(move |part, stream| watch.stream(&blob, part, stream)))
    }

    fn complaint(&self, blob: &Digest) -> Option<Complaint> {
        self.source.complaint(blob)
    }

    async fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        self.source.describe_blob(digest).await
    }

    fn repository(&self) -> Option<&Repository> {
        self.source.repository()
    }

    fn mount_from(&self, blob: &Digest) -> Option<&Repository> {
        self.source.mount_from(blob)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
