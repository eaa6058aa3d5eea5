use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use registry_name::{Algorithm, Digest};

use super::Disk;
use crate::hash;
use crate::name::Name;
use crate::store::{Store, Upload, UploadId};

fn store() -> (Disk, tempfile::TempDir, Name) {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::open(directory.path()).expect("a store");
    (disk, directory, Name::parse("team/app").expect("a name"))
}

fn upload(disk: &Disk, name: &Name, content: &'static [u8]) -> (UploadId, Upload, Digest) {
    let id = UploadId::random().expect("an identifier");
    let mut upload = disk.create_upload(name, &id).expect("an upload");
    upload.append(&[Bytes::from_static(content)]).expect("appended");
    let digest = hash::digest(content, Algorithm::Sha256).expect("a digest");
    (id, upload, digest)
}

#[test]
fn only_uploads_that_nobody_has_open_expire() {
    let (disk, _directory, name) = store();
    let (open, _, _) = upload(&disk, &name, b"open");
    let (left, _, _) = upload(&disk, &name, b"left");
    let expire = |age| disk.expire(age, &HashSet::from([open.clone()])).expect("expired");
    let found = |id| disk.open_upload(&name, id).expect("looked").is_some();
    expire(Duration::from_secs(3600));
    assert!(found(&open) && found(&left), "nothing is that old");
    expire(Duration::ZERO);
    assert!(found(&open) && !found(&left));
}

#[test]
fn an_upload_has_one_process() {
    let (disk, directory, name) = store();
    let (id, upload, _) = upload(&disk, &name, b"here");
    let other = Disk::open(directory.path()).expect("a store");
    let taken = other.open_upload(&name, &id).expect_err("it is open here");
    assert_eq!(taken.kind(), io::ErrorKind::WouldBlock);
    drop(upload);
    let found = other.open_upload(&name, &id).expect("looked").expect("there");
    assert_eq!(found.len().expect("its length"), 4);
}

#[test]
fn a_damaged_shared_copy_is_replaced_and_not_linked() {
    let (disk, _directory, name) = store();
    let (id, content, digest) = upload(&disk, &name, b"content");
    disk.commit_upload(&name, &id, content, &digest).expect("committed");
    let shared = disk.paths.shared(&digest);
    fs::remove_file(&shared).expect("removed");
    fs::write(&shared, "short").expect("written");

    let other = Name::parse("other").expect("a name");
    let (id, content, digest) = upload(&disk, &other, b"content");
    disk.commit_upload(&other, &id, content, &digest).expect("committed");
    for path in [&shared, &disk.paths.blob(&name, &digest), &disk.paths.blob(&other, &digest)] {
        assert_eq!(fs::read(path).expect("readable"), b"content", "{}", path.display());
    }
    assert!(disk.open_upload(&other, &id).expect("looked").is_none(), "the upload is over");
}

#[test]
#[cfg(unix)]
fn what_only_the_shared_directory_has_is_cleared_away() {
    let (disk, _directory, name) = store();
    let (id, content, digest) = upload(&disk, &name, b"content");
    disk.commit_upload(&name, &id, content, &digest).expect("committed");
    disk.expire(Duration::ZERO, &HashSet::new()).expect("expired");
    let shared = disk.paths.shared(&digest);
    assert!(shared.is_file(), "a repository has it");
    fs::remove_file(disk.paths.blob(&name, &digest)).expect("removed, as a crash may leave it");
    disk.expire(Duration::ZERO, &HashSet::new()).expect("expired");
    assert!(!shared.exists());
}

#[test]
fn a_tag_that_holds_no_digest_is_an_error_and_not_a_path() {
    let (disk, _directory, name) = store();
    let tag = "v1".parse().expect("a tag");
    let path = disk.paths.tag(&name, &tag);
    fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    fs::write(&path, "../../../etc/passwd").expect("written");
    let error = disk.tag(&name, &tag).expect_err("no digest");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
