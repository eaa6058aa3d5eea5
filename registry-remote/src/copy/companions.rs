//! What goes along with a copy: manifests that refer to what is copied, and what is tagged by its
//! digest.

use std::collections::{HashMap, HashSet};

use registry_name::{Digest, Identifier, Tag};

use super::{
    Wanted,
    discover::{Ends, Look, look},
    parallel::in_order,
    plan::Root,
};
use crate::{Descriptor, Error, Source, select};

/// Looks for companions, round by round.
pub(super) struct Companions<'a> {
    ends: Ends<'a>,
    round: usize,
    met: HashSet<Digest>,
    /// Tags that are made of a digest, by that digest; listed once.
    tags: Option<HashMap<Digest, Vec<Tag>>>,
}

impl<'a> Companions<'a> {
    pub(super) fn new(ends: Ends<'a>) -> Self {
        Self { ends, round: 0, met: HashSet::new(), tags: None }
    }

    /// What goes along with these manifests.
    pub(super) async fn of(&mut self, subjects: Vec<Digest>) -> Result<Vec<Look>, Error> {
        self.round += 1;
        let mut looks = self.tagged(&subjects).await?;
        looks.extend(self.referring(subjects).await?);
        Ok(looks)
    }

    async fn referring(&mut self, subjects: Vec<Digest>) -> Result<Vec<Look>, Error> {
        let ends = self.ends;
        let Some(wanted) = &ends.options.referrers else { return Ok(Vec::new()) };
        if self.round > wanted.depth {
            return Ok(Vec::new());
        }
        let (jobs, types) = (ends.options.jobs, &wanted.artifact_types);
        let listed = in_order(subjects, jobs, |subject| referrers(ends, subject, types)).await?;
        let new = listed.into_iter().flatten();
        let new = new.filter(|found| self.met.insert(found.digest.clone())).collect();
        in_order(new, jobs, |found| referrer(ends, found)).await
    }

    async fn tagged(&mut self, subjects: &[Digest]) -> Result<Vec<Look>, Error> {
        let ends = self.ends;
        if !ends.options.digest_tags {
            return Ok(Vec::new());
        }
        if self.tags.is_none() {
            self.tags = Some(digest_tags(ends.source.as_ref()).await?);
        }
        let tags =
            self.tags.iter().flat_map(|tags| subjects.iter().filter_map(|one| tags.get(one)));
        let tags: Vec<_> = tags.flatten().collect();
        ends.allowance.count(tags.len())?;
        in_order(tags, ends.options.jobs, |tag| look(ends, Wanted::tag(tag), true)).await
    }
}

async fn referrers(
    ends: Ends<'_>,
    subject: Digest,
    types: &[String],
) -> Result<Vec<Descriptor>, Error> {
    let source = ends.source;
    // One type may be filtered by the registry; several are filtered here.
    let one = <&[String; 1]>::try_from(types).ok().map(|[one]| one.as_str());
    let Some(mut found) = source.referrers_of(&subject, one).await? else {
        let what = format!("{} does not list referrers", source.location());
        return Err(Error::Unsupported { what });
    };
    let is_wanted = |found: &Descriptor| {
        types.is_empty() || found.artifact_type.as_ref().is_some_and(|kind| types.contains(kind))
    };
    found.retain(is_wanted);
    ends.allowance.count(found.len())?;
    Ok(found)
}

async fn referrer(ends: Ends<'_>, found: Descriptor) -> Result<Look, Error> {
    ends.allowance.read(found.size)?;
    let manifest = select::child(ends.source.as_ref(), &found).await?;
    let identifier = Identifier::Digest(found.digest.clone());
    let present = ends.sink.resolve(&identifier).await?.is_some();
    let mut root = Root::new(manifest.descriptor().clone(), true);
    root.write = !present;
    Ok(Look { root, manifest, present })
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
