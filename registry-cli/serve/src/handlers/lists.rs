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
        let entry = |(digest, one): (Digest, crate::store::Manifest)| {
            Referrer::new(&digest, one.media_type, &one.bytes)
        };
        Ok(found.filter_map(entry).collect::<Vec<_>>())
    });
    let mut found = found.await?;
    let filter = call.parameter("artifactType").filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = filter {
        found.retain(|referrer| referrer.artifact_type.as_deref() == Some(wanted));
    }
    let mut response = json(&json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": found,
    }))?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if filter.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        response.headers_mut().insert(headers::FILTERS, applied);
    }
    Ok(response)
}

fn paged(
    call: &Call<'_>,
    all: &[&str],
    document: impl FnOnce(&[&str]) -> serde_json::Value,
) -> Result<Response<Body>, Problem> {
    let page = Page::of(&call.query)?;
    let (entries, more) = page.cut(all);
    let mut response = json(&document(entries))?;
    if let Some(link) = more.and_then(|last| page.next(call.path, last)) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}
