//! What an archive will look like, to the byte, before anything is written.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use registry_name::{Digest, Reference, Tag};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::{ArchiveKind, INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::{
    Descriptor, Error, Manifest, Plan,
    local::listing::{IMAGE_NAME, REF_NAME},
    media_type,
};

const BLOCK: u64 = 512;

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Shape {
    /// Headers and small documents, and where they start.
    pub(super) fixed: Vec<(u64, Vec<u8>)>,
    /// Where blobs start.
    pub(super) blobs: HashMap<Digest, u64>,
    /// The length of the file.
    pub(super) length: u64,
}

/// What one entry holds.
enum Content {
    Directory,
    Document(Vec<u8>),
    Blob(Digest, u64),
}

/// What a plan copies, as this file needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) root: &'a Manifest,
    pub(super) manifests: &'a [Manifest],
    pub(super) blobs: &'a [Descriptor],
    pub(super) tag: Option<&'a Tag>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(plan: &'a Plan) -> Option<Self> {
        let (manifests, blobs, tag) = (plan.manifests(), plan.blobs(), plan.tag());
        Some(Self { root: plan.root()?, manifests, blobs, tag })
    }
}

impl Shape {
    /// The layout of an archive: it depends on what is copied and on its name, on nothing else.
    /// Entries are in alphabetical order, and all of one time and owner.
    pub(super) fn new(
        kind: ArchiveKind,
        parts: Parts<'_>,
        image: Option<&Reference>,
    ) -> Result<Self, Error> {
        let mut contents = BTreeMap::from([
            ("blobs/".to_owned(), Content::Directory),
            (MARKER.to_owned(), Content::Document(br#"{"imageLayoutVersion":"1.0.0"}"#.into())),
        ]);
        let tag = image.and_then(Reference::tag).or(parts.tag);
        let name = image.zip(tag);
        let name = name.map(|(image, tag)| image.repository().with_tag(tag.clone()));
        let index = index(parts.root, name.as_ref(), tag);
        contents.insert(INDEX.to_owned(), Content::Document(index));
        for manifest in parts.manifests {
            let content = Content::Document(manifest.bytes().to_vec());
            insert_blob(&mut contents, manifest.digest(), content);
        }
        for blob in parts.blobs {
            let content = Content::Blob(blob.digest.clone(), blob.size);
            insert_blob(&mut contents, &blob.digest, content);
        }
        if kind == ArchiveKind::Docker {
            check_image(parts)?;
            let (manifest, repositories) = docker_documents(parts.root, name.as_ref());
            contents.insert(MANIFEST.to_owned(), Content::Document(manifest));
            let repositories = repositories.map(Content::Document);
            contents.extend(repositories.map(|content| (REPOSITORIES.to_owned(), content)));
        }
        Self::arrange(contents)
    }

    fn arrange(contents: BTreeMap<String, Content>) -> Result<Self, Error> {
        let mut shape = Self { fixed: Vec::new(), blobs: HashMap::new(), length: 0 };
        for (name, content) in contents {
            let size = match &content {
                Content::Directory => 0,
                Content::Document(bytes) => bytes.len() as u64,
                Content::Blob(_, size) => *size,
            };
            let header = header(&name, size).map_err(Error::local("archive", &*name))?;
            let start = shape.length.saturating_add(header.len() as u64);
            shape.fixed.push((shape.length, header));
            match content {
                Content::Directory => {}
                Content::Document(bytes) => shape.fixed.push((start, bytes)),
                Content::Blob(digest, _) => {
                    shape.blobs.insert(digest, start);
                }
            }
            let end = start.checked_add(size).and_then(|end| end.checked_next_multiple_of(BLOCK));
            shape.length = end.filter(|end| *end < i64::MAX as u64 / 2).ok_or_else(too_large)?;
        }
        // Two blocks of zeros are the end.
        shape.length += 2 * BLOCK;
        Ok(shape)
    }
}

fn insert_blob(contents: &mut BTreeMap<String, Content>, digest: &Digest, content: Content) {
    let directory = format!("blobs/{}/", digest.algorithm());
    contents.insert(format!("{directory}{}", digest.hex()), content);
    contents.insert(directory, Content::Directory);
}

fn header(name: &str, size: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    let is_directory = name.ends_with('/');
    header.set_entry_type(if is_directory { EntryType::Directory } else { EntryType::Regular });
    header.set_mode(if is_directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header, name, io::empty())?;
    let mut bytes = builder.into_inner()?;
    // Without the end of the archive.
    bytes.truncate(bytes.len().saturating_sub(1024));
    Ok(bytes)
}

fn index(root: &Manifest, name: Option<&Reference>, tag: Option<&Tag>) -> Vec<u8> {
    let mut entry = root.descriptor().clone();
    entry.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag.to_string())));
    entry.annotations.extend(name.map(|name| (IMAGE_NAME.to_owned(), name.to_string())));
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [entry],
    });
    index.to_string().into_bytes()
}

/// `manifest.json`, and `repositories` where there is a name: the tags of each repository, and the
/// top layer of what they name.
fn docker_documents(root: &Manifest, name: Option<&Reference>) -> (Vec<u8>, Option<Vec<u8>>) {
    let path =
        |blob: &Descriptor| format!("blobs/{}/{}", blob.digest.algorithm(), blob.digest.hex());
    let names = name.iter().map(|name| name.familiar().to_string());
    let manifest = json!([{
        "Config": root.config().map(path),
        "RepoTags": names.collect::<Vec<_>>(),
        "Layers": root.layers().iter().map(path).collect::<Vec<_>>(),
    }]);
    let repositories = name.zip(root.layers().last()).and_then(|(name, top)| {
        let repository = name.repository().familiar().to_string();
        let tags = json!({ name.tag()?.as_str(): top.digest.hex() });
        Some(json!({ repository: tags }).to_string().into_bytes())
    });
    (manifest.to_string().into_bytes(), repositories)
}

/// A docker archive holds one image, with all of its layers.
fn check_image(parts: Parts<'_>) -> Result<(), Error> {
    let root = parts.root;
    if root.is_index() {
        let offered: Vec<_> = root.platforms().iter().map(ToString::to_string).collect();
        let rest = if offered.is_empty() {
            "an index that names no platform; choose one of its images by digest".to_owned()
        } else {
            format!("an index; choose one with --platform ({})", offered.join(", "))
        };
        let what = format!("a docker archive holds one image and {} is {rest}", root.digest());
        return Err(Error::Unsupported { what });
    }
    let planned = |layer: &&Descriptor| parts.blobs.iter().any(|blob| blob.digest == layer.digest);
    match root.layers().iter().find(|layer| !planned(layer)) {
        None => Ok(()),
        Some(layer) => Err(Error::Unsupported {
            what: format!(
                "a docker archive holds every layer of its image, and {} is not for redistribution",
                layer.digest
            ),
        }),
    }
}

fn too_large() -> Error {
    Error::Limit { what: "the size of the archive".to_owned(), limit: "4 EiB".to_owned() }
}

#[cfg(test)]
mod tests;
