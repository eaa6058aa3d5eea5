//! What is in the file: pure functions over tokens, challenges and seconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry_authn::{Credential, Scopes, Secret};
use registry_name::Registry;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::challenge::Challenge;
use crate::token::Key;

/// Tokens and challenges, each under a key that says nothing about what it was made of.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) version: u32,
    /// Random, in base64.
    salt: String,
    /// The latest time that anything was written, in seconds since 1970.
    pub(super) written: u64,
    tokens: Vec<Token>,
    challenges: Vec<Wanted>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Token {
    key: String,
    scopes: String,
    #[serde(serialize_with = "expose", deserialize_with = "secret")]
    secret: Secret,
    received: u64,
    life: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Wanted {
    key: String,
    challenge: Challenge,
    received: u64,
}

/// The form of the file.
pub(super) const VERSION: u32 = 1;
/// Tokens and challenges, each.
const MOST: usize = 256;
const LONGEST_TOKEN: usize = 8 << 10;
const LONGEST_REALM: usize = 1 << 10;
/// What a registry wants is asked again after a week.
const WEEK: u64 = 7 * 24 * 60 * 60;

impl Document {
    pub(super) fn new(salt: &[u8]) -> Self {
        Self { version: VERSION, salt: STANDARD.encode(salt), ..Self::default() }
    }

    pub(super) fn challenge(&self, registry: &Registry, now: u64) -> Option<Challenge> {
        let key = self.key(&[b"challenge", registry.as_str().as_bytes()]);
        let wanted = self.challenges.iter().find(|wanted| wanted.key == key)?;
        let age = now.checked_sub(wanted.received)?;
        (age < WEEK).then(|| wanted.challenge.clone())
    }

    pub(super) fn learn(&mut self, registry: &Registry, challenge: Challenge, now: u64) {
        let key = self.key(&[b"challenge", registry.as_str().as_bytes()]);
        self.challenges.retain(|wanted| wanted.key != key);
        if challenge.realm().is_some_and(|realm| realm.len() > LONGEST_REALM) {
            return;
        }
        self.challenges.push(Wanted { key, challenge, received: now });
        let surplus = self.challenges.len().saturating_sub(MOST);
        self.challenges.drain(..surplus);
    }

    /// A token, its age and its life.
    pub(super) fn find(
        &self,
        key: &Key,
        credential: &Credential,
        now: u64,
    ) -> Option<(Secret, u64, u64)> {
        let id = self.source(key, credential);
        let serves = |token: &&Token| {
            let scopes: Result<Scopes, _> = token.scopes.parse();
            token.key == id
                && scopes.is_ok_and(|scopes| {
                    scopes == key.scopes || (!key.scopes.is_empty() && scopes.covers(&key.scopes))
                })
        };
        let youngest = self.tokens.iter().filter(serves).max_by_key(|token| token.received)?;
        let age = now.checked_sub(youngest.received)?;
        (age < youngest.life).then(|| (youngest.secret.clone(), age, youngest.life))
    }

    pub(super) fn keep(
        &mut self,
        key: &Key,
        credential: &Credential,
        secret: Secret,
        life: u64,
        now: u64,
    ) {
        let (id, scopes) = (self.source(key, credential), key.scopes.to_string());
        self.tokens.retain(|token| {
            let same = token.key == id && token.scopes == scopes;
            let age = now.checked_sub(token.received);
            !same && age.is_some_and(|age| age < token.life)
        });
        if life == 0 || secret.expose().len() > LONGEST_TOKEN || scopes.len() > LONGEST_TOKEN {
            return;
        }
        self.tokens.push(Token { key: id, scopes, secret, received: now, life });
        let surplus = self.tokens.len().saturating_sub(MOST);
        self.tokens.drain(..surplus);
    }

    pub(super) fn has(&self, secret: &Secret) -> bool {
        self.tokens.iter().any(|token| token.secret == *secret)
    }

    pub(super) fn forget(&mut self, secret: &Secret) {
        self.tokens.retain(|token| token.secret != *secret);
    }

    /// Tells sources of tokens apart.
    fn source(&self, key: &Key, credential: &Credential) -> String {
        let none = &b""[..];
        let (kind, name, secret) = match credential {
            Credential::Basic { username, password } => {
                (&b"basic"[..], username.as_bytes(), password.expose().as_bytes())
            }
            Credential::IdentityToken(token) => (&b"identity"[..], none, token.expose().as_bytes()),
            Credential::RegistryToken(token) => (&b"registry"[..], none, token.expose().as_bytes()),
            _ => (&b"anonymous"[..], none, none),
        };
        let service = key.service.as_deref();
        let has_service = if service.is_some() { b"1" } else { b"0" };
        let service = service.unwrap_or_default().as_bytes();
        self.key(&[b"token", key.realm.as_bytes(), has_service, service, kind, name, secret])
    }

    fn key(&self, parts: &[&[u8]]) -> String {
        STANDARD.encode(hmac(self.salt.as_bytes(), parts))
    }
}

/// HMAC-SHA-256 (RFC 2104) of parts that cannot be mistaken for each other: each has its length in front.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut inner = Sha256::new_with_prefix(pad(key, 0x36));
    for part in parts {
        inner.update((part.len() as u64).to_be_bytes());
        inner.update(part);
    }
    finish(key, inner)
}

fn finish(key: &[u8], inner: Sha256) -> [u8; 32] {
    let mut outer = Sha256::new_with_prefix(pad(key, 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// A key of at most 64 bytes: a salt of 32 bytes has 44 in base64.
fn pad(key: &[u8], with: u8) -> [u8; 64] {
    let mut pad = [with; 64];
    for (to, from) in pad.iter_mut().zip(key) {
        *to ^= from;
    }
    pad
}

fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_the_standard() {
        // RFC 4231, test case 2
        let key = b"Jefe";
        let inner =
            Sha256::new_with_prefix(pad(key, 0x36)).chain_update("what do ya want for nothing?");
        assert_eq!(
            STANDARD.encode(finish(key, inner)),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
        assert_ne!(hmac(key, &[b"ab", b"c"]), hmac(key, &[b"a", b"bc"]));
    }
}
