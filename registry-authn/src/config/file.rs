//! One config file: what it has for a key.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::places::Place;
use super::{entry, key};
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::secret::wipe;

/// A config file that was read, its entries not looked at yet: a bad one concerns its own registry only.
pub(super) struct Config {
    pub(super) place: Place,
    auths: Map<String, Value>,
    helpers: Map<String, Value>,
    store: Option<Value>,
}

/// Something that a file has for a key.
pub(super) enum Finding {
    /// An entry of `auths`.
    Entry { written: String, credential: Result<Option<Credential>, Error> },
    /// A helper to ask, and what for.
    Helper { name: String, server: String },
}

/// Who keeps the secret for a key.
pub(super) enum Keeper {
    /// The file itself, in `auths`.
    File,
    /// A helper, and the names that it may know the key by, the likeliest first.
    Helper { name: String, servers: Vec<String> },
}

impl Config {
    /// `None` if there is nothing at that place.
    pub(super) fn read(place: Place) -> Result<Option<Self>, Error> {
        let bytes = match &place {
            Place::Variable(_, text) => Zeroizing::new(text.expose().as_bytes().to_vec()),
            Place::File(path) => match file::read(path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(None),
                Err(cause) => return Err(unusable(&place, "cannot be read").because(cause)),
            },
        };
        Self::parse(place, &bytes).map(Some)
    }

    pub(super) fn parse(place: Place, bytes: &[u8]) -> Result<Self, Error> {
        let mut config = Self { place, auths: Map::new(), helpers: Map::new(), store: None };
        let mut fields = object(&config.place, bytes)?;
        let mut object = |name: &str, wrong: &'static str| match fields.remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(entries)) => Ok(entries),
            Some(_) => Err(unusable(&config.place, wrong)),
        };
        let auths = object("auths", "has \"auths\" that are not an object")?;
        let helpers = object("credHelpers", "has \"credHelpers\" that are not an object")?;
        config.auths = auths;
        config.helpers = helpers;
        config.store = fields.remove("credsStore").filter(|store| !store.is_null());
        Ok(config)
    }

    /// What this file has for a canonical key, in the order in which it counts.
    pub(super) fn look_up(&self, wanted: &str) -> Vec<Finding> {
        match self.keeper(wanted) {
            Ok(Keeper::File) => self.entries(wanted),
            Ok(Keeper::Helper { name, servers }) => servers
                .into_iter()
                .map(|server| Finding::Helper { name: name.clone(), server })
                .collect(),
            Err(error) => {
                vec![Finding::Entry { written: wanted.to_owned(), credential: Err(error) }]
            }
        }
    }

    /// Who keeps the secret for a canonical key: `credHelpers` decides, then `credsStore`.
    pub(super) fn keeper(&self, wanted: &str) -> Result<Keeper, Error> {
        let helpers = spellings(&self.helpers, wanted);
        let (name, mut servers) = match (helpers.first(), &self.store) {
            (Some((written, name)), _) => (*name, vec![*written]),
            // Docker leaves an empty entry behind for each server that its store knows.
            (None, Some(name)) => (name, self.written(wanted)),
            (None, None) => return Ok(Keeper::File),
        };
        let Value::String(name) = name else {
            let what = "names a credential helper with something that is not text";
            return Err(Error::new(ErrorKind::Entry, self.place.to_string(), what));
        };
        if name.is_empty() {
            return Ok(Keeper::File);
        }
        // As it is written, then as Docker would write it; a store is not asked for every prefix of a path.
        let conventional = key::conventional(wanted);
        let guess = helpers.is_empty() && servers.is_empty() && wanted.contains('/');
        if !guess && !servers.contains(&conventional.as_str()) {
            servers.push(&conventional);
        }
        let servers = servers.into_iter().map(str::to_owned).collect();
        Ok(Keeper::Helper { name: name.clone(), servers })
    }

    /// The keys of `auths` that mean `wanted`, as they are written.
    pub(super) fn written(&self, wanted: &str) -> Vec<&str> {
        spellings(&self.auths, wanted).into_iter().map(|(written, _)| written).collect()
    }

    /// The fields of an entry of `auths`.
    pub(super) fn entry(&self, written: &str) -> Map<String, Value> {
        self.auths.get(written).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    fn entries(&self, wanted: &str) -> Vec<Finding> {
        let broken = |written: &str, what| {
            let origin = format!("the entry {written:?} in {}", self.place);
            Error::new(ErrorKind::Entry, origin, what)
                .with_hint("log in to this registry again, or remove the entry")
        };
        spellings(&self.auths, wanted)
            .into_iter()
            .map(|(written, value)| Finding::Entry {
                written: written.to_owned(),
                credential: entry::credential(value).map_err(|what| broken(written, what)),
            })
            .collect()
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        self.auths.values_mut().for_each(wipe);
    }
}

/// The entries whose key means `wanted`: first the one that is spelled so, then the others in order.
fn spellings<'a>(entries: &'a Map<String, Value>, wanted: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found: Vec<(&str, &Value)> = entries
        .iter()
        .filter(|(written, _)| key::canonical(written).as_deref() == Some(wanted))
        .map(|(written, value)| (written.as_str(), value))
        .collect();
    found.sort_by_key(|(written, _)| (*written != wanted, *written));
    found
}

/// The fields of a file; there are none in one that is empty.
pub(super) fn object(place: &Place, bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let error = |what: &'static str| unusable(place, what);
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(error("is UTF-16, not UTF-8"));
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(error("is not a JSON object")),
        Err(cause) => Err(error("is not JSON").because(cause)),
    }
}

pub(super) fn unusable(place: &Place, what: &'static str) -> Error {
    let hint = match place {
        Place::Variable(name, _) => format!("correct it, or go on without it: unset {name}"),
        Place::File(path) => {
            format!("correct it, or go on without its log-ins by moving {} away", path.display())
        }
    };
    Error::new(ErrorKind::File, place.to_string(), what).with_hint(hint)
}
