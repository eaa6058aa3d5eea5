//! What refers to a manifest: the referrers API, and the tag that stands in for it
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Listing referrers", "Referrers tag schema").

use http::{Method, StatusCode};
use registry_name::{Digest, Identifier, Tag};
use registry_transport::ErrorKind as TransportKind;
use serde::{Deserialize, Serialize};

use super::{Remote, page::Pager};
use crate::{Descriptor, Error, ErrorKind, Manifest, media_type};

/// How often the referrers tag is written where somebody else writes it too.
const MAX_ROUNDS: usize = 5;

/// The referrers of a manifest, and who lists them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Referrers {
    /// Descriptors of the referring manifests, with their artifact types and annotations.
    pub descriptors: Vec<Descriptor>,
    /// Whether the registry keeps the list itself; otherwise it is the content of a tag that
    /// clients keep.
    pub by_registry: bool,
}

/// A list of referrers, from the API or from the tag. Every field travels.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

impl Remote {
    /// What refers to `subject`; only artifacts of one type where one is given.
    ///
    /// # Errors
    ///
    /// What the registry said. That a registry has no referrers API is no error, and neither is
    /// a subject that nothing refers to.
    pub async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, Error> {
        let listed = self.list_referrers(subject, artifact_type).await?;
        let by_registry = listed.is_some();
        let descriptors = match listed {
            Some(descriptors) => descriptors,
            None => self.referrers_tag(subject).await?,
        };
        let mut referrers = Referrers { descriptors, by_registry };
        // A registry need not filter, and the tag cannot.
        if let Some(wanted) = artifact_type {
            referrers.descriptors.retain(|found| found.artifact_type.as_deref() == Some(wanted));
        }
        Ok(referrers)
    }

    /// The API's answer; `None` where there is no such API.
    async fn list_referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let mut route = format!("referrers/{subject}");
        if let Some(wanted) = artifact_type {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("artifactType", wanted)
                .finish();
            route = format!("{route}?{query}");
        }
        let request = self
            .request(Method::GET, &route, self.pull())
            .accept(&[media_type::OCI_INDEX])
            .expect(&[200]);
        let what = format!("list the referrers of {subject} in {}", self.repository);
        let mut pager = Pager::new(what, request);
        let mut found = Vec::new();
        loop {
            match pager.next::<List>(self.client.transport()).await {
                Ok(Some(page)) => {
                    let page = page.manifests.unwrap_or_default();
                    pager.count(page.iter().map(|entry| &entry.digest))?;
                    found.extend(page);
                }
                Ok(None) => return Ok(Some(found)),
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// What the referrers tag lists; nothing where there is none.
    async fn referrers_tag(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        Ok(self.tagged_list(&Identifier::Tag(fallback_tag(subject)?)).await?.entries)
    }

    async fn tagged_list(&self, tag: &Identifier) -> Result<TaggedList, Error> {
        match self.itself().get(tag).await {
            Ok(found) => {
                let etag = found.version().etag;
                Ok(TaggedList { entries: found.manifest()?.manifests().to_vec(), etag })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(TaggedList { entries: Vec::new(), etag: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Adds a manifest to the referrers tag of its subject, unless the registry lists it itself.
    pub(super) async fn keep_referrer(&self, manifest: &Manifest) -> Result<(), Error> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        let is_ours = |entry: &Descriptor| entry.digest == *manifest.digest();
        let listed = self.list_referrers(&subject.digest, None).await?;
        if listed.is_some_and(|listed| listed.iter().any(is_ours)) {
            self.client.learn(&self.registry, |learnt| learnt.keeps_referrers = Some(true));
            return Ok(());
        }
        self.change_list(&subject.digest, |entries| {
            let missing = !entries.iter().any(is_ours);
            if missing {
                entries.push(referrer(manifest));
            }
            missing
        })
        .await
    }

    /// Takes a manifest that was deleted off the referrers tag of its subject.
    pub(super) async fn forget_referrer(&self, manifest: &Manifest) -> Result<(), Error> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        self.change_list(&subject.digest, |entries| {
            let before = entries.len();
            entries.retain(|entry| entry.digest != *manifest.digest());
            entries.len() < before
        })
        .await
    }

    /// Read, change, write, and look whether it held: another client may have written in between.
    /// `If-Match` (RFC 9110, section 13.1.1) has a registry that knows it refuse what was
    /// overtaken. Clones of one client take turns.
    ///
    /// `change` says whether there was anything to change.
    async fn change_list(
        &self,
        subject: &Digest,
        change: impl Fn(&mut Vec<Descriptor>) -> bool,
    ) -> Result<(), Error> {
        let tag = Identifier::Tag(fallback_tag(subject)?);
        let _turn = self.client.state().list_turn.lock().await;
        for round in 0..=MAX_ROUNDS {
            let mut list = self.tagged_list(&tag).await?;
            if !change(&mut list.entries) {
                return Ok(());
            }
            if round == MAX_ROUNDS {
                break;
            }
            let what = format!("the referrers of {subject}");
            let index = Manifest::new(index_of(&list.entries), Some(media_type::OCI_INDEX), &what)?;
            match self.put_over(&tag, &index, list.etag.as_deref()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    tracing::debug!(%error, "the list of referrers was changed meanwhile");
                }
                put => put?,
            }
        }
        Err(Error::Unsupported {
            what: format!(
                "cannot keep the list of referrers of {subject}: other clients keep replacing it; try again"
            ),
        })
    }
}

/// The content of a referrers tag.
struct TaggedList {
    entries: Vec<Descriptor>,
    etag: Option<String>,
}

/// The specification lets a registry without the API answer 404; others answer 400 or 405, or
/// something that is no list.
fn is_absent(error: &Error) -> bool {
    match error {
        Error::Registry { source, .. } => {
            matches!(source.kind(), TransportKind::NotFound | TransportKind::Unsupported)
                || source.status() == Some(StatusCode::BAD_REQUEST)
        }
        Error::Unsupported { .. } => true,
        _ => false,
    }
}

/// The tag that stands for the referrers of a digest: the algorithm cut at 32 characters, the hash
/// at 64, joined by `-`.
fn fallback_tag(subject: &Digest) -> Result<Tag, Error> {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let text = format!("{}-{}", cut(subject.algorithm().as_str(), 32), cut(subject.hex(), 64));
    text.parse().map_err(|_| Error::Unsupported {
        what: format!("cannot name the referrers tag of {subject}"),
    })
}

/// How a referring manifest is listed: with its artifact type and all its annotations.
fn referrer(manifest: &Manifest) -> Descriptor {
    let mut descriptor = manifest.descriptor().clone();
    descriptor.artifact_type = manifest.artifact_type().map(str::to_owned);
    descriptor.annotations = manifest.annotations().clone();
    descriptor
}

fn index_of(descriptors: &[Descriptor]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index<'a> {
        schema_version: u32,
        media_type: &'static str,
        manifests: &'a [Descriptor],
    }
    let index =
        Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: descriptors };
    serde_json::to_vec(&index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_cut_as_the_specification_says() {
        let sha256: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        assert_eq!(fallback_tag(&sha256).unwrap().as_str(), format!("sha256-{}", "a".repeat(64)));
        let sha512: Digest = format!("sha512:{}", "b".repeat(128)).parse().unwrap();
        assert_eq!(fallback_tag(&sha512).unwrap().as_str(), format!("sha512-{}", "b".repeat(64)));
    }
}
