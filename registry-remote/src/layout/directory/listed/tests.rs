use std::fs;

use super::*;
use crate::{Descriptor, media_type};

fn entry(fill: char) -> Entry {
    let digest = format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap();
    Entry { manifest: Descriptor::new(media_type::OCI_MANIFEST, digest, 7), tag: None }
}

#[test]
fn an_index_that_nobody_changed_is_read_once_and_one_that_somebody_did_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::new(root.path().to_owned());
    directory.list(&[entry('a')]).unwrap();
    let first = directory.listing().unwrap();
    assert!(Arc::ptr_eq(&first, &directory.listing().unwrap()));
    directory.list(&[entry('a')]).unwrap();
    assert!(Arc::ptr_eq(&first, &directory.listing().unwrap()), "nothing new was listed");

    // Replaced, by another that is as long and as old.
    let path = root.path().join(INDEX);
    let text = fs::read_to_string(&path).unwrap().replace("aaaa", "bbbb");
    let modified = path.metadata().unwrap().modified().unwrap();
    draft::replace(&path, text.as_bytes()).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let second = directory.listing().unwrap();
    assert!(second.entries()[0].digest.hex().starts_with("bbbb"));

    // Written to where it is.
    fs::write(&path, "{}").unwrap();
    assert!(directory.listing().unwrap().entries().is_empty());
}
