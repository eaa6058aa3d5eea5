//! Kubernetes pull secrets, from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::places::Place;
use super::{entry, file, key};
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::keychain::{Authenticator, Keychain};
use crate::resource::Resource;
use crate::secret::wipe;

/// The files of a secret, by its type: `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`.
const NAMES: [&str; 2] = [".dockerconfigjson", ".dockercfg"];

/// Pull secrets of Kubernetes, from files or from the directories that they are mounted at.
///
/// The keys are understood as Kubernetes documents it ("Images", "Interpretation of config.json"): a port has to
/// be the same; a key with a path is for what is under that path, segment by segment; and `*` in a label of the
/// host stands for any characters of that one label, so that `*.registry.example` is neither for
/// `registry.example` nor for `a.b.registry.example`. A helper that a secret names is not asked.
///
/// The order is: the longest path, then keys without `*`, then the secrets as they were given. A keychain
/// answers with the first one; [`matching`](Self::matching) has them all. Files are read each time something is
/// looked up, and one that does not exist holds nothing.
#[derive(Clone, Debug)]
pub struct PullSecrets(Arc<[PathBuf]>);

impl PullSecrets {
    /// These files and directories.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(paths.into_iter().map(Into::into).collect())
    }

    /// Every credential for `resource`, in order.
    pub async fn matching(&self, resource: &Resource) -> Result<Vec<Credential>, Error> {
        let (secrets, resource) = (self.clone(), resource.clone());
        match tokio::task::spawn_blocking(move || secrets.find(&resource)).await {
            Ok(found) => found,
            Err(cause) => Err(Error::source_failed("the pull secrets", cause)),
        }
    }

    fn find(&self, resource: &Resource) -> Result<Vec<Credential>, Error> {
        let mut found = Vec::new();
        for path in self.0.iter().flat_map(|path| files(path)) {
            for (written, mut value) in read(&path)? {
                if let Some(rank) = key::Pattern::parse(&written).and_then(|key| key.rank(resource))
                {
                    found.push((rank, credential(&path, &written, &value)));
                }
                wipe(&mut value);
            }
        }
        // Entries of the same rank stay in the order of their files.
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().filter_map(|(_, credential)| credential.transpose()).collect()
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() { NAMES.map(|name| path.join(name)).to_vec() } else { vec![path.to_owned()] }
}

/// The entries of a file; the older type of secret has nothing around them.
fn read(path: &Path) -> Result<Map<String, Value>, Error> {
    let place = Place::File(path.to_owned());
    let bytes = match crate::file::read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Map::new()),
        Err(cause) => return Err(file::unusable(&place, "cannot be read").because(cause)),
    };
    let mut fields = file::object(&place, &bytes)?;
    match fields.remove("auths") {
        Some(Value::Object(entries)) => Ok(entries),
        Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(file::unusable(&place, "has \"auths\" that are not an object")),
        None => Ok(fields),
    }
}

fn credential(path: &Path, written: &str, value: &Value) -> Result<Option<Credential>, Error> {
    entry::credential(value).map_err(|what| {
        let origin = format!("the entry {written:?} in {}", path.display());
        Error::new(ErrorKind::Entry, origin, what).with_hint("correct the secret, or leave it out")
    })
}

#[async_trait]
impl Keychain for PullSecrets {
    async fn resolve(&self, resource: &Resource) -> Result<Option<Arc<dyn Authenticator>>, Error> {
        let first = self.matching(resource).await?.into_iter().next();
        Ok(first.map(|credential| Arc::new(credential) as Arc<dyn Authenticator>))
    }
}
