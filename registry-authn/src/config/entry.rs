//! One entry of `auths`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::secret::Secret;

/// Padded or not: both are found in the wild.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credential in an entry; `Ok(None)` for an entry that holds none, as Docker leaves behind for what
/// its helpers keep. The error says what is wrong, without the value.
///
/// A `registrytoken` goes before an `identitytoken`, that before `auth`, that before `username` and
/// `password`.
pub(super) fn credential(entry: &Value) -> Result<Option<Credential>, &'static str> {
    let fields = match entry {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        _ => return Err("is not an object"),
    };
    let text = |name: &str, wrong: &'static str| match fields.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(wrong),
    };
    let registry_token = text("registrytoken", "has a registrytoken that is not text")?;
    if !registry_token.is_empty() {
        return Ok(Some(Credential::RegistryToken(Secret::new(registry_token))));
    }
    let identity_token = text("identitytoken", "has an identitytoken that is not text")?;
    if !identity_token.is_empty() {
        return Ok(Some(Credential::IdentityToken(Secret::new(identity_token))));
    }
    let auth = text("auth", "has an auth that is not text")?;
    if !auth.is_empty() {
        return decode(auth).map(Some);
    }
    let username = text("username", "has a username that is not text")?;
    let password = text("password", "has a password that is not text")?;
    match (username, password) {
        ("", "") => Ok(None),
        ("", _) => Err("has a password without a username"),
        (username, password) => Ok(Some(Credential::basic(username, password))),
    }
}

/// `auth`: user and password with a colon between them, in base64.
fn decode(auth: &str) -> Result<Credential, &'static str> {
    let compact: Zeroizing<String> =
        Zeroizing::new(auth.chars().filter(|c| !matches!(c, '\r' | '\n')).collect());
    let bytes = Zeroizing::new(
        BASE64.decode(compact.as_bytes()).map_err(|_| "has an auth that is not base64")?,
    );
    let text = std::str::from_utf8(&bytes).map_err(|_| "has an auth that is not UTF-8")?;
    match text.split_once(':') {
        None => Err("has an auth without a colon between user and password"),
        Some(("", _)) => Err("has an auth without a user"),
        Some((user, password)) => Ok(Credential::basic(user, password.trim_end_matches('\0'))),
    }
}
