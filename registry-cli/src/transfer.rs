//! Push, pull and copy: one way between two ends.

use std::fmt;

use registry_name::Digest;
use registry_remote::{CopyOptions, Report, Sink, Source, copy, select};
use serde::Serialize;

use crate::{failure::Failure, place::Endpoint, progress::Progress, session::Session, stores};

/// What was transferred. As text: where it is now, by digest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transferred {
    image: String,
    source: String,
    destination: String,
    media_type: String,
    digest: Digest,
    size: u64,
    /// Manifests written.
    manifests: usize,
    blobs: Blobs,
}

#[derive(Debug, Serialize)]
struct Blobs {
    copied: usize,
    present: usize,
    mounted: usize,
    /// Of the copied ones.
    bytes: u64,
}

/// Copies what one end names to the other, and says where it is.
pub(crate) async fn transfer(
    session: &Session,
    from: &Endpoint,
    to: &Endpoint,
) -> Result<(), Failure> {
    let source = stores::source(session, from).await?;
    let sink = stores::sink(session, to, from, &source)?;
    if let Some(expected) = &sink.digest {
        expect(session, &source, expected).await?;
    }
    let progress = Progress::new(session.console.clone(), session.audience());
    let mut options = CopyOptions::default();
    options.platforms.clone_from(&session.global.platform);
    options.jobs = session.global.jobs.into();
    options.events = progress.listener();
    let (store, which) = (&source.store, &source.which);
    let report = copy(store, which, &sink.store, sink.tag.as_ref(), &options).await?;
    progress.finish(&report);
    session.answer(&Transferred::new(store.as_ref(), sink.store.as_ref(), report))
}

/// A destination that names a digest gets that content or none.
async fn expect(
    session: &Session,
    source: &stores::From,
    expected: &Digest,
) -> Result<(), Failure> {
    let mut manifest = source.store.manifest(&source.which).await?;
    if let Some(platform) = session.one_platform()? {
        manifest = select::image(source.store.as_ref(), manifest, platform).await?;
    }
    let actual = manifest.digest();
    if actual == expected {
        return Ok(());
    }
    Err(Failure::Other {
        what: format!("the destination is to be {expected}, and the source is {actual}"),
        exit: crate::Exit::Integrity,
        hint: Some("leave the digest out of the destination to write what the source has".into()),
    })
}

impl Transferred {
    fn new(source: &dyn Source, sink: &dyn Sink, report: Report) -> Self {
        let destination = sink.location();
        Self {
            image: format!("{destination}@{}", report.root.digest),
            source: source.location(),
            destination,
            media_type: report.root.media_type,
            digest: report.root.digest,
            size: report.root.size,
            manifests: report.manifests,
            blobs: Blobs {
                copied: report.written,
                present: report.present,
                mounted: report.mounted,
                bytes: report.bytes,
            },
        }
    }
}

impl fmt::Display for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)
    }
}
