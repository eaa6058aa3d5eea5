//! The directory of a layout: what is in it, and how it changes.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use registry_name::{Digest, Identifier, Tag};
use serde::Deserialize;

use super::index;
use crate::{
    Descriptor, Error, Manifest, Mismatch,
    limits::RESUMED_FROM,
    local::{
        draft::{self, Draft},
        listing::Listing,
        partial::Partial,
        read::{self, Found},
    },
    media_type,
};

const WHAT: &str = "OCI layout";
const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
/// A process that has not written to a blob for so long is not waited for.
const STALLED: Duration = Duration::from_secs(30);
const IS_FILE: &str = "it is a file; is it an archive?";

/// Every function here waits for the disk.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    /// `None` before the first write.
    made: Mutex<Option<Made>>,
}

/// What was not there before the first write.
#[derive(Debug, Default)]
struct Made {
    /// The outermost first.
    directories: Vec<PathBuf>,
    marker: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, made: Mutex::new(None) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn location(&self) -> String {
        format!("oci:{}", self.root.display())
    }

    /// The only way from a name to a path: digests have no separators and no dots.
    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let algorithm = digest.algorithm();
        self.root.join("blobs").join(algorithm.as_str()).join(digest.hex())
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

    pub(super) fn listing(&self) -> Result<Listing, Error> {
        match self.read(&[INDEX])? {
            Some(bytes) => Listing::parse(&bytes, WHAT, &self.root),
            None => Err(self.broken("it has no index.json; was a copy to it interrupted?")),
        }
    }

