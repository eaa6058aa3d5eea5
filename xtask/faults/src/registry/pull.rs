//! Reading: manifests, blobs with ranges, tags in pages, referrers.

use serde_json::{Value, json};

use super::{Registry, Repository, document, error};
use crate::content::INDEX;
use crate::origin::{Answer, Request};

impl Registry {
    pub(super) fn manifest(&self, name: &str, reference: &str) -> Answer {
        let found = self.repository(name).and_then(|repository| repository.find(reference));
        let Some((digest, (media_type, bytes))) = found else {
            return error(404, "MANIFEST_UNKNOWN", "no such manifest");
        };
        let mut headers = vec![
            ("Content-Type".to_owned(), media_type.clone()),
            ("Docker-Content-Digest".to_owned(), digest.to_owned()),
        ];
        if self.conditions {
            headers.push(("ETag".to_owned(), entity_tag(digest)));
        }
        Answer { status: 200, headers, body: bytes.clone() }
    }

    pub(super) fn blob(&self, name: &str, digest: &str, request: &Request) -> Answer {
        let Some(bytes) = self.repository(name).and_then(|entry| entry.blobs.get(digest)) else {
            return error(404, "BLOB_UNKNOWN", "no such blob");
        };
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/octet-stream".to_owned()),
            ("Docker-Content-Digest".to_owned(), digest.to_owned()),
            ("Accept-Ranges".to_owned(), "bytes".to_owned()),
        ];
        let Some(range) = request.header("range").and_then(|text| text.strip_prefix("bytes="))
        else {
            return Answer { status: 200, headers, body: bytes.clone() };
        };
        let total = bytes.len();
        let part = range.split_once('-').and_then(|(first, last)| {
            let first: usize = first.parse().ok()?;
            let end = if last.is_empty() { total } else { last.parse::<usize>().ok()? + 1 };
            let end = end.min(total);
            (first < end).then(|| (first, end, bytes.slice(first..end)))
        });
        if let Some((first, end, body)) = part {
            headers.push(("Content-Range".into(), format!("bytes {first}-{}/{total}", end - 1)));
            return Answer { status: 206, headers, body };
        }
        headers.push(("Content-Range".into(), format!("bytes */{total}")));
        Answer { status: 416, headers, ..Answer::default() }
    }

    pub(super) fn tags(&self, name: &str, request: &Request) -> Answer {
        let Some(entry) = self.repository(name) else {
            return error(404, "NAME_UNKNOWN", "no such repository");
        };
        let last = request.parameter("last").unwrap_or_default();
        let asked = request.parameter("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let page = asked.min(self.page.unwrap_or(usize::MAX));
        let mut rest = entry.tags.keys().filter(|tag| **tag > last);
        let tags: Vec<_> = rest.by_ref().take(page).collect();
        let mut answer = document(200, "application/json", &json!({ "name": name, "tags": tags }));
        if let (Some(last), Some(_)) = (tags.last(), rest.next()) {
            let link = format!("</v2/{name}/tags/list?n={page}&last={last}>; rel=\"next\"");
            answer.headers.push(("Link".to_owned(), link));
        }
        answer
    }

    pub(super) fn referrers(&self, name: &str, subject: &str) -> Answer {
        let manifests = self.repository(name).into_iter().flat_map(|entry| &entry.manifests);
        let referring = manifests.filter_map(|(digest, (media_type, bytes))| {
            let manifest: Value = serde_json::from_slice(bytes).ok()?;
            let points = manifest.pointer("/subject/digest")?.as_str()? == subject;
            let artifact = manifest.get("artifactType").or(manifest.pointer("/config/mediaType"));
            points.then(|| {
                json!({
                    "mediaType": media_type,
                    "digest": digest,
                    "size": bytes.len(),
                    "artifactType": artifact,
                    "annotations": manifest.get("annotations"),
                })
            })
        });
        let manifests: Vec<_> = referring.collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        document(200, INDEX, &index)
    }
}

/// What marks this state of a tag.
pub(super) fn entity_tag(digest: &str) -> String {
    format!("\"{digest}\"")
}

impl Repository {
    /// The digests in the list of referrers that clients keep for `subject`.
    pub fn listed(&self, subject: &str) -> Vec<String> {
        let tag = subject.replacen(':', "-", 1);
        let list = self.find(&tag).and_then(|(_, (_, bytes))| {
            let list: Value = serde_json::from_slice(bytes).ok()?;
            list.get("manifests")?.as_array().cloned()
        });
        let digest = |entry: &Value| Some(entry.get("digest")?.as_str()?.to_owned());
        list.unwrap_or_default().iter().filter_map(digest).collect()
    }

    /// A manifest by tag or digest.
    pub fn find(&self, reference: &str) -> Option<(&str, &(String, bytes::Bytes))> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get_key_value(digest).map(|(digest, content)| (digest.as_str(), content))
    }
}
