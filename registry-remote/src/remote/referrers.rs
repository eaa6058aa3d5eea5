//! What refers to a manifest: the referrers API, and the tag that stands in for it
//! ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Listing referrers", "Referrers tag schema").

mod tag;
mod turns;

use http::{Method, StatusCode};
use registry_name::Digest;
use registry_transport::ErrorKind as TransportKind;
use serde::Deserialize;

pub(crate) use self::turns::Turns;
use super::{
    Remote,
    page::{Page, Pager},
};
use crate::{Descriptor, Error, media_type, referrer};

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

#[derive(Deserialize)]
struct List {
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: String,
}

impl Remote {
    /// What refers to `subject`; only artifacts of one type where one is given.
    ///
    /// # Errors
    ///
    /// What the registry said; [`Error::Unsupported`] where the referrers tag names something else than a
    /// list, or is needed and [not to be used](crate::ClientBuilder::referrers_tag). That a registry has
    /// no referrers API is no error otherwise, and neither is a subject that nothing refers to.
    pub async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, Error> {
        let listed = self.list_referrers(subject, artifact_type).await?;
        let by_registry = listed.is_some();
        let descriptors = match listed {
            Some(descriptors) => descriptors,
            None => self.tagged_referrers(subject).await?,
        };
        let mut referrers = Referrers { descriptors, by_registry };
        // A registry need not filter, and the tag cannot.
        referrer::retain_type(&mut referrers.descriptors, artifact_type);
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
        let what = format!("referrers of {subject} in {}", self.repository);
        let mut pager = Pager::new(what, request);
        let mut found = Vec::new();
        loop {
            let page = match pager.load(self.client.transport()).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Some(found)),
                Err(error) if pager.is_at_start() && is_absent(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            if pager.is_at_start() && !is_list(&page) {
                return Ok(None);
            }
            let entries = pager.read::<List>(&page)?.manifests.unwrap_or_default();
            pager.turn(page)?;
            pager.count(entries.iter().map(|entry| &entry.digest))?;
            found.extend(entries);
        }
    }
}

/// The specification lets a registry without the API answer 404; others answer 400, 405 or 406.
fn is_absent(error: &Error) -> bool {
    let Error::Registry { source, .. } = error else { return false };
    matches!(source.kind(), TransportKind::NotFound | TransportKind::Unsupported)
        || matches!(source.status(), Some(StatusCode::BAD_REQUEST | StatusCode::NOT_ACCEPTABLE))
}

/// Whether somebody says that this is a list: others answer with a page for people, or with any
/// JSON.
fn is_list(page: &Page) -> bool {
    let is_index = |said: &str| said == media_type::OCI_INDEX;
    page.media_type.as_deref().is_some_and(is_index)
        || serde_json::from_slice::<Typed>(&page.bytes).is_ok_and(|body| is_index(&body.media_type))
}
