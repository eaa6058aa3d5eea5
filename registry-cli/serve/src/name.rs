//! The path of a repository, as it follows `/v2/`.

use std::fmt;
use std::sync::Arc;

use registry_name::{ParseError, Registry, Repository};

/// A valid repository path: `library/ubuntu`. Nothing else becomes part of a file's path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Arc<str>);

impl Name {
    pub(crate) fn parse(path: &str) -> Result<Self, ParseError> {
        // The grammar is registry-name's. The host takes part in its length limit only, so the
        // shortest usual one keeps every path that a client may reach us with.
        let host: Registry = "localhost".parse()?;
        Ok(Self(Repository::new(&host, path)?.path().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
