//! What a page is made from.

use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;
use registry_name::Registry;

use crate::access::{Caller, Scope};
use crate::name::Name;
use crate::server::Server;
use crate::store::Store;

/// The content of the registry as one caller may see it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) store: Arc<dyn Store>,
    caller: Caller,
    query: Vec<(String, String)>,
    /// What the browser calls this registry, for commands to copy.
    pub(super) host: String,
    /// Entries of a list on one page.
    pub(super) entries: usize,
}

impl View {
    pub(super) fn new(
        server: &Server,
        parts: &Parts,
        query: &[(String, String)],
        caller: Caller,
    ) -> Self {
        // HTTP/2 has it in the request's target.
        let target = parts.uri.authority().map(http::uri::Authority::as_str);
        let header = || parts.headers.get(HOST)?.to_str().ok();
        let host = target.or_else(header).and_then(|host| host.parse::<Registry>().ok());
        Self {
            store: Arc::clone(&server.store),
            caller,
            query: query.to_vec(),
            host: host.map_or_else(|| "localhost".to_owned(), |host| host.as_str().to_owned()),
            entries: server.limits.page.min(100),
        }
    }

    /// The first value of a parameter; an empty one is none.
    pub(super) fn parameter(&self, key: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(name, _)| name == key)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn may_pull(&self, name: &Name) -> bool {
        self.caller.may(&Scope::repository(name, &["pull"]))
    }
}
