//! Names, passwords, and what each user may do.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{HtpasswdError, Rights};

/// Passwords that are hashed at the same time. Each keeps a core busy for a tenth of a second.
const AT_ONCE: usize = 2;

/// Verified passwords that are remembered.
const REMEMBERED: usize = 1024;

/// Names and passwords, and what each user may do: everything, unless [`Users::with_rights`] says
/// less. Passwords are kept as hashes, and compared in constant time.
#[derive(Clone)]
pub struct Users {
    users: Vec<User>,
    verified: Arc<Verified>,
}

#[derive(Clone)]
struct User {
    name: String,
    password: Password,
    rights: Rights,
}

#[derive(Clone)]
enum Password {
    Sha256([u8; 32]),
    Bcrypt(Arc<str>),
}

/// What bcrypt has let through, so that each request after the first costs one SHA-256.
struct Verified {
    at_once: Semaphore,
    /// By a hash of password and stored hash: nothing here helps who reads this memory more than
    /// the password on its way in would.
    known: Mutex<HashSet<[u8; 32]>>,
}

impl Users {
    /// The users of an htpasswd file: `name:hash` on each line, with hashes of bcrypt only, as
    /// `htpasswd -B` makes them. Empty lines and those that start with `#` are skipped.
    pub fn htpasswd(text: &str) -> Result<Self, HtpasswdError> {
        let lines = text.lines().map(str::trim).zip(1..);
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let users = lines.map(|(line, number)| {
            let (name, hash) = line.split_once(':').ok_or(HtpasswdError::Shape { line: number })?;
            let password = bcrypt_hash(hash).ok_or(HtpasswdError::Hash { line: number })?;
            Ok(User { name: name.to_owned(), password, rights: Rights::ALL })
        });
        Ok(Self::new(users.collect::<Result<_, HtpasswdError>>()?))
    }

    /// Limits what one user may do. A name that is not among these changes nothing.
    #[must_use]
    pub fn with_rights(mut self, name: &str, rights: Rights) -> Self {
        for user in self.users.iter_mut().filter(|user| user.name == name) {
            user.rights = rights;
        }
        self
    }

    /// Whether there is a user of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.name == name)
    }

    /// What the user with this name and password may do; `None`: there is no such user, or it is
    /// another password.
    pub(crate) async fn verify(&self, name: &str, password: &str) -> Option<Rights> {
        let given: [u8; 32] = Sha256::digest(password).into();
        // Every user is looked at, so the time tells neither who exists nor how close a guess is.
        let plain = self.users.iter().fold(None, |found, user| {
            let Password::Sha256(own) = &user.password else { return found };
            let difference = own.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
            let same = (user.name == name) & (std::hint::black_box(difference) == 0);
            if same { Some(user.rights) } else { found }
        });
        if plain.is_some() {
            return plain;
        }
        // Who does not exist takes as long as who does.
        let hashed = |user: &&User| matches!(user.password, Password::Bcrypt(_));
        let named = self.users.iter().filter(hashed).find(|user| user.name == name);
        let user = named.or_else(|| self.users.iter().find(hashed))?;
        let Password::Bcrypt(hash) = &user.password else { return None };
        let same = self.verified.bcrypt(password, hash).await;
        (same && user.name == name).then_some(user.rights)
    }

    fn new(users: Vec<User>) -> Self {
        let verified = Verified { at_once: Semaphore::new(AT_ONCE), known: Mutex::default() };
        Self { users, verified: Arc::new(verified) }
    }
}

impl Verified {
    async fn bcrypt(&self, password: &str, hash: &Arc<str>) -> bool {
        let key: [u8; 32] =
            Sha256::new().chain_update(hash.as_bytes()).chain_update(password).finalize().into();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&key) {
            return true;
        }
        // Closed by nobody.
        let Ok(_turn) = self.at_once.acquire().await else { return false };
        if known().contains(&key) {
            return true; // Somebody else has just waited for the same.
        }
        let (password, hash) = (password.to_owned(), Arc::clone(hash));
        let same = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash));
        if !matches!(same.await, Ok(Ok(true))) {
            return false;
        }
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key);
        true
    }
}

/// `None`: another kind of hash, or none at all.
fn bcrypt_hash(hash: &str) -> Option<Password> {
    let version = ["$2y$", "$2b$", "$2a$"].iter().any(|version| hash.starts_with(version));
    let parts: Result<bcrypt::HashParts, _> = hash.parse();
    (version && hash.len() == 60 && parts.is_ok()).then(|| Password::Bcrypt(hash.into()))
}

impl Default for Users {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<N: Into<String>, P: AsRef<str>> FromIterator<(N, P)> for Users {
    fn from_iter<I: IntoIterator<Item = (N, P)>>(users: I) -> Self {
        let hashed = users.into_iter().map(|(name, password)| User {
            name: name.into(),
            password: Password::Sha256(Sha256::digest(password.as_ref()).into()),
            rights: Rights::ALL,
        });
        Self::new(hashed.collect())
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.users.iter().map(|user| (&user.name, user.rights))).finish()
    }
}

#[cfg(test)]
mod tests;
