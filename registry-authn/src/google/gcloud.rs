//! Asks Google's command-line tool for an access token.

use std::time::SystemTime;

use serde_json::Value;

use super::{Secret, timestamp};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::process::{PATIENCE, Program};
use crate::secret::wipe;

const PROGRAM: &str = "gcloud";
const ARGUMENTS: [&str; 3] = ["config", "config-helper", "--format=json(credential)"];

pub(super) struct Answer {
    pub(super) token: Secret,
    pub(super) expiry: Option<SystemTime>,
}

/// `None` where it is not installed.
pub(super) async fn ask(environment: &Environment) -> Result<Option<Answer>, Error> {
    let Some(program) = Program::find(PROGRAM, environment) else { return Ok(None) };
    let answer = program.run(PROGRAM, &ARGUMENTS, b"", environment, PATIENCE).await?;
    if !answer.success {
        let error = Error::new(ErrorKind::Helper, PROGRAM, format!("failed: {}", answer.status));
        return Err(error.with_hint(
            "log in with `gcloud auth login`; `gcloud config config-helper` shows what is wrong",
        ));
    }
    let mut document = serde_json::from_slice(&answer.output).unwrap_or(Value::Null);
    let understood = understand(&document);
    wipe(&mut document);
    understood.map(Some).map_err(|what| Error::new(ErrorKind::Helper, PROGRAM, what))
}

/// `{"credential": {"access_token": …, "token_expiry": …}}`
fn understand(document: &Value) -> Result<Answer, &'static str> {
    let credential = &document["credential"];
    let token = match &credential["access_token"] {
        Value::String(token) if token.is_empty() => {
            return Err("gave an access token that is empty");
        }
        Value::String(token) => Secret::new(token.as_str()),
        _ => return Err("gave an answer that is not JSON with an access token"),
    };
    let expiry = match &credential["token_expiry"] {
        Value::Null => None,
        expiry => Some(
            expiry
                .as_str()
                .and_then(timestamp::parse)
                .ok_or("gave an access token whose expiry is not a time")?,
        ),
    };
    Ok(Answer { token, expiry })
}
