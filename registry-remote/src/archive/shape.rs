//! What an archive will look like, to the byte, before anything is written.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
};

use registry_name::{Digest, Reference, Tag};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::{ArchiveKind, MANIFEST, REPOSITORIES, entries::MAX_ENTRIES};
use crate::{
    Descriptor, Error, Manifest, Plan,
    image::MAX_CONFIG,
    local::{
        MAX_DOCUMENT, check_size,
        listing::{IMAGE_NAME, REF_NAME},
        names::{BLOBS, INDEX, MARKER, MARKER_CONTENT, blob_name},
    },
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
#[derive(Clone, Debug)]
pub(super) struct Parts<'a> {
    /// What is listed, and under which tags.
    pub(super) roots: Vec<(&'a Manifest, Vec<&'a Tag>)>,
    pub(super) manifests: Vec<&'a Manifest>,
    pub(super) blobs: &'a [Descriptor],
}

impl<'a> Parts<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let manifests: Vec<_> = plan.manifests().collect();
        let mut roots: Vec<(&Manifest, Vec<&Tag>)> = Vec::new();
        for root in plan.roots() {
            let digest = &root.descriptor.digest;
            if let Some((_, tags)) = roots.iter_mut().find(|(known, _)| known.digest() == digest) {
                tags.extend(&root.tags);
            } else if let Some(found) = manifests.iter().find(|found| found.digest() == digest) {
                roots.push((found, root.tags.iter().collect()));
            }
        }
        Self { roots, manifests, blobs: plan.blobs() }
    }
}

impl Shape {
    /// The layout of an archive: it depends on what is copied and on its name, on nothing else.
    /// Entries are in alphabetical order, and all of one time and owner.
    pub(super) fn new(
        kind: ArchiveKind,
        parts: &Parts<'_>,
        image: Option<&Reference>,
    ) -> Result<Self, Error> {
        let mut contents = BTreeMap::from([
            (format!("{BLOBS}/"), Content::Directory),
            (MARKER.to_owned(), Content::Document(MARKER_CONTENT.to_vec())),
        ]);
        contents.insert(INDEX.to_owned(), Content::Document(index(parts, image)));
        for manifest in &parts.manifests {
            let content = Content::Document(manifest.bytes().to_vec());
            insert_blob(&mut contents, manifest.digest(), content);
        }
        for blob in parts.blobs {
            let content = Content::Blob(blob.digest.clone(), blob.size);
            insert_blob(&mut contents, &blob.digest, content);
        }
        if kind == ArchiveKind::Docker {
            let root = check_image(parts)?;
            let names: Vec<_> =
                names(parts, image).into_iter().filter_map(|(_, _, name)| name).collect();
            let (manifest, repositories) = docker_documents(root, &names);
            contents.insert(MANIFEST.to_owned(), Content::Document(manifest));
            let repositories = repositories.map(Content::Document);
            contents.extend(repositories.map(|content| (REPOSITORIES.to_owned(), content)));
        }
        Self::arrange(contents)
    }

    /// Refuses what nobody could open again, while nothing of it is fetched yet.
    fn arrange(contents: BTreeMap<String, Content>) -> Result<Self, Error> {
        if contents.len() > MAX_ENTRIES {
            let what = "the number of entries in the archive".to_owned();
            return Err(Error::Limit { what, limit: MAX_ENTRIES.to_string() });
        }
        let mut shape = Self { fixed: Vec::new(), blobs: HashMap::new(), length: 0 };
        for (name, content) in contents {
            if let Content::Document(bytes) = &content {
                let what = || format!("the size of {name} in the archive");
                check_size(bytes.len() as u64, MAX_DOCUMENT, what)?;
            }
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
    contents.insert(blob_name(digest), content);
    contents.insert(format!("{BLOBS}/{}/", digest.algorithm()), Content::Directory);
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

/// Each manifest that is listed, once for each of its tags, and its whole name where `image` gives
/// it one. The tag of `image` stands for the tag of the only image.
fn names<'a>(
    parts: &Parts<'a>,
    image: Option<&'a Reference>,
) -> Vec<(&'a Manifest, Option<&'a Tag>, Option<Reference>)> {
    let only = image.and_then(Reference::tag).filter(|_| parts.roots.len() == 1);
    let mut listed = Vec::new();
    for (manifest, tags) in &parts.roots {
        let tags = match only {
            Some(tag) => vec![Some(tag)],
            None if tags.is_empty() => vec![None],
            None => tags.iter().copied().map(Some).collect(),
        };
        listed.extend(tags.into_iter().map(|tag| {
            let name = image.zip(tag);
            let name = name.map(|(image, tag)| image.repository().with_tag(tag.clone()));
            (*manifest, tag, name)
        }));
    }
    listed
}

fn index(parts: &Parts<'_>, image: Option<&Reference>) -> Vec<u8> {
    let entries = names(parts, image).into_iter().map(|(manifest, tag, name)| {
        let mut entry = manifest.descriptor().clone();
        entry.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag.to_string())));
        entry.annotations.extend(name.map(|name| (IMAGE_NAME.to_owned(), name.to_string())));
        entry
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": entries.collect::<Vec<_>>(),
    });
    index.to_string().into_bytes()
}

/// `manifest.json`, and `repositories` where there is a name: the tags of each repository, and the
/// top layer of what they name.
fn docker_documents(root: &Manifest, names: &[Reference]) -> (Vec<u8>, Option<Vec<u8>>) {
    let path = |blob: &Descriptor| blob_name(&blob.digest);
    let repo_tags = names.iter().map(|name| name.familiar().to_string());
    let manifest = json!([{
        "Config": root.config().map(path),
        "RepoTags": repo_tags.collect::<Vec<_>>(),
        "Layers": root.layers().iter().map(path).collect::<Vec<_>>(),
    }]);
    let repositories = names.first().zip(root.layers().last()).map(|(name, top)| {
        let repository = name.repository().familiar().to_string();
        let tags = names.iter().filter_map(Reference::tag);
        let tags: BTreeMap<_, _> = tags.map(|tag| (tag.as_str(), top.digest.hex())).collect();
        json!({ repository: tags }).to_string().into_bytes()
    });
    (manifest.to_string().into_bytes(), repositories)
}

/// A docker archive holds one image, with all of its layers.
fn check_image<'a>(parts: &Parts<'a>) -> Result<&'a Manifest, Error> {
    let [(root, _)] = parts.roots[..] else {
        let what = format!("a docker archive holds one image, and these are {}", parts.roots.len());
        return Err(Error::Unsupported { what });
    };
    root.check_understood(&format!("image {}", root.digest()))?;
    if root.is_index() {
        let offered: Vec<_> = root.platforms().iter().map(ToString::to_string).collect();
        let rest = if offered.is_empty() {
            "an index that names no platform; choose one of its images by digest".to_owned()
        } else {
            format!("an index; choose one of its platforms: {}", offered.join(", "))
        };
        let what = format!("a docker archive holds one image and {} is {rest}", root.digest());
        return Err(Error::Unsupported { what });
    }
    if let Some(config) = root.config() {
        let what = || format!("the size of configuration {} in a docker archive", config.digest);
        check_size(config.size, MAX_CONFIG, what)?;
    }
    let planned: HashSet<_> = parts.blobs.iter().map(|blob| &blob.digest).collect();
    match root.layers().iter().find(|layer| !planned.contains(&layer.digest)) {
        None => Ok(root),
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
