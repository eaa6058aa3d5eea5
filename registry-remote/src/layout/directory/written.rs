//! Blobs and manifests on their way into a layout, and blobs that are put aside.

use std::{fs, path::PathBuf};

use registry_name::Digest;

use super::{Directory, ground::make};
use crate::{
    Descriptor, Error, Manifest, Mismatch,
    local::{
        draft::{Draft, PREFIX},
        names::{BLOBS, blob_parts},
        partial::{Claim, claim},
        read,
    },
};

impl Directory {
    /// Claims a blob that is to be here.
    pub(in super::super) fn claim(&self, wanted: &Descriptor) -> Result<Claim, Error> {
        self.prepare()?;
        if self.has(&wanted.digest, wanted.size) {
            return Ok(Claim::Present);
        }
        let _hold = self.hold()?;
        let path = self.blob_path_made(&wanted.digest)?;
        // It may have been finished since.
        claim(&path, wanted, || self.has(&wanted.digest, wanted.size))
    }

    /// Puts a blob of `size` bytes at its place, once all of it is in `draft`.
    pub(in super::super) fn publish(
        &self,
        draft: Draft,
        digest: &Digest,
        size: u64,
    ) -> Result<(), Error> {
        draft.publish_sized(size)?;
        // Mostly there is none.
        let _ = fs::remove_file(self.aside(digest));
        Ok(())
    }

    pub(in super::super) fn store_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let digest = manifest.digest();
        let stored = self.stored_manifest(digest, Some(manifest.media_type()));
        if matches!(stored, Ok(Some(stored)) if stored.bytes() == manifest.bytes()) {
            return Ok(());
        }
        let hold = self.hold()?;
        let draft = Draft::new(&self.blob_path_made(digest)?)?;
        drop(hold);
        draft.slot(0).write_at(0, manifest.bytes())?;
        draft.publish()
    }

    /// What puts a blob aside as it is now; to be called where its bytes turn out to be wrong. What
    /// another process has put in its place by then stays, and so does what is only of another size
    /// than somebody thought: a blob that is too short is brought again where it is.
    pub(in super::super) fn suspect(
        &self,
        digest: &Digest,
    ) -> Option<impl FnOnce(&Mismatch) + Send + use<>> {
        // Open, so that no other file is taken for it.
        let file = self.open(&blob_parts(digest)).ok().flatten()?;
        let (path, aside) = (self.blob_path(digest), self.aside(digest));
        Some(move |mismatch: &Mismatch| {
            if matches!(mismatch, Mismatch::Digest { .. })
                && file.metadata().is_ok_and(|metadata| read::is_still_at(&path, &metadata))
            {
                let put_aside = fs::rename(&path, &aside);
                tracing::warn!(blob = %path.display(), ?put_aside, "its bytes are wrong");
            }
        })
    }

    /// Where a blob is kept whose bytes are wrong, until the right ones are here.
    fn aside(&self, digest: &Digest) -> PathBuf {
        self.blob_path(digest).with_file_name(format!("{PREFIX}{}.damaged", digest.hex()))
    }

    /// The path of a blob, once its directory is there.
    fn blob_path_made(&self, digest: &Digest) -> Result<PathBuf, Error> {
        let path = self.blob_path(digest);
        let blobs = self.root.join(BLOBS);
        for directory in [&*blobs, &*blobs.join(digest.algorithm().as_str())] {
            make(directory)?;
            let metadata = fs::symlink_metadata(directory);
            if !metadata.map_err(Error::local("open", directory))?.is_dir() {
                let name = directory.display();
                return Err(self.broken(format!("{name} is no directory, or a link to one")));
            }
        }
        Ok(path)
    }
}