    pub(super) fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        let listing = self.listing()?;
        let listed = match identifier {
            Identifier::Tag(tag) => Some(listing.tag(tag, &self.location())?),
            Identifier::Digest(digest) => listing.digest(digest),
        };
        let digest = match (identifier, listed) {
            (Identifier::Digest(digest), _) => digest,
            (_, Some(entry)) => &entry.digest,
            (Identifier::Tag(tag), None) => return Err(self.missing(format!("tag {tag}"))),
        };
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
        let metadata = fs::symlink_metadata(self.blob_path(digest));
        metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
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
            Identifier::Tag(tag) => match listing.tag(tag, &self.location()) {
                Ok(entry) => Some(entry),
                Err(Error::NotFound { .. } | Error::Unsupported { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        Ok(entry.filter(|entry| self.is_whole(entry)).map(|entry| entry.digest.clone()))
    }

    /// Makes what is missing of a layout; refuses a directory that is something else.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.is_some() {
            return Ok(());
        }
        let new = made.insert(Made::default());
        let missing = self.root.ancestors().take_while(|above| is_missing(above));
        for directory in missing.collect::<Vec<_>>().into_iter().rev() {
            make(directory)?;
            new.directories.push(directory.to_owned());
        }
        if self.root.is_file() {
            return Err(self.broken(IS_FILE));
        }
        if !self.is_foreign()? {
            let draft = Draft::new(&self.root.join(MARKER))?;
            draft.slot(0).write_at(0, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
            new.marker = draft.publish_first()?;
        }
        self.check_layout()?;
        self.sweep();
        Ok(())
    }

    /// Removes what killed processes left half-written. A linked directory is not the layout's.
    fn sweep(&self) {
        let blobs = self.root.join("blobs");
        let algorithms = ["sha256", "sha512"].map(|algorithm| blobs.join(algorithm));
        let is_ours = |path: &Path| fs::symlink_metadata(path).is_ok_and(|path| path.is_dir());
        draft::sweep(&self.root);
        if is_ours(&blobs) {
            algorithms.iter().filter(|path| is_ours(path)).for_each(|path| draft::sweep(path));
        }
    }

    /// A draft of a blob, ours or somebody else's; `None` where the blob is here.
    pub(super) fn draft(&self, wanted: &Descriptor) -> Result<Option<Partial>, Error> {
        self.prepare()?;
        if self.has(&wanted.digest, wanted.size) {
            return Ok(None);
        }
        let path = self.blob_path_made(&wanted.digest)?;
        if wanted.size >= RESUMED_FROM {
            match Partial::of(&path, wanted.size)? {
                // It may have been finished since.
                Partial::Ours(draft) if self.has(&wanted.digest, wanted.size) => {
                    draft.discard();
                    return Ok(None);
                }
                Partial::Ours(draft) => return Ok(Some(Partial::Ours(draft))),
                Partial::Busy(idle) if idle < STALLED => return Ok(Some(Partial::Busy(idle))),
                Partial::Busy(_) | Partial::None => {}
            }
        }
        Draft::new(&path).map(|draft| Some(Partial::Ours(draft)))
    }

    /// The path of a blob, once its directory is there.
    pub(super) fn blob_path_made(&self, digest: &Digest) -> Result<PathBuf, Error> {
        let path = self.blob_path(digest);
        let blobs = self.root.join("blobs");
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

    pub(super) fn store_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let digest = manifest.digest();
        let stored = self.stored_manifest(digest, Some(manifest.media_type()));
        if matches!(stored, Ok(Some(stored)) if stored.bytes() == manifest.bytes()) {
            return Ok(());
        }
        draft::replace(&self.blob_path_made(digest)?, manifest.bytes())
    }

    /// Adds an entry to `index.json`, while nobody else changes it.
    pub(super) fn list(&self, entry: &Descriptor, tag: Option<&Tag>) -> Result<(), Error> {
        let _lock = self.lock()?;
        let old = self.read(&[INDEX])?;
        if let Some(old) = &old {
            Listing::parse(old, WHAT, &self.root)?;
        }
        let new = index::with_entry(old.as_deref(), entry, tag)
            .map_err(|reason| self.broken(format!("its index.json is no index: {reason}")))?;
        match new {
            Some(new) => draft::replace(&self.root.join(INDEX), &new),
            None => Ok(()),
        }
    }

    /// The lock is on `oci-layout`, the one file that is never replaced, so that no file is left
    /// in the layout that does not belong there. It ends with the file handle.
    fn lock(&self) -> Result<File, Error> {
        let path = self.root.join(MARKER);
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(Error::local("open", &path))?;
        match file.lock() {
            // Such file systems are rare, and have one user mostly.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
            Err(error) => Err(Error::local("lock", path)(error)),
            Ok(()) => Ok(file),
        }
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
        read::document(&file, 0..size, || format!("the size of {}", path.display()), &path)
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

    /// Whether there is something in the directory. Another writer may be a moment ahead.
    fn is_foreign(&self) -> Result<bool, Error> {
        let unreadable = || Error::local("list", &self.root);
        for entry in fs::read_dir(&self.root).map_err(unreadable())? {
            let name = entry.map_err(unreadable())?.file_name();
            if !name.as_encoded_bytes().starts_with(draft::PREFIX.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn broken(&self, reason: impl Into<String>) -> Error {
        Error::Store { what: WHAT, path: self.root.clone(), reason: reason.into() }
    }

    fn missing(&self, what: String) -> Error {
        Error::NotFound { location: self.location(), what }
    }

    fn missing_manifest(&self, digest: &Digest) -> Error {
        self.missing(format!(
            "manifest {digest}; where some platforms of an index were left out, --platform names one that is there"
        ))
    }

    fn wrong_size(&self, expected: &Descriptor, actual: u64) -> Error {
        Error::Integrity {
            what: format!("blob {} of {}", expected.digest, self.location()),
            mismatch: Mismatch::Size { expected: expected.size, actual },
        }
    }
}

impl Drop for Directory {
    /// Takes away what was made, as long as it is empty: that of a copy that failed early.
    fn drop(&mut self) {
        let made = self.made.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let blobs = self.root.join("blobs");
        let Some(made) = made.filter(|made| made.marker) else {
            return;
        };
        for algorithm in ["sha256", "sha512"] {
            // Only an empty directory can be removed.
            let _ = fs::remove_dir(blobs.join(algorithm));
        }
        let _ = fs::remove_dir(&blobs);
        if is_missing(&blobs) && is_missing(&self.root.join(INDEX)) {
            let _ = fs::remove_file(self.root.join(MARKER));
            for directory in made.directories.iter().rev() {
                let _ = fs::remove_dir(directory);
            }
        }
    }
}

fn make(directory: &Path) -> Result<(), Error> {
    match draft::make_directory(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::local("create", directory)(error))
        }
        _ => Ok(()),
    }
}

fn blob_parts(digest: &Digest) -> [&str; 3] {
    ["blobs", digest.algorithm().as_str(), digest.hex()]
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
