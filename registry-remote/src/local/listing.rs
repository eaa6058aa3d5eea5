//! What an `index.json` lists, and how one of it is chosen.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    path::Path,
};

use registry_name::{Digest, Identifier, Reference, Tag};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::{Descriptor, Error, Source, referrer};

/// The annotation of an entry that holds its tag
/// ([image-spec, annotations](https://github.com/opencontainers/image-spec/blob/main/annotations.md)).
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation of an entry that holds its whole name, as Docker and containerd write it.
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";

/// Names in a message, at most.
const MAX_NAMES: usize = 10;

/// The images of a layout or an archive, in its order.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    entries: Vec<Descriptor>,
    /// Where an entry is, by what it is asked for. Thousands may be looked for among thousands.
    digests: HashMap<Digest, usize>,
    /// By the tag alone, and by the tag that a whole name ends in.
    tags: HashMap<String, Vec<usize>>,
    named: HashMap<Tag, Vec<usize>>,
    /// What has a subject, by that; read when it is first asked for.
    referrers: OnceCell<HashMap<Digest, Vec<Descriptor>>>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

impl Listing {
    pub(crate) fn new(entries: Vec<Descriptor>) -> Self {
        let mut listing = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            listing.digests.entry(entry.digest.clone()).or_insert(at);
            if let Some(tag) = ref_name(entry) {
                listing.tags.entry(tag.to_owned()).or_default().push(at);
            }
            for tag in names_of(entry).filter_map(|name| name.tag().cloned()) {
                listing.named.entry(tag).or_default().push(at);
            }
        }
        Self { entries, ..listing }
    }

    /// Reads an `index.json`; `what` and `path` say of what it is a part.
    pub(crate) fn parse(bytes: &[u8], what: &'static str, path: &Path) -> Result<Self, Error> {
        let refuse = |why: &dyn fmt::Display| {
            let reason = format!("its index.json does not read as an index ({why})");
            Error::Store { what, path: path.to_owned(), reason }
        };
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(refuse(&"it is no object"));
        }
        let index: Index = serde_json::from_slice(bytes).map_err(|error| refuse(&error))?;
        Ok(Self::new(index.manifests.unwrap_or_default()))
    }

    pub(crate) fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The tags, in order and each once.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let tags: BTreeSet<_> = self.entries.iter().filter_map(tag_of).collect();
        tags.into_iter().collect()
    }

    /// The listed manifests whose subject is `subject`, and what the tag that stands in for the
    /// referrers API lists.
    pub(crate) async fn referrers(
        &self,
        source: &dyn Source,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let referrers = self.referrers.get_or_try_init(|| self.read_referrers(source)).await?;
        let referrers = referrers.get(subject).into_iter().flatten();
        let mut found: BTreeMap<_, _> =
            referrers.map(|found| (found.digest.clone(), found.clone())).collect();
        let list = referrer::list_tag(subject)?;
        for entry in self.at(self.tags.get(list.as_str())).filter(|entry| entry.is_manifest()) {
            if !found.contains_key(&entry.digest) {
                let manifest = source.manifest(&entry.digest.clone().into()).await?;
                let listed = manifest.manifests().iter();
                found.extend(listed.map(|entry| (entry.digest.clone(), entry.clone())));
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        referrer::retain_type(&mut found, artifact_type);
        Ok(found)
    }

    async fn read_referrers(
        &self,
        source: &dyn Source,
    ) -> Result<HashMap<Digest, Vec<Descriptor>>, Error> {
        let mut referrers: HashMap<Digest, Vec<Descriptor>> = HashMap::new();
        for entry in distinct(self.entries.iter()) {
            let manifest = match source.manifest(&entry.digest.clone().into()).await {
                // What is no manifest refers to nothing.
                Err(_) if !entry.is_manifest() => continue,
                manifest => manifest?,
            };
            if let Some(subject) = manifest.subject() {
                let entries = referrers.entry(subject.digest.clone()).or_default();
                entries.push(referrer::entry(&manifest));
            }
        }
        Ok(referrers)
    }

    /// The entry that a digest names, if it is listed.
    pub(crate) fn digest(&self, digest: &Digest) -> Option<&Descriptor> {
        self.digests.get(digest).and_then(|at| self.entries.get(*at))
    }

    /// The entries that a tag names: by its tag, else by a whole name that ends in it.
    pub(crate) fn tagged(&self, tag: &Tag) -> Vec<&Descriptor> {
        let exact = self.tags.get(tag.as_str());
        distinct(self.at(exact.or_else(|| self.named.get(tag))))
    }

    /// The one entry that a tag names.
    fn tag(&self, tag: &Tag, location: &str) -> Result<&Descriptor, Error> {
        self.one(&self.tagged(tag), || format!("tag {tag}"), location)
    }

    /// The digest that a tag or a digest names, and its entry; a digest need not be listed.
    pub(crate) fn named<'a>(
        &'a self,
        identifier: &'a Identifier,
        location: &str,
    ) -> Result<(&'a Digest, Option<&'a Descriptor>), Error> {
        match identifier {
            Identifier::Digest(digest) => Ok((digest, self.digest(digest))),
            Identifier::Tag(tag) => {
                let entry = self.tag(tag, location)?;
                Ok((&entry.digest, Some(entry)))
            }
        }
    }

    /// The entry that a whole name names.
    pub(crate) fn image(&self, image: &Reference, location: &str) -> Result<&Descriptor, Error> {
        let found = match image.digest() {
            Some(digest) => self.matching(|entry| entry.digest == *digest),
            None => self.matching(|entry| {
                names_of(entry).any(|name| {
                    name.repository() == image.repository() && name.tag() == image.tag()
                })
            }),
        };
        self.one(&found, || format!("image {}", image.familiar()), location)
    }

    /// The entry that needs no name, since there is no other, or no other that has one: a
    /// signature without a tag lies beside the image that it is about.
    pub(crate) fn only(&self, location: &str) -> Result<&Descriptor, Error> {
        let all = self.matching(|_| true);
        let named = self.matching(|entry| tag_of(entry).is_some());
        match (all.as_slice(), named.as_slice()) {
            ([only], _) | (_, [only]) => Ok(only),
            ([], _) => Err(Error::NotFound { location: location.to_owned(), what: "image".into() }),
            _ => {
                let names = self.names();
                let what = format!("{location} holds several images; name one of them: {names}");
                Err(Error::Unsupported { what })
            }
        }
    }

    fn matching(&self, wanted: impl Fn(&Descriptor) -> bool) -> Vec<&Descriptor> {
        distinct(self.entries.iter().filter(|entry| wanted(entry)))
    }

    fn at(&self, places: Option<&Vec<usize>>) -> impl Iterator<Item = &Descriptor> {
        places.into_iter().flatten().filter_map(|at| self.entries.get(*at))
    }

    fn one<'a>(
        &self,
        found: &[&'a Descriptor],
        what: impl FnOnce() -> String,
        location: &str,
    ) -> Result<&'a Descriptor, Error> {
        match *found {
            [one] => Ok(one),
            [] => {
                let what = format!("{}; it has: {}", what(), self.names());
                Err(Error::NotFound { location: location.to_owned(), what })
            }
            _ => {
                let digests: Vec<_> = found.iter().map(|entry| entry.digest.as_str()).collect();
                let what =
                    format!("{location} has several images for {}: {}", what(), digests.join(", "));
                Err(Error::Unsupported { what })
            }
        }
    }

    /// What the entries are called, for a message.
    fn names(&self) -> String {
        let mut names = BTreeSet::new();
        for entry in &self.entries {
            let name =
                entry.annotations.get(IMAGE_NAME).or_else(|| entry.annotations.get(REF_NAME));
            names.insert(match name {
                // A terminal must not obey what a stranger wrote into a file.
                Some(name) => name.escape_debug().to_string(),
                None => entry.digest.to_string(),
            });
        }
        let more = names.len().saturating_sub(MAX_NAMES);
        let mut list: Vec<_> = names.into_iter().take(MAX_NAMES).collect();
        if more > 0 {
            list.push(format!("and {more} more"));
        }
        if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
    }
}

/// Entries that differ in what they are, not only in what they are called.
fn distinct<'a>(entries: impl Iterator<Item = &'a Descriptor>) -> Vec<&'a Descriptor> {
    let mut seen = BTreeSet::new();
    entries.filter(|entry| seen.insert(&entry.digest)).collect()
}

fn ref_name(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REF_NAME).map(String::as_str)
}

/// The tag of an entry, where its name is one or ends in one.
fn tag_of(entry: &Descriptor) -> Option<Tag> {
    let bare = ref_name(entry).and_then(|name| name.parse().ok());
    bare.or_else(|| names_of(entry).find_map(|name| name.tag().cloned()))
}

/// The whole names of an entry. Some programs write one where the tag should be.
fn names_of(entry: &Descriptor) -> impl Iterator<Item = Reference> {
    let whole = ref_name(entry).filter(|name| name.contains(['/', ':']));
    let names = entry.annotations.get(IMAGE_NAME).map(String::as_str).into_iter().chain(whole);
    names.filter_map(|name| name.parse().ok())
}

#[cfg(test)]
mod tests;
