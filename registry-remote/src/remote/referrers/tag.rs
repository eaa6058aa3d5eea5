//! The list of referrers that clients keep under a tag, where the registry does not: read, change,
//! write, and look whether it held.

use registry_name::{Digest, Identifier, Tag};

use super::Remote;
use crate::{
    Descriptor, Error, ErrorKind, Manifest, media_type, referrer, remote::publish::Replaces,
};

/// How often the list is written where somebody else writes it too.
const MAX_ROUNDS: usize = 5;

/// What the tag names.
pub(super) struct List {
    index: Manifest,
    etag: Option<String>,
}

/// What is to be changed of it.
enum Change<'a> {
    Add(&'a Manifest),
    Remove(&'a Digest),
    /// What another list has.
    Merge(&'a Manifest),
}

impl Remote {
    /// What the referrers tag lists; nothing where there is none.
    pub(super) async fn tagged_referrers(
        &self,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        self.check_tag_use(subject)?;
        let list = self.tagged_list(&referrer::list_tag(subject)?).await?;
        Ok(list.map(|list| list.index.manifests().to_vec()).unwrap_or_default())
    }

    /// Adds a manifest to the referrers tag of its subject, unless the registry lists it itself.
    pub(in crate::remote) async fn keep_referrer(&self, manifest: &Manifest) -> Result<(), Error> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        let listed = self.list_referrers(&subject.digest, None).await?;
        let is_ours = |entry: &Descriptor| entry.digest == *manifest.digest();
        if listed.is_some_and(|listed| listed.iter().any(is_ours)) {
            self.learn(|learnt| learnt.keeps_referrers = Some(true));
            return Ok(());
        }
        self.check_tag_use(&subject.digest)?;
        let tag = referrer::list_tag(&subject.digest)?;
        self.change_list(&tag, &Change::Add(manifest)).await.map(drop)
    }

    /// Refuses what only the referrers tag could do, where that is not to be used.
    fn check_tag_use(&self, subject: &Digest) -> Result<(), Error> {
        if self.client.uses_referrers_tag() {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: format!(
                "{} has no referrers API that lists what refers to {subject}, and this client is not to use the referrers tag instead; ClientBuilder::referrers_tag lets it",
                self.repository
            ),
        })
    }

    /// Takes a manifest that was deleted off the referrers tag of its subject.
    pub(in crate::remote) async fn forget_referrer(
        &self,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        let tag = referrer::list_tag(&subject.digest)?;
        self.change_list(&tag, &Change::Remove(manifest.digest())).await.map(drop)
    }

    /// Brings what another repository lists under this tag, and keeps what is listed here. Says
    /// whether the two are the same now, byte for byte.
    pub(in crate::remote) async fn merge_list(
        &self,
        tag: &Tag,
        theirs: &Manifest,
    ) -> Result<bool, Error> {
        let list = self.change_list(tag, &Change::Merge(theirs)).await?;
        Ok(list.is_some_and(|list| list.index.digest() == theirs.digest()))
    }

    /// Another client may write between what is read here and what is written: a registry that
    /// knows conditions (RFC 9110, section 13.1) refuses what was overtaken, and with one that does
    /// not, the last look shows it. Clones of one client take turns.
    async fn change_list(&self, tag: &Tag, change: &Change<'_>) -> Result<Option<List>, Error> {
        let _turn = self.client.state().list_turns.take(&self.repository, tag).await;
        let name = Identifier::Tag(tag.clone());
        for round in 0..=MAX_ROUNDS {
            let list = self.tagged_list(tag).await?;
            let Some(index) = change.apply(list.as_ref().map(|list| &list.index))? else {
                return Ok(list);
            };
            if round == MAX_ROUNDS {
                break;
            }
            match self.put_over(&name, &index, replaces(list.as_ref())).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    tracing::debug!(%error, "the list of referrers was changed meanwhile");
                }
                put => put?,
            }
        }
        Err(Error::Unsupported {
            what: format!(
                "cannot keep the list of referrers {}: other clients keep replacing it; try again",
                self.name(&name)
            ),
        })
    }

    /// `None` where there is no such tag. What is no list is nobody's to write over (distribution-spec,
    /// "Pushing Manifests with Subject").
    async fn tagged_list(&self, tag: &Tag) -> Result<Option<List>, Error> {
        let name = Identifier::Tag(tag.clone());
        let found = match self.upstream().get(&name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let (index, etag) = (found.manifest()?, found.version().etag);
        if index.is_index() {
            return Ok(Some(List { index, etag }));
        }
        Err(Error::Unsupported {
            what: format!(
                "{} has to be the list of what refers to a manifest, and is {}, so it is neither read nor replaced; give that another tag and delete this one",
                self.name(&name),
                index.media_type()
            ),
        })
    }
}

impl Change<'_> {
    /// The list as it has to be; `None` where there is nothing to change. What others wrote into it
    /// stays.
    fn apply(&self, list: Option<&Manifest>) -> Result<Option<Manifest>, Error> {
        let lists = |digest: &Digest| {
            list.is_some_and(|list| list.manifests().iter().any(|entry| entry.digest == *digest))
        };
        match (self, list) {
            (Self::Add(manifest), _) if lists(manifest.digest()) => Ok(None),
            (Self::Add(manifest), Some(list)) => {
                list.with_entry(&referrer::entry(manifest)).map(Some)
            }
            (Self::Add(_), None) => self.apply(Some(&empty()?)),
            (Self::Remove(digest), Some(list)) if lists(digest) => {
                list.with_entries(|entry| entry.digest != **digest).map(Some)
            }
            (Self::Remove(_), _) => Ok(None),
            (Self::Merge(theirs), None) => Ok(Some((*theirs).clone())),
            (Self::Merge(theirs), Some(list)) => {
                let mut new =
                    theirs.manifests().iter().filter(|entry| !lists(&entry.digest)).peekable();
                if new.peek().is_none() {
                    return Ok(None);
                }
                new.try_fold(list.clone(), |list, entry| list.with_entry(entry)).map(Some)
            }
        }
    }
}

/// What may be replaced: nothing where nothing was found, else what was read, if the registry marks
/// it. A weak mark (`W/"…"`) is none here, since `If-Match` never matches it (RFC 9110, section
/// 13.1.1).
fn replaces(list: Option<&List>) -> Replaces<'_> {
    let Some(list) = list else { return Replaces::Nothing };
    let strong = list.etag.as_deref().filter(|etag| etag.starts_with('"'));
    strong.map_or(Replaces::Anything, Replaces::Only)
}

fn empty() -> Result<Manifest, Error> {
    let kind = media_type::OCI_INDEX;
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[]}}"#);
    Manifest::new(text, Some(kind), "a new list of referrers")
}
