//! What goes along with a copy: manifests that refer to what is copied, and what is tagged by its
//! digest.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use registry_name::{Digest, Identifier, Tag};

use super::{
    CopyOptions, Wanted,
    discover::{Look, look},
    parallel::in_order,
    plan::Root,
};
use crate::{Descriptor, Error, Sink, Source, select};

/// Looks for companions, round by round.
pub(super) struct Companions<'a> {
    source: &'a Arc<dyn Source>,
    sink: &'a Arc<dyn Sink>,
    options: &'a CopyOptions,
    round: usize,
    met: HashSet<Digest>,
    /// Tags that are made of a digest, by that digest; listed once.
    tags: Option<HashMap<Digest, Vec<Tag>>>,
}

impl<'a> Companions<'a> {
    pub(super) fn new(
        source: &'a Arc<dyn Source>,
        sink: &'a Arc<dyn Sink>,
        options: &'a CopyOptions,
    ) -> Self {
        Self { source, sink, options, round: 0, met: HashSet::new(), tags: None }
    }

    /// What goes along with these manifests.
    pub(super) async fn of(&mut self, subjects: Vec<Digest>) -> Result<Vec<Look>, Error> {
        self.round += 1;
        let mut looks = self.tagged(&subjects).await?;
        looks.extend(self.referring(subjects).await?);
        Ok(looks)
    }

    async fn referring(&mut self, subjects: Vec<Digest>) -> Result<Vec<Look>, Error> {
        let Some(wanted) = &self.options.referrers else { return Ok(Vec::new()) };
        if self.round > wanted.depth {
            return Ok(Vec::new());
        }
        let (source, jobs) = (self.source, self.options.jobs);
        let types = &wanted.artifact_types;
        let listed = in_order(subjects, jobs, |subject| referrers(source, subject, types)).await?;
        let new = listed.into_iter().flatten();
        let new = new.filter(|found| self.met.insert(found.digest.clone())).collect();
        in_order(new, jobs, |found| self.referrer(found)).await
    }

    async fn referrer(&self, found: Descriptor) -> Result<Look, Error> {
        let manifest = select::child(self.source.as_ref(), &found).await?;
        let identifier = Identifier::Digest(found.digest.clone());
        let present = self.sink.resolve(&identifier).await?.is_some();
        let mut root = Root::new(manifest.descriptor().clone(), true);
        root.write = !present;
        Ok(Look { root, manifest, present })
    }

    async fn tagged(&mut self, subjects: &[Digest]) -> Result<Vec<Look>, Error> {
        if !self.options.digest_tags {
            return Ok(Vec::new());
        }
        if self.tags.is_none() {
            self.tags = Some(digest_tags(self.source.as_ref()).await?);
        }
        let tags =
            self.tags.iter().flat_map(|tags| subjects.iter().filter_map(|one| tags.get(one)));
        in_order(tags.flatten().collect(), self.options.jobs, |tag| {
            let (source, sink) = (Arc::clone(self.source), Arc::clone(self.sink));
            look(source, sink, Wanted::tag(tag), self.options, true)
        })
        .await
    }
}

async fn referrers(
    source: &Arc<dyn Source>,
    subject: Digest,
    types: &[String],
) -> Result<Vec<Descriptor>, Error> {
    // One type may be filtered by the registry; several are filtered here.
    let one = <&[String; 1]>::try_from(types).ok().map(|[one]| one.as_str());
    let Some(mut found) = source.referrers_of(&subject, one).await? else {
        let what = format!("{} does not list referrers", source.location());
        return Err(Error::Unsupported { what });
    };
    let is_wanted = |found: &Descriptor| {
        types.is_empty() || found.artifact_type.as_ref().is_some_and(|kind| types.contains(kind))
    };
    found.retain(|found| found.is_manifest() && is_wanted(found));
    Ok(found)
}

async fn digest_tags(source: &dyn Source) -> Result<HashMap<Digest, Vec<Tag>>, Error> {
    let mut found: HashMap<Digest, Vec<Tag>> = HashMap::new();
    for tag in source.list_tags().await?.ok_or_else(|| super::filter::unlisted(source))? {
        if let Some(subject) = subject(&tag) {
            found.entry(subject).or_default().push(tag);
        }
    }
    Ok(found)
}

/// The digest in a tag such as `sha256-….sig`. Without a suffix, a tag is the list of referrers
/// that stands in for the API, and what it lists travels as referrers.
fn subject(tag: &Tag) -> Option<Digest> {
    let (digest, suffix) = tag.as_str().split_once('.')?;
    if suffix.is_empty() {
        return None;
    }
    digest.replacen('-', ":", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tag_is_a_digest_and_a_suffix() {
        let hex = "a".repeat(64);
        for (tag, found) in [
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.sbom.v2"), true),
            (format!("sha512-{}.att", "b".repeat(100)), false),
            (format!("sha256-{hex}"), false),
            (format!("sha256-{hex}."), false),
            (format!("sha256-{}.sig", &hex[1..]), false),
            ("v1.2".to_owned(), false),
        ] {
            assert_eq!(subject(&tag.parse().unwrap()).is_some(), found, "{tag}");
        }
    }
}
