//! Writing an archive.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use registry_name::{Digest, Identifier, Reference, Tag};

use super::{
    ArchiveKind,
    entries::broken,
    shape::{Parts, Shape},
};
use crate::{
    Descriptor, Error, Manifest, Plan, Sink, Source, Stored,
    local::{
        blocking,
        draft::{self, Draft},
        pour::pour,
    },
};

/// An archive to write: what was there before stays until the new one is whole. What killed processes
/// left half-written beside it is removed.
///
/// Since a plan knows every size, the whole file is laid out before the first byte comes, and
/// blobs are written at the same time, each to its place. The same images give the same bytes.
///
/// A docker archive is written as current Docker writes it: an OCI layout with `manifest.json` and
/// `repositories` beside it, layers as they are stored. It takes one image, not an index.
#[derive(Debug)]
pub struct ArchiveWriter {
    path: PathBuf,
    kind: ArchiveKind,
    image: Option<Reference>,
    open: Mutex<Option<Open>>,
}

/// An archive in the making.
#[derive(Debug)]
struct Open {
    draft: Draft,
    /// Where blobs start.
    blobs: HashMap<Digest, u64>,
    /// Blobs that are still to come.
    missing: HashSet<Digest>,
    manifests: HashSet<Digest>,
}

impl ArchiveWriter {
    /// An archive at `path`, which is touched only when it is whole. `image` is the name that an
    /// image has in it; without one, it has the tag that it is copied under, if any.
    pub fn new(path: impl Into<PathBuf>, kind: ArchiveKind, image: Option<Reference>) -> Self {
        Self { path: path.into(), kind, image, open: Mutex::new(None) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unplanned(&self, digest: &Digest) -> Error {
        Error::Unsupported { what: format!("{digest} is not planned for {}", self.location()) }
    }
}

#[async_trait]
impl Sink for ArchiveWriter {
    fn location(&self) -> String {
        self.kind.location(&self.path)
    }

    /// An archive is always written whole.
    async fn resolve(&self, _: &Identifier) -> Result<Option<Digest>, Error> {
        Ok(None)
    }

    async fn begin(&self, plan: &Plan) -> Result<(), Error> {
        let shape = Shape::new(self.kind, &Parts::of(plan), self.image.as_ref())?;
        let missing = shape.blobs.keys().cloned().collect();
        let manifests = plan.manifests().map(|manifest| manifest.digest().clone()).collect();
        let path = self.path.clone();
        let open = blocking(move || {
            let target = target(&path)?;
            draft::sweep(draft::parent(&target));
            let draft = Draft::new(&target)?;
            draft.set_len(shape.length)?;
            let file = draft.slot(0);
            for (at, bytes) in &shape.fixed {
                file.write_at(*at, bytes)?;
            }
            Ok(Open { draft, blobs: shape.blobs, missing, manifests })
        });
        let open = open.await?;
        *self.open() = Some(open);
        Ok(())
    }

    async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Arc<dyn Source>,
    ) -> Result<Stored, Error> {
        let digest = &descriptor.digest;
        let slot =
            self.open().as_ref().and_then(|open| Some(open.draft.slot(*open.blobs.get(digest)?)));
        let slot = slot.ok_or_else(|| self.unplanned(digest))?;
        pour(source, descriptor, &slot).await?;
        if let Some(open) = self.open().as_mut() {
            open.missing.remove(digest);
        }
        Ok(Stored::Written)
    }

    /// Manifests are part of the plan, and so are written already.
    async fn put_manifest(&self, manifest: &Manifest, _: &[Tag]) -> Result<(), Error> {
        let digest = manifest.digest();
        let planned = self.open().as_ref().is_some_and(|open| open.manifests.contains(digest));
        if planned { Ok(()) } else { Err(self.unplanned(digest)) }
    }

    async fn finish(&self) -> Result<(), Error> {
        let open = self.open().take();
        let Some(open) = open.filter(|open| open.missing.is_empty()) else {
            let what = format!("{} cannot be finished before everything is in it", self.location());
            return Err(Error::Unsupported { what });
        };
        blocking(move || open.draft.publish()).await
    }
}

/// The file that is replaced: behind a link, what the link names. A device stays what it is.
fn target(path: &Path) -> Result<PathBuf, Error> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {
            path.canonicalize().map_err(Error::local("open", path))
        }
        Ok(_) => Err(broken(path, "an archive is written to a regular file, and this is none")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(Error::local("open", path)(error)),
    }
}
