//! OCI layout directories, written and checked with no code of the crates under test.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::content::{Blob, INDEX, Image, digest_of, sha512};

/// The annotation that carries a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A layout that is being written.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// An empty layout at `dir`, which is made if need be; one that is there already is added to.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("blobs/sha256"))?;
        fs::write(dir.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
        let layout = Self { dir: dir.to_owned() };
        if !dir.join("index.json").exists() {
            layout.write_index(&[])?;
        }
        Ok(layout)
    }

    /// Stores content under its digest.
    pub fn put(&self, blob: &Blob) -> io::Result<()> {
        let path = self.blob_path(&blob.digest);
        fs::create_dir_all(path.parent().unwrap_or(&self.dir))?;
        fs::write(path, &blob.bytes)
    }

    /// Where a blob lies.
    pub fn blob_path(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs").join(digest.replacen(':', "/", 1))
    }

    /// A file below `blobs/` to write to before the digest is known; see [`Layout::adopt`].
    pub fn scratch(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(self.dir.join("blobs"))
    }

    /// Gives a finished scratch file its name.
    pub fn adopt(&self, file: tempfile::NamedTempFile, digest: &str) -> io::Result<()> {
        file.persist(self.blob_path(digest))?;
        Ok(())
    }

    /// Lists a descriptor in `index.json`, under a tag if there is one.
    pub fn list(&self, descriptor: &Value, tag: Option<&str>) -> io::Result<()> {
        let mut entries = entries(&self.dir)?;
        let mut entry = descriptor.clone();
        if let (Some(tag), Some(fields)) = (tag, entry.as_object_mut()) {
            fields.insert("annotations".to_owned(), json!({ REF_NAME: tag }));
        }
        entries.push(entry);
        self.write_index(&entries)
    }

    /// Stores an image under a tag.
    pub fn put_image(&self, image: &Image, tag: &str) -> io::Result<()> {
        for blob in image.blobs().chain([&image.manifest]) {
            self.put(blob)?;
        }
        self.list(&image.manifest.descriptor(), Some(tag))
    }

    fn write_index(&self, entries: &[Value]) -> io::Result<()> {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        fs::write(self.dir.join("index.json"), index.to_string())
    }
}

/// The entries of a layout's `index.json`; none when there is no such file.
pub fn entries(dir: &Path) -> io::Result<Vec<Value>> {
    let text = match fs::read(dir.join("index.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let index: Value = serde_json::from_slice(&text)?;
    Ok(index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// The digest that `index.json` gives for a tag.
pub fn resolve(dir: &Path, tag: &str) -> io::Result<Option<String>> {
    let pointer = format!("/annotations/{REF_NAME}");
    let found = entries(dir)?
        .into_iter()
        .find(|entry| entry.pointer(&pointer).and_then(Value::as_str) == Some(tag));
    Ok(found.and_then(|entry| Some(entry.get("digest")?.as_str()?.to_owned())))
}

/// The digests of all blobs; an error names the first file whose content is not what its name says.
pub fn verified_blobs(dir: &Path) -> io::Result<BTreeSet<String>> {
    let mut digests = BTreeSet::new();
    for (algorithm, length) in [("sha256", 64), ("sha512", 128)] {
        let folder = dir.join("blobs").join(algorithm);
        let files = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            files => files?,
        };
        for file in files {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let plain = name.len() == length && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            // Names that are no digest claim nothing: files that are still being written.
            if plain && path.is_file() {
                let digest = format!("{algorithm}:{name}");
                if !is_named(&path, &digest)? {
                    return Err(io::Error::other(format!("{} has other content", path.display())));
                }
                digests.insert(digest);
            }
        }
    }
    Ok(digests)
}

fn is_named(path: &Path, digest: &str) -> io::Result<bool> {
    if digest.starts_with("sha512:") {
        return Ok(sha512(&fs::read(path)?) == digest);
    }
    Ok(digest_of_file(path)? == digest)
}

/// The digest of a file, read in pieces.
pub fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(digest_of(hash));
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
}
