//! The directory of a layout, and what is in it.

mod ground;
mod listed;
mod written;

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use bytes::Bytes;
use registry_name::{Digest, Identifier};
use serde::Deserialize;

use self::{ground::Ground, listed::Known};
use crate::{
    Descriptor, Error, Manifest, Mismatch,
    local::{
        MAX_DOCUMENT,
        names::{INDEX, MARKER, blob_parts},
        read::{self, Found},
    },
    media_type,
};

const WHAT: &str = "OCI layout";
const IS_FILE: &str = "it is a file; is it an archive?";

/// Every function here waits for the disk.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    ground: Mutex<Ground>,
    /// What `index.json` listed when it was last read.
    known: Mutex<Option<Known>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, ground: Mutex::default(), known: Mutex::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn location(&self) -> String {
        format!("oci:{}", self.root.display())
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(blob_parts(digest));
        path
    }

    /// Whether this is a layout, of a version that is known.
    pub(super) fn check_layout(&self) -> Result<(), Error> {
        if !fs::metadata(&self.root).map_err(Error::local("open", &self.root))?.is_dir() {
            return Err(self.broken(IS_FILE));
        }
        let Some(bytes) = self.read(&[MARKER])? else {
            return Err(self.broken("it has no oci-layout file"));
        };
        let marker: Marker = serde_json::from_slice(&bytes).map_err(|error| {
            self.broken(format!("its oci-layout file does not read as one ({error})"))
        })?;
        if marker.image_layout_version.starts_with("1.") {
            return Ok(());
        }
        let version = marker.image_layout_version.escape_debug();
        Err(self.broken(format!("it is of version {version}; only 1.0.0 is known")))
    }

    pub(super) fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let listing = self.listing()?;
        let (digest, listed) = listing.named(identifier, &self.location())?;
        let media_type = listed.map(|entry| entry.media_type.as_str());
        let manifest = self.stored_manifest(digest, media_type)?;
        let manifest = manifest.ok_or_else(|| self.missing_manifest(digest))?;
        match listed {
            Some(entry) if entry.size != manifest.descriptor().size => {
                Err(self.wrong_size(entry, manifest.descriptor().size))
            }
            _ => Ok(manifest),
        }
    }

    /// The file of a blob, if it is as long as its descriptor says.
    pub(super) fn open_blob(&self, wanted: &Descriptor) -> Result<File, Error> {
        let Some(file) = self.open(&blob_parts(&wanted.digest))? else {
            return Err(self.missing(format!("blob {}", wanted.digest)));
        };
        let path = self.blob_path(&wanted.digest);
        let size = file.metadata().map_err(Error::local("read", path))?.len();
        if size == wanted.size { Ok(file) } else { Err(self.wrong_size(wanted, size)) }
    }

    /// The size of a blob.
    pub(super) fn describe_blob(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let Some(file) = self.open(&blob_parts(digest))? else {
            return Err(self.missing(format!("blob {digest}")));
        };
        let metadata = file.metadata().map_err(Error::local("read", self.blob_path(digest)))?;
        Ok(Descriptor::unknown(digest.clone(), metadata.len()))
    }

    /// Whether there is a blob of that digest and size. What it holds is judged when it is read.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        let file = self.open(&blob_parts(digest));
        let metadata = file.ok().flatten().and_then(|file| file.metadata().ok());
        metadata.is_some_and(|metadata| metadata.len() == size)
    }

    /// What is listed, and has all that it needs.
    pub(super) fn resolve(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        match fs::symlink_metadata(self.root.join(INDEX)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            _ => {}
        }
        let listing = self.listing()?;
        let entry = match identifier {
            Identifier::Digest(digest) => listing.digest(digest),
            Identifier::Tag(tag) => match *listing.tagged(tag) {
                [only] => Some(only),
                _ => None,
            },
        };
        Ok(entry.filter(|entry| self.is_whole(entry)).map(|entry| entry.digest.clone()))
    }

    /// Whether the entry and all that it leads to is here, judged by size.
    fn is_whole(&self, entry: &Descriptor) -> bool {
        let mut waiting = vec![entry.clone()];
        let mut seen = HashSet::new();
        while let Some(next) = waiting.pop() {
            if !seen.insert(next.digest.clone())
                || media_type::is_nondistributable(&next.media_type)
            {
                continue;
            }
            if !self.has(&next.digest, next.size) {
                return false;
            }
            if next.is_manifest() {
                match self.stored_manifest(&next.digest, Some(&next.media_type)) {
                    Ok(Some(manifest)) => {
                        waiting.extend(manifest.children().cloned());
                        let sized: Result<Vec<_>, _> = manifest
                            .fs_layers()
                            .iter()
                            .map(|digest| self.describe_blob(digest))
                            .collect();
                        match sized {
                            Ok(blobs) => waiting.extend(blobs),
                            Err(_) => return false,
                        }
                    }
                    _ => return false,
                }
            }
        }
        true
    }

    fn stored_manifest(
        &self,
        digest: &Digest,
        media_type: Option<&str>,
    ) -> Result<Option<Manifest>, Error> {
        let Some(bytes) = self.read(&blob_parts(digest))? else {
            return Ok(None);
        };
        let what = format!("manifest {digest} of {}", self.location());
        Manifest::verified(bytes, media_type, digest, &what).map(Some)
    }

    fn read(&self, parts: &[&str]) -> Result<Option<Bytes>, Error> {
        let Some(file) = self.open(parts)? else {
            return Ok(None);
        };
        let path = self.root.join(parts.join("/"));
        let size = file.metadata().map_err(Error::local("read", &path))?.len();
        read::document(
            &file,
            0..size,
            MAX_DOCUMENT,
            || format!("the size of {}", path.display()),
            &path,
        )
        .map(Some)
    }

    fn open(&self, parts: &[&str]) -> Result<Option<File>, Error> {
        let path = parts.join("/");
        match read::open_below(&self.root, parts) {
            Ok(Found::File(file)) => Ok(Some(file)),
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::Strange) => Err(self.broken(format!(
                "{path} is a symbolic link or no regular file; links are not followed, cp -rL makes a copy without them"
            ))),
            Err(error) => Err(Error::local("open", self.root.join(path))(error)),
        }
    }

    fn broken(&self, reason: impl Into<String>) -> Error {
        Error::Store { what: WHAT, path: self.root.clone(), reason: reason.into() }
    }

    fn missing(&self, what: String) -> Error {
        Error::NotFound { location: self.location(), what }
    }

    fn missing_manifest(&self, digest: &Digest) -> Error {
        Error::NoManifest { location: self.location(), digest: digest.clone() }
    }

    fn wrong_size(&self, expected: &Descriptor, actual: u64) -> Error {
        Error::Integrity {
            what: format!("blob {} of {}", expected.digest, self.location()),
            mismatch: Mismatch::Size { expected: expected.size, actual },
        }
    }
}
