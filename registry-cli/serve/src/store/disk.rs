//! A registry in a directory.
//!
//! ```text
//! blobs/<algorithm>/<hex>                                   one copy of every blob
//! repositories/<name>/_blobs/<algorithm>/<hex>              the same file: a hard link
//! repositories/<name>/_manifests/<algorithm>/<hex>          the manifest's bytes
//! repositories/<name>/_types/<algorithm>/<hex>              its media type, if the bytes do not tell
//! repositories/<name>/_referrers/<algorithm>/<hex>/<a>-<h>  empty: manifest a:h has this subject
//! repositories/<name>/_tags/<tag>                           a digest
//! repositories/<name>/_uploads/<uuid>                       a blob on its way in
//! repositories/<name>/_lock                                 held while tags and manifests change
//! tmp/                                                      what is not complete yet
//! ```
//!
//! A component of a repository's name never starts with an underscore. Nothing is cached, so
//! several processes may serve one directory; an upload belongs to the one that has it open. Everything becomes visible under its name only when
//! it is complete and on disk: written elsewhere, synchronised, then linked or renamed, and the
//! directory synchronised too. A blob's bytes live as long as any link to them, so removing the
//! shared copy can never take a blob from a repository.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use registry_name::{Digest, Tag};

use self::durable::{missing_is_none, read_optional};
use self::paths::Paths;
use super::{Blob, Content, Manifest, Put, PutManifest, Store, Upload, UploadId};
use crate::garbage::{self, Collected};
use crate::manifest;
use crate::name::Name;

mod durable;
mod paths;
mod walk;

/// No file stays in `tmp/` for as long as this, unless its writer is gone.
const WRITING: Duration = Duration::from_secs(3600);

/// How exactly the age of a blob is known.
const YOUNG: Duration = Duration::from_secs(30);

/// A directory that holds a registry.
#[derive(Debug)]
pub(crate) struct Disk {
    paths: Paths,
}

impl Disk {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let paths = Paths::new(root.canonicalize()?);
        for dir in [paths.blobs(), paths.repositories(), paths.temporary()] {
            durable::create_dir_all(&dir)?;
        }
        Ok(Self { paths })
    }

    /// Held while the tags and manifests of one repository change, by whatever process.
    fn lock(&self, name: &Name) -> io::Result<File> {
        let path = self.paths.lock(name);
        durable::create_parent(&path)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// A blob that is already there may be one that a collection is about to remove.
    fn lock_if_there(&self, name: &Name, blob: &Path) -> io::Result<Option<File>> {
        if blob.is_file() { self.lock(name).map(Some) } else { Ok(None) }
    }

    /// The blobs of a repository, and where each is.
    fn blobs(&self, name: &Name) -> io::Result<Vec<(Digest, PathBuf)>> {
        digests(&self.paths.repository(name).join("_blobs"))
    }

    /// The bytes of a repository's manifests.
    fn manifests(&self, name: &Name) -> io::Result<Vec<Vec<u8>>> {
        let paths = digests(&self.paths.repository(name).join("_manifests"))?;
        let read = paths.iter().filter_map(|(_, path)| read_optional(path).transpose());
        read.collect()
    }
}

/// The files `<algorithm>/<hex>` below a directory.
fn digests(dir: &Path) -> io::Result<Vec<(Digest, PathBuf)>> {
    let mut found = Vec::new();
    for algorithm in walk::entries(dir)? {
        for path in walk::entries(&algorithm)? {
            let text = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
            let digest = text(&algorithm).zip(text(&path));
            let digest =
                digest.and_then(|(algorithm, hex)| format!("{algorithm}:{hex}").parse().ok());
            found.extend(digest.map(|digest| (digest, path)));
        }
    }
    Ok(found)
}

/// How long ago a file was made or touched; `None`: it does not exist.
fn age(path: &Path) -> io::Result<Option<Duration>> {
    let Some(metadata) = missing_is_none(fs::symlink_metadata(path))? else { return Ok(None) };
    // A clock that went backwards makes a file young.
    Ok(Some(metadata.modified()?.elapsed().unwrap_or_default()))
}

/// Makes a file young, unless it is already. `false`: it does not exist.
fn touch(path: &Path) -> io::Result<bool> {
    let Some(age) = age(path)? else { return Ok(false) };
    if age < YOUNG {
        return Ok(true);
    }
    let Some(file) = missing_is_none(File::open(path))? else { return Ok(false) };
    match file.set_modified(SystemTime::now()) {
        // Who serves somebody else's files has nothing to collect there either.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(true),
    }
}

/// Frees a blob's bytes once no repository has them.
fn forget_shared(shared: &Path) -> io::Result<()> {
    if durable::links(shared)? == Some(1) {
        durable::remove(shared)?;
    }
    Ok(())
}

