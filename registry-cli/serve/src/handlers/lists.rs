//! Tags, the catalog, referrers.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue, LINK};
use registry_name::{Digest, Tag};
use serde_json::json;

use super::headers;
use crate::body::Body;
use crate::manifest::Referrer;
use crate::name::Name;
use crate::page::Page;
use crate::problem::{Code, Problem};
use crate::server::{Call, json};
use crate::store::Manifest;
use crate::work::blocking;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(super) async fn tags(call: &Call<'_>, name: Name) -> Result<Response<Body>, Problem> {
    let (store, of) = (call.store(), name.clone());
    let tags = blocking(move || Ok(store.tags(&of)?)).await?;
    let tags = tags.ok_or_else(|| {
        Problem::unknown(Code::NameUnknown, format!("nothing was ever pushed to {name}"))
    })?;
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    paged(call, &tags, |page| json!({ "name": name.as_str(), "tags": page }))
}

pub(super) async fn catalog(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let store = call.store();
    let names = blocking(move || Ok(store.repositories()?)).await?;
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    paged(call, &names, |page| json!({ "repositories": page }))
}

pub(super) async fn referrers(
    call: &Call<'_>,
    name: Name,
    subject: Digest,
) -> Result<Response<Body>, Problem> {
    let store = call.store();
    let found = blocking(move || {
        let found = store.referrers(&name, &subject)?.into_iter();
        let entry =
            |(digest, one): (Digest, Manifest)| Referrer::new(&digest, one.media_type, &one.bytes);
        Ok(found.filter_map(entry).collect::<Vec<_>>())
    });
    let mut found = found.await?;
    let filter = call.parameter("artifactType").filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = filter {
        found.retain(|referrer| referrer.artifact_type.as_deref() == Some(wanted));
    }
    let page = Page::of(&call.query, call.server.limits.page)?;
    let (entries, more) = page.cut(&found, |referrer| &referrer.digest);
    let fitting = fitting(entries, call.server.limits.manifest)?;
    let more = more || fitting.len() < entries.len();

    let document = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": fitting });
    let last = fitting.last().filter(|_| more).map(|referrer| referrer.digest.as_str());
    let mut response = linked(call, &page, last, json(&document)?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if filter.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        response.headers_mut().insert(headers::FILTERS, applied);
    }
    Ok(response)
}

/// As many entries as a manifest may have bytes, and one at least.
fn fitting(entries: &[Referrer], limit: usize) -> Result<&[Referrer], Problem> {
    let mut bytes = 0;
    for (at, entry) in entries.iter().enumerate() {
        bytes += serde_json::to_vec(entry).map_err(std::io::Error::other)?.len();
        if bytes > limit && at > 0 {
            return Ok(&entries[..at]);
        }
    }
    Ok(entries)
}

fn paged(
    call: &Call<'_>,
    all: &[&str],
    document: impl FnOnce(&[&str]) -> serde_json::Value,
) -> Result<Response<Body>, Problem> {
    let page = Page::of(&call.query, call.server.limits.page)?;
    let (entries, more) = page.cut(all, |entry| entry);
    let last = entries.last().filter(|_| more).copied();
    Ok(linked(call, &page, last, json(&document(entries))?))
}

/// Says where the list goes on after its `last` entry, if it does.
fn linked(
    call: &Call<'_>,
    page: &Page<'_>,
    last: Option<&str>,
    mut response: Response<Body>,
) -> Response<Body> {
    if let Some(link) = last.and_then(|last| page.next(call.path, last)) {
        response.headers_mut().insert(LINK, link);
    }
    response
}
