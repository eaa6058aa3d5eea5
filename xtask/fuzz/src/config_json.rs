//! Config files: whatever is in one, looking up, explaining and logging in agree with each other.

use std::path::Path;
use std::sync::LazyLock;

use registry_authn::explain::Outcome;
use registry_authn::{
    Credential, DockerConfig, Environment, Error, Kept, Keychain, Logins, PullSecrets, Resource,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));
thread_local! {
    /// Of the thread, not of the process: it is removed when a test ends.
    static DIRECTORY: TempDir = tempfile::tempdir().expect("a directory");
}

const NAMES: [&str; 4] = ["docker.io", "docker.io/library/ubuntu", "test.io/a/b", "test.io:5000"];

/// Checks what every config file has to keep to.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let path = DIRECTORY.with(|directory| directory.path().join("config.json"));
    std::fs::write(&path, data).expect("a file");
    // No PATH: no helper is ever run.
    let environment = Environment::empty();
    RUNTIME.block_on(async {
        let config = DockerConfig::file(&path, &environment);
        let secrets = secrets(data);
        for name in NAMES {
            let resource = resource(name);
            agree(&config, &resource, &secrets).await;
            pull(&path, &resource, &secrets).await;
        }
        log_in_and_out(&path, &config, &environment, data).await;
    });
}

/// `explain` tells what `resolve` does, and neither tells a secret.
async fn agree(config: &DockerConfig, resource: &Resource, secrets: &[String]) {
    let explanation = config.explain(resource).await;
    let outcomes = || explanation.candidates.iter().map(|candidate| &candidate.outcome);
    let used = outcomes().filter(|outcome| matches!(outcome, Outcome::Used(_))).count();
    let mut texts = explanation.to_string();
    match config.resolve(resource).await {
        Ok(found) => assert_eq!(used, usize::from(found.is_some()), "{explanation}"),
        Err(error) => {
            assert_eq!(used, 0, "{explanation}");
            texts += &everything(&error);
        }
    }
    for secret in secrets {
        assert!(!texts.contains(secret), "{secret:?} in {texts}");
    }
}

/// The same file as a pull secret: the first of all that match is the one.
async fn pull(path: &Path, resource: &Resource, secrets: &[String]) {
    let keychain = PullSecrets::new([path]);
    match (keychain.matching(resource).await, keychain.resolve(resource).await) {
        (Ok(all), Ok(None)) => assert!(all.is_empty()),
        (Ok(all), Ok(Some(first))) => {
            assert_eq!(all.first(), first.credential().await.ok().as_ref());
        }
        (Err(error), Err(_)) => {
            let text = everything(&error);
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
        }
        (all, resolved) => panic!("{all:?}, but {resolved:?}"),
    }
}

/// A log-in is found again, and nothing else has changed; a log-out takes it away.
async fn log_in_and_out(
    path: &Path,
    config: &DockerConfig,
    environment: &Environment,
    before: &[u8],
) {
    let wanted = resource("test.io/a/b");
    let credential = Credential::basic("someone", "a password that nobody else has");
    let logins = Logins::file(path, environment);
    match logins.save(&wanted, &credential).await {
        Ok(Kept::InFile(_)) => {}
        kept => {
            assert_eq!(std::fs::read(path).expect("the file"), before, "a failure changes nothing");
            let is_null = before.trim_ascii().ends_with(b"null");
            let stuck = kept.is_err_and(|error| error.to_string().ends_with("cannot be changed"));
            assert!(is_null || !stuck, "what can be read can be changed");
            return;
        }
    }
    let found = config.resolve(&wanted).await.expect("a file that was just written");
    let found = found.expect("a log-in").credential().await.expect("a credential");
    assert_eq!(found, credential);
    let after = std::fs::read(path).expect("the file");
    assert_eq!(others(&after), others(before));

    assert!(logins.remove(&wanted).await.expect("a log-out"));
    if let Ok(Some(left)) = config.resolve(&wanted).await {
        assert_ne!(left.credential().await.expect("a credential"), credential);
    }
    assert_eq!(others(&std::fs::read(path).expect("the file")), others(before));
}

/// The document without what may mean `test.io/a/b`.
fn others(document: &[u8]) -> Value {
    let text = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    let mut value: Value = serde_json::from_slice(text).unwrap_or_default();
    if value.is_null() {
        value = Value::Object(serde_json::Map::new());
    }
    let fields = value.as_object_mut().expect("an object");
    let auths = fields.entry("auths").or_insert(Value::Null);
    match auths {
        Value::Object(entries) => {
            entries.retain(|key, _| !key.to_lowercase().contains("test.io/a/b"));
        }
        _ => *auths = Value::Object(serde_json::Map::new()),
    }
    value
}

/// Secrets in the file that are not also written where no secret is expected.
fn secrets(data: &[u8]) -> Vec<String> {
    fn walk(name: &str, value: &Value, secrets: &mut Vec<String>, public: &mut String) {
        match value {
            Value::String(text)
                if ["auth", "password", "identitytoken", "registrytoken"].contains(&name) =>
            {
                secrets.push(text.clone());
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    public.push_str(name);
                    walk(name, value, secrets, public);
                }
            }
            Value::Array(values) => {
                for value in values {
                    walk("", value, secrets, public);
                }
            }
            other => public.push_str(&other.to_string()),
        }
    }
    let (mut secrets, mut public) = (Vec::new(), String::new());
    if let Ok(value) = serde_json::from_slice(data) {
        walk("", &value, &mut secrets, &mut public);
    }
    secrets.retain(|secret| secret.len() >= 12 && !public.contains(secret.as_str()));
    secrets
}

fn resource(name: &str) -> Resource {
    if name.contains('/') {
        Resource::Repository(name.parse().expect("a repository"))
    } else {
        Resource::Registry(name.parse().expect("a registry"))
    }
}

fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &error.to_string();
        cause = error.source();
    }
    text
}