impl Store for Disk {
    fn repositories(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        walk::repositories(&self.paths.repositories(), &mut |name, dir| {
            if dir.join("_blobs").is_dir() || dir.join("_manifests").is_dir() {
                names.push(name);
            }
            Ok(())
        })?;
        names.sort_unstable();
        Ok(names)
    }

    fn blob(&self, name: &Name, digest: &Digest) -> io::Result<Option<Blob>> {
        let Some(file) = missing_is_none(File::open(self.paths.blob(name, digest)))? else {
            return Ok(None);
        };
        Ok(Some(Blob { size: file.metadata()?.len(), content: Content::File(file) }))
    }

    fn use_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let path = self.paths.blob(name, digest);
        match age(&path)? {
            None => Ok(false),
            Some(age) if age < YOUNG => Ok(true),
            // A collection that saw it old has removed it by the time that the lock is ours.
            Some(_) => {
                let _lock = self.lock(name)?;
                touch(&path)
            }
        }
    }

    fn delete_blob(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let found = durable::remove(&self.paths.blob(name, digest))?;
        forget_shared(&self.paths.shared(digest))?;
        Ok(found)
    }

    fn mount_blob(&self, from: &Name, to: &Name, digest: &Digest) -> io::Result<bool> {
        let source = self.paths.blob(from, digest);
        if !source.is_file() {
            return Ok(false);
        }
        let target = self.paths.blob(to, digest);
        let _lock = self.lock_if_there(to, &target)?;
        touch(&source)?;
        durable::link(&source, &target, &self.paths.temporary())
    }

    fn find_blob(
        &self,
        digest: &Digest,
        readable: &dyn Fn(&Name) -> bool,
    ) -> io::Result<Option<Name>> {
        if !self.paths.shared(digest).is_file() {
            return Ok(None);
        }
        let holds = |name: &Name| self.paths.blob(name, digest).is_file();
        Ok(self.repositories()?.into_iter().find(|name| readable(name) && holds(name)))
    }

    fn create_upload(&self, name: &Name, id: &UploadId) -> io::Result<Upload> {
        let path = self.paths.upload(name, id);
        durable::create_parent(&path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.try_lock()?;
        Ok(Upload::File(file))
    }

    fn open_upload(&self, name: &Name, id: &UploadId) -> io::Result<Option<Upload>> {
        let file = OpenOptions::new().read(true).write(true).open(self.paths.upload(name, id));
        let Some(file) = missing_is_none(file)? else { return Ok(None) };
        // The running hash of a session knows only what came through it.
        file.try_lock()?;
        let mut upload = Upload::File(file);
        upload.truncate(upload.len()?)?;
        Ok(Some(upload))
    }

    fn commit_upload(
        &self,
        name: &Name,
        id: &UploadId,
        upload: Upload,
        digest: &Digest,
    ) -> io::Result<()> {
        let Upload::File(file) = upload else { return Err(io::ErrorKind::InvalidInput.into()) };
        file.sync_all()?;
        let size = file.metadata()?.len();
        let (received, shared) = (self.paths.upload(name, id), self.paths.shared(digest));
        let (blob, temporary) = (self.paths.blob(name, digest), self.paths.temporary());
        let _lock = self.lock_if_there(name, &blob)?;
        touch(&shared)?;
        let same = missing_is_none(fs::metadata(&shared))?.is_some_and(|found| found.len() == size);
        if !(same && durable::link(&shared, &blob, &temporary)?) {
            // First the repository, then the shared copy: a shared copy without a repository is
            // what others may clear away.
            durable::link(&received, &blob, &temporary)?;
            durable::rename(&received, &shared)?;
        }
        durable::remove(&received)?;
        Ok(())
    }

    fn remove_upload(&self, name: &Name, id: &UploadId) -> io::Result<()> {
        durable::remove(&self.paths.upload(name, id)).map(drop)
    }

    fn expire(&self, age: Duration, open: &HashSet<UploadId>) -> io::Result<()> {
        walk::repositories(&self.paths.repositories(), &mut |_, dir| {
            walk::remove_older(&dir.join("_uploads"), age, &|name| {
                !name.parse().is_ok_and(|id| open.contains(&id))
            })
        })?;
        walk::remove_older(&self.paths.temporary(), age.max(WRITING), &|_| true)?;
        for algorithm in walk::entries(&self.paths.blobs())? {
            for shared in walk::entries(&algorithm)? {
                forget_shared(&shared)?;
            }
        }
        Ok(())
    }

    fn collect(&self, older_than: Duration) -> io::Result<Collected> {
        let mut collected = Collected::default();
        for name in self.repositories()? {
            // Nobody puts a manifest meanwhile.
            let _lock = self.lock(&name)?;
            let manifests = self.manifests(&name)?;
            let kept = garbage::referenced(manifests.iter().map(Vec::as_slice));
            for (digest, path) in self.blobs(&name)? {
                if kept.contains(&digest) || age(&path)?.is_none_or(|age| age < older_than) {
                    continue;
                }
                let size = fs::symlink_metadata(&path)?.len();
                if self.delete_blob(&name, &digest)? {
                    collected.blobs += 1;
                    collected.bytes += size;
                }
            }
        }
        Ok(collected)
    }

    fn manifest(&self, name: &Name, digest: &Digest) -> io::Result<Option<Manifest>> {
        let Some(bytes) = read_optional(&self.paths.manifest(name, digest))? else {
            return Ok(None);
        };
        let noted = read_optional(&self.paths.media_type(name, digest))?;
        let media_type = match noted.map(String::from_utf8) {
            Some(Ok(noted)) => noted,
            _ => manifest::media_type_of(&bytes).unwrap_or_default(),
        };
        Ok(Some(Manifest { media_type, bytes: bytes.into() }))
    }

    fn put_manifest(&self, name: &Name, put: &PutManifest) -> io::Result<Put> {
        let _lock = self.lock(name)?;
        let (path, temporary) = (self.paths.manifest(name, &put.digest), self.paths.temporary());
        let current = match put.tags.first() {
            Some(tag) => self.tag(name, tag)?,
            None => path.is_file().then(|| put.digest.clone()),
        };
        if !put.precondition.holds(current.as_ref()) {
            return Ok(Put::Refused);
        }
        let mut missing = Vec::new();
        for digest in &put.blobs {
            if !touch(&self.paths.blob(name, digest))? {
                missing.push(digest.clone());
            }
        }
        if !missing.is_empty() {
            return Ok(Put::Missing(missing));
        }
        let media_type = self.paths.media_type(name, &put.digest);
        if manifest::media_type_of(&put.manifest.bytes).as_ref() == Some(&put.manifest.media_type) {
            durable::remove(&media_type)?;
        } else {
            durable::write(&media_type, put.manifest.media_type.as_bytes(), &temporary)?;
        }
        if let Some(subject) = &put.subject {
            let referrer = self.paths.referrers(name, subject).join(paths::flat(&put.digest));
            durable::write(&referrer, b"", &temporary)?;
        }
        durable::write(&path, &put.manifest.bytes, &temporary)?;
        for tag in &put.tags {
            durable::write(&self.paths.tag(name, tag), put.digest.as_str().as_bytes(), &temporary)?;
        }
        Ok(Put::Stored)
    }

    fn delete_manifest(&self, name: &Name, digest: &Digest) -> io::Result<bool> {
        let path = self.paths.manifest(name, digest);
        if !path.is_file() {
            return Ok(false);
        }
        let _lock = self.lock(name)?;
        for tag in self.tags(name)?.unwrap_or_default() {
            if self.tag(name, &tag)?.as_ref() == Some(digest) {
                durable::remove(&self.paths.tag(name, &tag))?;
            }
        }
        let subject = read_optional(&path)?.and_then(|bytes| manifest::subject_of(&bytes));
        let found = durable::remove(&path)?;
        durable::remove(&self.paths.media_type(name, digest))?;
        if let Some(subject) = subject {
            durable::remove(&self.paths.referrers(name, &subject).join(paths::flat(digest)))?;
        }
        Ok(found)
    }

    fn referrers(&self, name: &Name, subject: &Digest) -> io::Result<Vec<(Digest, Manifest)>> {
        let markers = walk::entries(&self.paths.referrers(name, subject))?;
        let mut digests: Vec<Digest> =
            markers.iter().filter_map(|marker| paths::unflat(marker)).collect();
        digests.sort_unstable();
        let manifests = digests.into_iter().filter_map(|digest| {
            // A marker may be older than its manifest, or outlive it.
            self.manifest(name, &digest).transpose().map(|found| found.map(|one| (digest, one)))
        });
        manifests.collect()
    }

    fn tag(&self, name: &Name, tag: &Tag) -> io::Result<Option<Digest>> {
        let Some(bytes) = read_optional(&self.paths.tag(name, tag))? else { return Ok(None) };
        let digest = String::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        match digest {
            Some(digest) => Ok(Some(digest)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "a tag's file holds no digest")),
        }
    }

    fn delete_tag(&self, name: &Name, tag: &Tag) -> io::Result<bool> {
        let path = self.paths.tag(name, tag);
        if !path.is_file() {
            return Ok(false);
        }
        let _lock = self.lock(name)?;
        durable::remove(&path)
    }

    fn tags(&self, name: &Name) -> io::Result<Option<Vec<Tag>>> {
        let dir = self.paths.repository(name);
        if !dir.join("_manifests").is_dir() && !dir.join("_blobs").is_dir() {
            return Ok(None);
        }
        let names = walk::entries(&dir.join("_tags"))?;
        let mut tags: Vec<Tag> =
            names.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect();
        tags.sort_unstable();
        Ok(Some(tags))
    }
}

#[cfg(test)]
mod tests;
