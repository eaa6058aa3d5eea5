//! What programs answer: it is understood or refused, and never repeated.

use std::path::Path;
use std::sync::LazyLock;

use registry_authn::helper::Helper;
use registry_authn::{Credential, Environment, Error, Google, Keychain, Resource};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
thread_local! {
    /// Of the thread, not of the process: it is removed when a test ends.
    static DIRECTORY: TempDir = {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["docker-credential-fuzz", "gcloud"] {
            program(&directory.path().join(name));
        }
        directory
    };
}

/// Everything that can be wrong with an answer. Were a part of the answer in a message, it would not be here.
const MESSAGES: [&str; 9] = [
    "docker-credential-fuzz failed: exit status: 1",
    "docker-credential-fuzz answered more than 64 KiB",
    "docker-credential-fuzz gave a secret without a user name",
    "docker-credential-fuzz gave an answer that is not of the credential helper protocol",
    "gcloud failed: exit status: 1",
    "gcloud answered more than 64 KiB",
    "gcloud gave an answer that is not JSON with an access token",
    "gcloud gave an access token whose expiry is not a time",
    "gcloud gave an access token that is empty",
];

/// Checks what every answer has to keep to. The first byte says who answers, and how it ends.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let Some((&first, answer)) = data.split_first() else { return };
    let directory = DIRECTORY.with(|directory| directory.path().to_owned());
    std::fs::write(directory.join("answer"), answer).expect("a file");
    let environment = Environment::empty()
        .var("PATH", &directory)
        .var("ANSWER", directory.join("answer"))
        .var("STATUS", if first & 4 == 0 { "0" } else { "1" });
    let helper = Helper::new("fuzz", &environment).expect("a name");
    RUNTIME.block_on(async {
        match first % 3 {
            0 => got(helper.get("test.io").await, answer),
            1 => listed(helper.list().await, answer),
            _ => google(&environment, answer).await,
        }
    });
}

fn got(result: Result<Option<Credential>, Error>, answer: &[u8]) {
    match result {
        Ok(Some(credential)) => from(&credential, &parsed(answer)),
        Ok(None) => {}
        Err(error) => says_nothing(&error),
    }
}

fn listed(result: Result<std::collections::BTreeMap<String, String>, Error>, answer: &[u8]) {
    match result {
        Ok(users) => {
            let parsed = parsed(answer);
            assert_eq!(users.len(), parsed.as_object().map_or(0, serde_json::Map::len));
            assert!(users.iter().all(|(server, user)| parsed[server] == user.as_str()));
        }
        Err(error) => says_nothing(&error),
    }
}

async fn google(environment: &Environment, answer: &[u8]) {
    let resource: Resource = Resource::Registry("gcr.io".parse().expect("a registry"));
    match Google::new(environment).resolve(&resource).await {
        Ok(Some(authenticator)) => match authenticator.credential().await {
            Ok(credential) => from(&credential, &parsed(answer)),
            Err(error) => says_nothing(&error),
        },
        Ok(None) => panic!("gcloud is there"),
        Err(error) => says_nothing(&error),
    }
}

/// A credential is text of the answer, nothing made up.
fn from(credential: &Credential, answer: &Value) {
    fn has(value: &Value, text: &str) -> bool {
        match value {
            Value::String(value) => value == text,
            Value::Object(fields) => fields.values().any(|value| has(value, text)),
            _ => false,
        }
    }
    let secret = match credential {
        Credential::Basic { password, .. } => password,
        Credential::IdentityToken(token) => token,
        other => panic!("{other:?}"),
    };
    assert!(!secret.is_empty() && has(answer, secret.expose()));
}

fn says_nothing(error: &Error) {
    let message = error.to_string();
    assert!(MESSAGES.contains(&message.as_str()), "{message}");
    assert!(std::error::Error::source(error).is_none());
}

fn parsed(answer: &[u8]) -> Value {
    serde_json::from_slice(answer).expect("JSON, as it was understood")
}

/// A program that answers what is in the file `$ANSWER`, and ends with `$STATUS`.
fn program(path: &Path) {
    // It reads its input: libFuzzer's `main` leaves the signal on that Rust's ignores.
    let script = "#!/bin/sh\nread -r _\n[ $STATUS = 0 ] && exec /bin/cat \"$ANSWER\"\n\
                  /bin/cat \"$ANSWER\"\nexit $STATUS\n";
    std::fs::write(path, script).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let executable = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path, executable).expect("a mode");
    }
}
