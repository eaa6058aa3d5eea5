//! What is said of a transfer, done or only planned.

use std::fmt;

use registry_name::{Digest, Tag};
use registry_remote::{Plan, Report, Sink, Source, copy::Root};
use serde::Serialize;

use crate::progress;

/// What was transferred. As text: where it is now, by digest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transferred {
    /// Nothing where its tag was left alone.
    image: Option<String>,
    source: String,
    destination: String,
    media_type: String,
    digest: Digest,
    size: u64,
    /// Everything that was asked for, and what went along with it.
    images: Vec<Image>,
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

/// What would be transferred.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Planned {
    dry_run: bool,
    source: String,
    destination: String,
    images: Vec<Image>,
    manifests: usize,
    /// Blobs that the destination lacks.
    blobs: usize,
    /// That would be moved, where every mount succeeds.
    bytes: u64,
    /// That would be made, about.
    requests: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    is_named: bool,
    digest: Digest,
    media_type: String,
    size: u64,
    /// Tags that point at it now.
    tags: Vec<Tag>,
    /// Tags that name something else, and were left alone.
    skipped: Vec<Tag>,
    /// Whether it was there already, under what it was to be called.
    present: bool,
    /// Whether it went along with what was asked for.
    companion: bool,
}

impl Transferred {
    pub(super) fn new(source: &dyn Source, sink: &dyn Sink, report: Report) -> Self {
        let destination = sink.location();
        Self {
            image: is_there(&report.roots[0])
                .then(|| format!("{destination}@{}", report.root.digest)),
            source: source.location(),
            images: images(&report.roots, &destination),
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

impl Transferred {
    pub(super) fn is_silent(&self) -> bool {
        is_silent(&self.images)
    }
}

impl Planned {
    pub(super) fn new(source: &dyn Source, sink: &dyn Sink, plan: &Plan) -> Self {
        let destination = sink.location();
        Self {
            dry_run: true,
            source: source.location(),
            images: images(plan.roots(), &destination),
            destination,
            manifests: plan.manifests().len(),
            blobs: plan.blobs().len(),
            bytes: plan.bytes_to_move(source, sink),
            requests: plan.requests(source, sink),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        is_silent(&self.images)
    }

    pub(super) fn summary(&self) -> String {
        format!(
            "would write {}, {} of {}, with about {}",
            progress::count(self.manifests, "manifest"),
            progress::count(self.blobs, "blob"),
            progress::size(self.bytes),
            progress::count(self.requests, "request"),
        )
    }
}

/// Whether it is at the destination, or will be, under what it was to be called.
fn is_there(root: &Root) -> bool {
    root.skipped.is_empty() || !(root.tags.is_empty() && root.present.is_empty())
}

/// One image is named by its digest alone; several by their tags too.
fn images(roots: &[Root], destination: &str) -> Vec<Image> {
    let several = roots.iter().filter(|root| !root.companion).count() > 1;
    let image = |root: &Root| {
        let tags: Vec<_> = root.present.iter().chain(&root.tags).cloned().collect();
        let tag = tags.first().filter(|_| several);
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        Image {
            is_named: is_there(root) && !root.companion,
            name: format!("{destination}{tag}@{}", root.name),
            digest: root.name.clone(),
            media_type: root.descriptor.media_type.clone(),
            size: root.descriptor.size,
            tags,
            skipped: root.skipped.clone(),
            present: !root.write && is_there(root),
            companion: root.companion,
        }
    };
    roots.iter().map(image).collect()
}

/// Whether every tag is left alone, so that there is nothing to name.
fn is_silent(images: &[Image]) -> bool {
    !images.iter().any(|image| image.is_named)
}

/// One line for each image that was asked for and is there.
fn lines(images: &[Image], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, image) in images.iter().filter(|image| image.is_named).enumerate() {
        let separator = if at == 0 { "" } else { "\n" };
        write!(f, "{separator}{}", image.name)?;
    }
    Ok(())
}

impl fmt::Display for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(&self.images, f)
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(&self.images, f)
    }
}
