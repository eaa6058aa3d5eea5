//! Credential helpers: programs named `docker-credential-…` that keep secrets elsewhere.
//!
//! The protocol is the one of Docker's credential helpers: the program gets one word as its argument and
//! its input on stdin, and answers on stdout. No shell is involved, and nothing that a helper writes is
//! ever part of an error or a log line: it may be a secret.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::process::{Answer, PATIENCE, Program};
use crate::secret::wipe;

/// What a helper prints when it has no credential for a server (docker-credential-helpers, `errors.go`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// One credential helper.
#[derive(Clone, Debug)]
pub struct Helper {
    program: String,
    environment: Environment,
    patience: Duration,
}

impl Helper {
    /// The helper `docker-credential-<name>`, found on the environment's `PATH` when it is used; directories
    /// there that are not absolute are passed over.
    ///
    /// The name is made of letters, digits, `.`, `_` and `-`; anything else is refused.
    pub fn new(name: &str, environment: &Environment) -> Result<Self, Error> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(Error::new(
                ErrorKind::Input,
                "the name of a credential helper",
                "is made of letters, digits, \".\", \"_\" and \"-\"",
            )
            .with_hint("check credsStore and credHelpers in the config file"));
        }
        Ok(Self {
            program: format!("docker-credential-{name}"),
            environment: environment.clone(),
            patience: PATIENCE,
        })
    }

    /// Waits this long for an answer instead of 30 seconds.
    #[must_use]
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The name of the program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The credential for `server`, which is the key that it was stored under; `None` if there is none.
    pub async fn get(&self, server: &str) -> Result<Option<Credential>, Error> {
        checked(server)?;
        let answer = self.run("get", server.as_bytes()).await?;
        if !answer.success {
            return if is_not_found(&answer.output) { Ok(None) } else { Err(self.failed(&answer)) };
        }
        let mut fields = self.json(&answer.output)?;
        let credential = self.credential(&fields);
        fields.values_mut().for_each(wipe);
        credential
    }

    /// The credential in an answer to `get`. What it says about the server does not matter, and the names of
    /// its fields have no case.
    fn credential(&self, fields: &Map<String, Value>) -> Result<Option<Credential>, Error> {
        let text = |name: &str| {
            let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            match field.map(|(_, value)| value) {
                None | Some(Value::Null) => Ok(""),
                Some(Value::String(text)) => Ok(text.as_str()),
                Some(_) => Err(self.garbled()),
            }
        };
        match (text("Username")?, text("Secret")?) {
            (_, "") => Ok(None),
            ("", _) => Err(self.error(ErrorKind::Helper, "gave a secret without a user name")),
            (username, secret) => Ok(Some(Credential::basic(username, secret))),
        }
    }

    /// Keeps a credential for `server`. Only a user with a password, or an identity token, can be kept.
    pub async fn store(&self, server: &str, credential: &Credential) -> Result<(), Error> {
        checked(server)?;
        let (username, secret) = match credential {
            Credential::Basic { username, password } => (username.as_str(), password),
            Credential::IdentityToken(token) => ("<token>", token),
            Credential::Anonymous | Credential::RegistryToken(_) => {
                return Err(self.error(ErrorKind::Input, "cannot keep this kind of credential"));
            }
        };
        let input = Zeroizing::new(
            serde_json::json!({
                "ServerURL": server, "Username": username, "Secret": secret.expose(),
            })
            .to_string(),
        );
        let answer = self.run("store", input.as_bytes()).await?;
        if answer.success { Ok(()) } else { Err(self.failed(&answer)) }
    }

    /// Forgets the credential for `server`; that there is none is no error.
    pub async fn erase(&self, server: &str) -> Result<(), Error> {
        checked(server)?;
        let answer = self.run("erase", server.as_bytes()).await?;
        if answer.success || is_not_found(&answer.output) {
            Ok(())
        } else {
            Err(self.failed(&answer))
        }
    }

    /// The servers that there are credentials for, each with its user.
    pub async fn list(&self) -> Result<BTreeMap<String, String>, Error> {
        let answer = self.run("list", b"").await?;
        if !answer.success {
            return Err(self.failed(&answer));
        }
        self.json(&answer.output)?
            .into_iter()
            .map(|(server, user)| match user {
                Value::String(user) => Ok((server, user)),
                _ => Err(self.garbled()),
            })
            .collect()
    }

    /// Whether the program is there to be run.
    pub(crate) fn is_installed(&self) -> bool {
        Program::find(&self.program, &self.environment).is_some()
    }

    async fn run(&self, action: &str, input: &[u8]) -> Result<Answer, Error> {
        let program = Program::find(&self.program, &self.environment).ok_or_else(|| {
            self.error(ErrorKind::HelperMissing, "is not installed on PATH").with_hint(
                "install it, or remove it from credsStore and credHelpers in the config file",
            )
        })?;
        program.run(&self.program, &[action], input, &self.environment, self.patience).await
    }

    fn json(&self, output: &[u8]) -> Result<Map<String, Value>, Error> {
        match serde_json::from_slice(output) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(Value::Null) => Ok(Map::new()),
            _ => Err(self.garbled()),
        }
    }

    fn garbled(&self) -> Error {
        self.error(
            ErrorKind::Helper,
            "gave an answer that is not of the credential helper protocol",
        )
    }

    fn failed(&self, answer: &Answer) -> Error {
        self.error(ErrorKind::Helper, format!("failed: {}", answer.status)).with_hint(format!(
            "run `{} list` to see what it says, or remove it from credsStore and credHelpers in the config file",
            self.program
        ))
    }

    fn error(&self, kind: ErrorKind, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, &self.program, what)
    }
}

fn is_not_found(output: &[u8]) -> bool {
    output.trim_ascii().eq_ignore_ascii_case(NOT_FOUND.as_bytes())
}

/// The protocol ends a server's name with the end of the input, but helpers read lines.
fn checked(server: &str) -> Result<(), Error> {
    if server.is_empty() || server.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::Input,
            "the server for a credential helper",
            "is empty or has control characters",
        ));
    }
    Ok(())
}
