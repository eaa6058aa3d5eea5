//! One config file: what it has for a key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::places::Place;
use super::{entry, key};
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};

/// No config file of a person is larger.
const LARGEST: u64 = 4 * 1024 * 1024;

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
    Entry(Result<Option<Credential>, Error>),
    /// A helper to ask, and what for.
    Helper { name: String, server: String },
}

impl Config {
    /// `None` if there is nothing at that place.
    pub(super) fn read(place: Place) -> Result<Option<Self>, Error> {
        let bytes = match &place {
            Place::Variable(_, text) => Zeroizing::new(text.expose().as_bytes().to_vec()),
            Place::File(path) => match read(path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(None),
                Err(cause) => return Err(unusable(&place, "cannot be read").because(cause)),
            },
        };
        Self::parse(place, &bytes).map(Some)
    }

    fn parse(place: Place, bytes: &[u8]) -> Result<Self, Error> {
        let mut config = Self { place, auths: Map::new(), helpers: Map::new(), store: None };
        let error = |what: &'static str| unusable(&config.place, what);
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err(error("is UTF-16, not UTF-8"));
        }
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if text.trim_ascii().is_empty() {
            return Ok(config);
        }
        let mut fields = match serde_json::from_slice(text) {
            Ok(Value::Object(fields)) => fields,
            Ok(Value::Null) => return Ok(config),
            Ok(_) => return Err(error("is not a JSON object")),
            Err(cause) => return Err(error("is not JSON").because(cause)),
        };
        let mut object = |name: &str, wrong: &'static str| match fields.remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(entries)) => Ok(entries),
            Some(_) => Err(error(wrong)),
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
        let helpers = spellings(&self.helpers, wanted);
        if let Some((written, name)) = helpers.first() {
            return match name {
                Value::String(name) if name.is_empty() => self.entries(wanted),
                name => self.ask(name, written, wanted, &[]),
            };
        }
        match &self.store {
            Some(Value::String(name)) if name.is_empty() => self.entries(wanted),
            None => self.entries(wanted),
            Some(name) => {
                // Docker leaves an empty entry behind for each server that its store knows.
                let known: Vec<&str> =
                    spellings(&self.auths, wanted).iter().map(|(written, _)| *written).collect();
                match known.split_first() {
                    Some((first, others)) => self.ask(name, first, wanted, others),
                    None if wanted.contains('/') => Vec::new(),
                    None => self.ask(name, &key::conventional(wanted), wanted, &[]),
                }
            }
        }
    }

    fn entries(&self, wanted: &str) -> Vec<Finding> {
        spellings(&self.auths, wanted)
            .into_iter()
            .map(|(written, value)| {
                Finding::Entry(entry::credential(value).map_err(|what| {
                    Error::new(
                        ErrorKind::Entry,
                        format!("the entry {written:?} in {}", self.place),
                        what,
                    )
                    .with_hint("log in to this registry again, or remove the entry")
                }))
            })
            .collect()
    }

    /// The helper is asked for the key as it is written, then as Docker would write it.
    fn ask(&self, name: &Value, written: &str, wanted: &str, others: &[&str]) -> Vec<Finding> {
        let Value::String(name) = name else {
            let what = "names a credential helper with something that is not text";
            return vec![Finding::Entry(Err(Error::new(
                ErrorKind::Entry,
                self.place.to_string(),
                what,
            )))];
        };
        let mut servers = vec![written.to_owned()];
        servers.extend(others.iter().map(|&other| other.to_owned()));
        let conventional = key::conventional(wanted);
        if !servers.contains(&conventional) {
            servers.push(conventional);
        }
        servers.into_iter().map(|server| Finding::Helper { name: name.clone(), server }).collect()
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

fn unusable(place: &Place, what: &'static str) -> Error {
    let hint = match place {
        Place::Variable(name, _) => format!("correct it, or go on without it: unset {name}"),
        Place::File(path) => {
            format!("correct it, or go on without its log-ins by moving {} away", path.display())
        }
    };
    Error::new(ErrorKind::File, place.to_string(), what).with_hint(hint)
}

/// The bytes of a file; `None` if there is no such name.
fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let too_large = || io::Error::other("larger than 4 MiB");
    if metadata.len() > LARGEST {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST { Err(too_large()) } else { Ok(Some(bytes)) }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Does not wait for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}
