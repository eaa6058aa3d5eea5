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
        match self.itself().get_manifest(&Identifier::Tag(fallback_tag(subject)?)).await {
            Ok(list) => Ok(list.manifests().to_vec()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds a manifest to the referrers tag of its subject. Read, merge, write, and look whether
    /// it held: another client may have written in between.
    pub(super) async fn keep_referrer(&self, manifest: &Manifest) -> Result<(), Error> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        if self.list_referrers(&subject.digest, None).await?.is_some() {
            return Ok(());
        }
        let identifier = Identifier::Tag(fallback_tag(&subject.digest)?);
        for _ in 0..MAX_ROUNDS {
            let mut listed = self.referrers_tag(&subject.digest).await?;
            if listed.iter().any(|entry| entry.digest == *manifest.digest()) {
                return Ok(());
            }
            listed.push(referrer(manifest));
            let what = format!("the referrers of {}", subject.digest);
            let index = Manifest::new(index_of(&listed), Some(media_type::OCI_INDEX), &what)?;
            self.put(&identifier, &index).await?;
        }
        Err(Error::Unsupported {
            what: format!(
                "cannot list {} as a referrer of {}: other clients keep replacing the list; push it again",
                manifest.digest(),
                subject.digest
            ),
        })
    }
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
