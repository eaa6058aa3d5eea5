//! Writing: upload sessions, mounts, manifests, deletes.

use bytes::Bytes;
use serde_json::Value;

use super::pull::entity_tag;
use super::{Registry, error, named};
use crate::content::{sha256, sha512};
use crate::origin::{Answer, Request};

impl Registry {
    pub(super) fn upload(&mut self, name: &str, session: &str, request: &Request) -> Answer {
        match (request.method.as_str(), session.is_empty()) {
            ("POST", true) => self.begin(name, request),
            ("PATCH", false) => self.append(name, session, request),
            ("PUT", false) => self.commit(name, session, request),
            ("GET", false) => match self.uploads.get(session) {
                Some(bytes) => progress(204, name, session, bytes.len()),
                None => unknown_upload(),
            },
            ("DELETE", false) => match self.uploads.remove(session) {
                Some(_) => Answer { status: 204, ..Answer::default() },
                None => unknown_upload(),
            },
            _ => error(405, "UNSUPPORTED", "the method is not allowed here"),
        }
    }

    fn begin(&mut self, name: &str, request: &Request) -> Answer {
        if let Some(digest) = request.parameter("mount") {
            let from = request.parameter("from");
            let mut sources = self
                .repositories
                .iter()
                .filter(|(other, _)| from.as_ref().is_none_or(|from| from == *other));
            let found = sources.find_map(|(_, entry)| entry.blobs.get(&digest)).cloned();
            if let Some(bytes) = found {
                return self.store(name, &digest, bytes);
            }
        } else if let Some(digest) = request.parameter("digest").filter(|_| !self.sessions_only) {
            return self.store(name, &digest, request.body.clone());
        }
        self.sessions += 1;
        let session = format!("session-{}", self.sessions);
        self.uploads.insert(session.clone(), Vec::new());
        progress(202, name, &session, 0)
    }

    fn append(&mut self, name: &str, session: &str, request: &Request) -> Answer {
        let Some(bytes) = self.uploads.get_mut(session) else { return unknown_upload() };
        let start = request.header("content-range").and_then(|range| range.split('-').next());
        if start.is_some_and(|start| start.parse() != Ok(bytes.len())) {
            return progress(416, name, session, bytes.len());
        }
        bytes.extend_from_slice(&request.body);
        if !request.body_complete {
            return error(400, "SIZE_INVALID", "the body ended early");
        }
        progress(202, name, session, bytes.len())
    }

    fn commit(&mut self, name: &str, session: &str, request: &Request) -> Answer {
        let Some(digest) = request.parameter("digest") else {
            return error(400, "DIGEST_INVALID", "no digest");
        };
        let Some(mut bytes) = self.uploads.remove(session) else { return unknown_upload() };
        bytes.extend_from_slice(&request.body);
        if !request.body_complete {
            // What arrived is kept: the session can be resumed.
            self.uploads.insert(session.to_owned(), bytes);
            return error(400, "SIZE_INVALID", "the body ended early");
        }
        self.store(name, &digest, bytes.into())
    }

    fn store(&mut self, name: &str, digest: &str, bytes: Bytes) -> Answer {
        if !named(digest, &bytes) {
            return error(400, "DIGEST_INVALID", "the content has another digest");
        }
        let entry = self.repositories.entry(name.to_owned()).or_default();
        entry.blobs.insert(digest.to_owned(), bytes);
        created(&format!("/v2/{name}/blobs/{digest}"), digest)
    }

