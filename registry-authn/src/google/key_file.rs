//! The key of a service account, which is a password as it is.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::secret::{Secret, wipe};

/// The users of a key as JSON, and of one in base64 (Artifact Registry documentation, "Service account key").
const JSON_USER: &str = "_json_key";
const BASE64_USER: &str = "_json_key_base64";

/// The key in a file; `None` for credentials of another kind. That the file is missing is an error: somebody
/// said that it is there.
pub(super) async fn read(path: PathBuf) -> Result<Option<Credential>, Error> {
    let origin = path.clone();
    let read = tokio::task::spawn_blocking(move || file::read(&path)).await;
    match read.unwrap_or_else(|cause| Err(std::io::Error::other(cause))) {
        Ok(Some(bytes)) => understand(&bytes).map_err(|what| broken(&origin, what)),
        Ok(None) => Err(broken(&origin, "does not exist")),
        Err(cause) => Err(broken(&origin, "cannot be read").because(cause)),
    }
}

fn understand(bytes: &[u8]) -> Result<Option<Credential>, &'static str> {
    const NEITHER: &str = "is neither JSON nor that in base64";
    let text = std::str::from_utf8(bytes).map_err(|_| NEITHER)?;
    if text.trim_start().starts_with('{') {
        return Ok(is_key(bytes).ok_or(NEITHER)?.then(|| basic(JSON_USER, text)));
    }
    let compact = Zeroizing::new(text.split_ascii_whitespace().collect::<String>());
    let decoded = Zeroizing::new(STANDARD.decode(compact.as_bytes()).map_err(|_| NEITHER)?);
    Ok(is_key(&decoded).ok_or(NEITHER)?.then(|| basic(BASE64_USER, &compact)))
}

/// Whether it is the key of a service account; `None` if it is no JSON object.
fn is_key(json: &[u8]) -> Option<bool> {
    let mut document: Value = serde_json::from_slice(json).ok()?;
    let key = document.is_object().then(|| document["type"] == "service_account");
    wipe(&mut document);
    key
}

fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: Secret::new(password) }
}

fn broken(path: &Path, what: &'static str) -> Error {
    Error::new(ErrorKind::File, path.display().to_string(), what)
        .with_hint("correct it, or go on without it: unset GOOGLE_APPLICATION_CREDENTIALS")
}
