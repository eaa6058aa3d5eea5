//! A small registry in memory that behaves: what scripts lay their faults over.
//!
//! It answers pulls with ranges, pushes in every way of the distribution specification, tags, referrers, the catalog, deletes and
//! token requests. It is one pure function over its state; [`origin`](crate::origin) puts it on a socket.

mod access;
mod pull;
mod push;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

pub use access::{Access, TOKEN};

use crate::content::{Blob, Image, sha256, sha512};
use crate::origin::{Answer, Request};

/// The registry's whole state.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Registry {
    pub(crate) repositories: BTreeMap<String, Repository>,
    access: Access,
    uploads: BTreeMap<String, Vec<u8>>,
    sessions: u32,
    issued: u32,
    uses: BTreeMap<String, u32>,
    page: Option<usize>,
    conditions: bool,
    no_referrers: bool,
    sessions_only: bool,
    whole_indexes: bool,
}

/// What one repository holds.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Content by digest.
    pub blobs: BTreeMap<String, Bytes>,
    /// Media type and bytes by digest.
    pub manifests: BTreeMap<String, (String, Bytes)>,
    /// Digests by tag.
    pub tags: BTreeMap<String, String>,
}

impl Registry {
    /// An empty registry that everybody may use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image under a tag.
    #[must_use]
    pub fn with_image(mut self, repository: &str, tag: &str, image: &Image) -> Self {
        let entry = self.repositories.entry(repository.to_owned()).or_default();
        for blob in image.blobs() {
            entry.blobs.insert(blob.digest.clone(), blob.bytes.clone());
        }
        self.with_manifest(repository, tag, &image.manifest)
    }

    /// Adds a manifest under a tag, whatever it refers to.
    #[must_use]
    pub fn with_manifest(mut self, repository: &str, tag: &str, manifest: &Blob) -> Self {
        let entry = self.repositories.entry(repository.to_owned()).or_default();
        let content = (manifest.media_type.clone(), manifest.bytes.clone());
        entry.manifests.insert(manifest.digest.clone(), content);
        entry.tags.insert(tag.to_owned(), manifest.digest.clone());
        self
    }

    /// Who may use it.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// At most this many tags a page, whatever the client asks for.
    #[must_use]
    pub fn with_page(mut self, tags: usize) -> Self {
        self.page = Some(tags);
        self
    }

    /// Manifests have entity tags, and one is put under a tag only where `If-Match` and `If-None-Match`
    /// hold.
    #[must_use]
    pub fn with_conditions(mut self) -> Self {
        self.conditions = true;
        self
    }

    /// An upload takes a session, also where the request that begins it carries the blob.
    #[must_use]
    pub fn with_sessions_only(mut self) -> Self {
        self.sessions_only = true;
        self
    }

    /// An index is refused where a manifest that it lists is missing.
    #[must_use]
    pub fn with_whole_indexes(mut self) -> Self {
        self.whole_indexes = true;
        self
    }

    /// Clients keep the lists of referrers.
    #[must_use]
    pub fn without_referrers(mut self) -> Self {
        self.no_referrers = true;
        self
    }

    /// Whether it keeps the lists of referrers itself.
    pub fn keeps_referrers(&self) -> bool {
        !self.no_referrers
    }

    /// What a repository holds.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    /// How many upload sessions are open.
    pub fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    /// Answers one request.
    pub fn answer(&mut self, request: &Request) -> Answer {
        if request.path() == "/token" {
            return self.token(request);
        }
        let Some(path) = request.path().strip_prefix("/v2/") else {
            return error(404, "UNSUPPORTED", "not a registry path");
        };
        let route = Route::parse(path);
        if let Some(refusal) = self.refuse(request, &route) {
            return refusal;
        }
        let method = request.method.as_str();
        match (&route, method) {
            (Route::Ping, "GET" | "HEAD") => Answer { status: 200, ..Answer::default() },
            (Route::Catalog, "GET") => {
                let names: Vec<_> = self.repositories.keys().collect();
                document(200, "application/json", &json!({ "repositories": names }))
            }
            (Route::Tags(name), "GET") => self.tags(name, request),
            (Route::Referrers(name, digest), "GET") if !self.no_referrers => {
                self.referrers(name, digest)
            }
            (Route::Referrers(..), "GET") => error(404, "UNSUPPORTED", "no such API"),
            (Route::Manifest(name, reference), "GET" | "HEAD") => self.manifest(name, reference),
            (Route::Blob(name, digest), "GET" | "HEAD") => self.blob(name, digest, request),
            (Route::Manifest(name, reference), "PUT") => self.put(name, reference, request),
            (Route::Manifest(name, reference), "DELETE") => self.delete_manifest(name, reference),
            (Route::Blob(name, digest), "DELETE") => self.delete_blob(name, digest),
            (Route::Upload(name, session), _) => self.upload(name, session, request),
            _ => error(405, "UNSUPPORTED", "the method is not allowed here"),
        }
    }
}

/// Where a path below `/v2/` leads: names and what follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Ping,
    Catalog,
    Tags(String),
    Referrers(String, String),
    Manifest(String, String),
    Blob(String, String),
    /// The session is empty when a new one is asked for.
    Upload(String, String),
    Unknown,
}

impl Route {
    fn parse(path: &str) -> Self {
        type Make = fn(String, String) -> Route;
        let known: [(&str, Make); 4] = [
            ("/blobs/uploads/", Self::Upload),
            ("/blobs/", Self::Blob),
            ("/manifests/", Self::Manifest),
            ("/referrers/", Self::Referrers),
        ];
        match path {
            "" => return Self::Ping,
            "_catalog" => return Self::Catalog,
            _ => {}
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Self::Tags(name.to_owned());
        }
        let open = format!("{path}/");
        let path = if open.ends_with("/blobs/uploads/") { &open } else { path };
        let found = known.into_iter().find_map(|(word, make)| {
            path.split_once(word).map(|(name, rest)| make(name.to_owned(), rest.to_owned()))
        });
        found.unwrap_or(Self::Unknown)
    }

    fn repository(&self) -> Option<&str> {
        match self {
            Self::Ping | Self::Catalog | Self::Unknown => None,
            Self::Tags(name)
            | Self::Referrers(name, _)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Upload(name, _) => Some(name),
        }
    }
}

/// An answer in the registry's error format.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    document(status, "application/json", &body)
}

fn document(status: u16, media_type: &str, body: &serde_json::Value) -> Answer {
    let headers = vec![("Content-Type".to_owned(), media_type.to_owned())];
    Answer { status, headers, body: body.to_string().into() }
}

fn named(digest: &str, bytes: &[u8]) -> bool {
    if digest.starts_with("sha512:") { sha512(bytes) == digest } else { sha256(bytes) == digest }
}