    pub(super) fn put(&mut self, name: &str, reference: &str, request: &Request) -> Answer {
        let Ok(manifest) = serde_json::from_slice::<Value>(&request.body) else {
            return error(400, "MANIFEST_INVALID", "not JSON");
        };
        let by_sha512 = reference.starts_with("sha512:");
        let digest = if by_sha512 { sha512(&request.body) } else { sha256(&request.body) };
        if reference.contains(':') && reference != digest {
            return error(400, "DIGEST_INVALID", "the manifest has another digest");
        }
        let entry = self.repositories.entry(name.to_owned()).or_default();
        if self.conditions && !holds(request, entry.tags.get(reference)) {
            return error(412, "MANIFEST_INVALID", "the tag names something else by now");
        }
        let config = manifest.get("config").into_iter();
        let layers = manifest.get("layers").and_then(Value::as_array).into_iter().flatten();
        let children = manifest.get("manifests").and_then(Value::as_array).into_iter().flatten();
        let digest_of = |child: &'_ Value| child.get("digest")?.as_str().map(str::to_owned);
        let mut blobs = config.chain(layers).filter_map(digest_of);
        let mut manifests = children.filter(|_| self.whole_indexes).filter_map(digest_of);
        let missing = blobs.any(|digest| !entry.blobs.contains_key(&digest))
            || manifests.any(|digest| !entry.manifests.contains_key(&digest));
        if missing {
            return error(400, "MANIFEST_BLOB_UNKNOWN", "a blob of this manifest is missing");
        }
        let media_type = request.header("content-type").unwrap_or_default().to_owned();
        entry.manifests.insert(digest.clone(), (media_type, request.body.clone()));
        if !reference.contains(':') {
            entry.tags.insert(reference.to_owned(), digest.clone());
        }
        let mut answer = created(&format!("/v2/{name}/manifests/{digest}"), &digest);
        let subject = manifest.pointer("/subject/digest").and_then(Value::as_str);
        if let Some(subject) = subject.filter(|_| !self.no_referrers) {
            answer.headers.push(("OCI-Subject".to_owned(), subject.to_owned()));
        }
        answer
    }

    pub(super) fn delete_manifest(&mut self, name: &str, reference: &str) -> Answer {
        let Some(entry) = self.repositories.get_mut(name) else {
            return error(404, "NAME_UNKNOWN", "no such repository");
        };
        let gone =
            entry.tags.remove(reference).is_some() || entry.manifests.remove(reference).is_some();
        entry.tags.retain(|_, digest| entry.manifests.contains_key(digest));
        deleted(gone, "MANIFEST_UNKNOWN")
    }

    pub(super) fn delete_blob(&mut self, name: &str, digest: &str) -> Answer {
        let entry = self.repositories.get_mut(name);
        deleted(entry.is_some_and(|entry| entry.blobs.remove(digest).is_some()), "BLOB_UNKNOWN")
    }
}

/// Whether the conditions of a request hold for what a tag names now (RFC 9110, section 13.1). Tags here are strong, and compared as
/// such.
fn holds(request: &Request, current: Option<&String>) -> bool {
    let tag = current.map(|digest| entity_tag(digest));
    let any = |list: &str| match list {
        "*" => tag.is_some(),
        list => list.split(',').any(|one| Some(one.trim()) == tag.as_deref()),
    };
    request.header("if-match").is_none_or(any) && !request.header("if-none-match").is_some_and(any)
}

fn created(location: &str, digest: &str) -> Answer {
    let headers = vec![
        ("Location".to_owned(), location.to_owned()),
        ("Docker-Content-Digest".to_owned(), digest.to_owned()),
    ];
    Answer { status: 201, headers, ..Answer::default() }
}

fn progress(status: u16, name: &str, session: &str, length: usize) -> Answer {
    let headers = vec![
        ("Location".to_owned(), format!("/v2/{name}/blobs/uploads/{session}")),
        ("Range".to_owned(), format!("0-{}", length.saturating_sub(1))),
        ("Docker-Upload-UUID".to_owned(), session.to_owned()),
    ];
    Answer { status, headers, ..Answer::default() }
}

fn deleted(gone: bool, code: &str) -> Answer {
    if gone {
        Answer { status: 202, ..Answer::default() }
    } else {
        error(404, code, "nothing to delete")
    }
}

fn unknown_upload() -> Answer {
    error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload session")
}
