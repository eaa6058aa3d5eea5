//! The first error ends a copy, and what was still running has come to rest when it is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use registry_name::{Digest, Identifier, Tag};
use registry_remote::{
    CopyOptions, Descriptor, Error, Manifest, Memory, Sink, Source, Stored, copy,
};
use stage::{image, noise, tag};
use tokio::sync::Barrier;

/// A sink where one blob fails as soon as all others are on their way, and those never arrive.
#[derive(Debug)]
struct Failing {
    bad: Digest,
    all: Barrier,
    running: Arc<AtomicUsize>,
}

/// Counts what has not been cleaned up.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Sink for Failing {
    fn location(&self) -> String {
        "a failing place".to_owned()
    }

    async fn resolve(&self, _: &Identifier) -> Result<Option<Digest>, Error> {
        Ok(None)
    }

    async fn put_blob(&self, blob: &Descriptor, _: &Arc<dyn Source>) -> Result<Stored, Error> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _busy = Busy(Arc::clone(&self.running));
        self.all.wait().await;
        if blob.digest == self.bad {
            return Err(Error::Unsupported { what: "this one".to_owned() });
        }
        std::future::pending().await
    }

    async fn put_manifest(&self, _: &Manifest, _: &[Tag]) -> Result<(), Error> {
        unreachable!("a blob failed")
    }
}

#[tokio::test]
async fn what_still_ran_at_the_first_error_has_cleaned_up_when_the_copy_returns() {
    let memory = Memory::new();
    let manifest = image(&memory, &[noise(1, 10), noise(2, 10), noise(3, 10)], Some("v1"));
    let running = Arc::new(AtomicUsize::new(0));
    let sink: Arc<dyn Sink> = Arc::new(Failing {
        bad: manifest.layers()[1].digest.clone(),
        all: Barrier::new(4),
        running: Arc::clone(&running),
    });
    let source: Arc<dyn Source> = Arc::new(memory);
    let from = Identifier::Tag(tag("v1"));
    let error = copy(&source, &from, &sink, None, &CopyOptions::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "this one");
    assert_eq!(running.load(Ordering::SeqCst), 0);
}
