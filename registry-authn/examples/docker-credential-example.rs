//! A credential helper for tests and demonstrations. What it does depends on the name that it is run by
//! (a link to it), so that one program can play every part.
//!
//! `docker-credential-echo` knows the user `user-<server>` with the secret `sec` for every server.

use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode};
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("docker-credential-").unwrap_or(name);
    // A name that is fixed, but not what it does.
    let played = std::env::var("HELPER_PLAYS").ok();
    let name = played.as_deref().unwrap_or(name);
    let action = arguments.collect::<Vec<_>>().join(" ");
    let mut input = String::new();
    let _ = std::io::stdin().read_to_string(&mut input);
    log(name, &action, &input);
    let mut out = std::io::stdout().lock();
    match name {
        "echo" | "ecr-login" | "acr-env" => {
            let user = format!("user-{input}");
            let _ =
                writeln!(out, r#"{{"ServerURL":"{input}","Username":"{user}","Secret":"sec"}}"#);
        }
        "lower" => drop(out.write_all(br#"{"serverurl":"x","username":"lu","secret":"ls"}"#)),
        // A variable that cargo gives to tests, and no test passes on.
        "environment" if std::env::var_os("CARGO_MANIFEST_DIR").is_some() => {
            return ExitCode::from(65);
        }
        "nourl" | "environment" => drop(out.write_all(br#"{"Username":"u","Secret":"s"}"#)),
        "nouser" => drop(out.write_all(br#"{"ServerURL":"x","Username":"","Secret":"canary"}"#)),
        "empty" => drop(out.write_all(br#"{"ServerURL":"","Username":"","Secret":""}"#)),
        "token" => drop(out.write_all(br#"{"Username":"<token>","Secret":"idtok"}"#)),
        "garbage" => drop(out.write_all(b"canary-secret in plain text")),
        "two" => drop(out.write_all(br#"{"Username":"u","Secret":"canary"}{"Username":"v"}"#)),
        "partial" => drop(out.write_all(br#"{"Username":"u","Secret":"canary"#)),
        "number" => drop(out.write_all(br#"{"Username":"u","Secret":12345}"#)),
        "nooutput" => {}
        "notfound" => {
            let _ = out.write_all(b"credentials not found in native keychain\n");
            return ExitCode::from(1);
        }
        "fail" => {
            let _ = out.write_all(b"canary on stdout\n");
            let _ = std::io::stderr().write_all(b"canary on stderr\n");
            return ExitCode::from(3);
        }
        "yes" => while out.write_all(b"canary canary canary canary\n").is_ok() {},
        "hang" => hang(),
        "leave-child" => {
            // Like a helper that starts an agent, which inherits its output.
            drop(out.write_all(br#"{"Username":"u","Secret":"s"}"#));
            let _ = out.flush();
            start_child();
        }
        "gcloud" if action == "config config-helper --format=json(credential)" => return gcloud(),
        "memory" => return memory(&action, &input),
        _ => return ExitCode::from(64),
    }
    ExitCode::SUCCESS
}

/// Appends what was asked to the file that the variable `HELPER_LOG` names.
fn log(name: &str, action: &str, input: &str) {
    let Some(path) = std::env::var_os("HELPER_LOG") else { return };
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
        let _ = file.write_all(format!("{name} {action} {input}\n").as_bytes());
    }
}

/// Answers what is in the file that the variable `GCLOUD_ANSWER` names, and fails if there is none.
fn gcloud() -> ExitCode {
    let answer = std::env::var_os("GCLOUD_ANSWER").map(std::fs::read);
    let Some(Ok(answer)) = answer else {
        let _ = std::io::stdout().write_all(b"canary");
        return ExitCode::from(1);
    };
    let _ = std::io::stdout().write_all(&answer);
    ExitCode::SUCCESS
}

/// Never answers, and has a child that would never end either.
fn hang() {
    start_child();
    std::thread::sleep(Duration::from_secs(600));
}

fn start_child() {
    let child = Command::new("sleep").arg("600").stdin(std::process::Stdio::null()).spawn();
    if let (Ok(child), Some(path)) = (child, std::env::var_os("HELPER_CHILD")) {
        let _ = std::fs::write(path, child.id().to_string());
    }
}

/// Keeps one file for each server in the directory that the variable `HELPER_STORE` names.
fn memory(action: &str, input: &str) -> ExitCode {
    let Some(directory) = std::env::var_os("HELPER_STORE").map(std::path::PathBuf::from) else {
        return ExitCode::from(64);
    };
    let file = |server: &str| {
        // A server has slashes; a file name has none.
        directory.join(server.replace('%', "%25").replace('/', "%2f"))
    };
    let server = |document: &serde_json::Value| document["ServerURL"].as_str().map(str::to_owned);
    match action {
        "store" => {
            let document: serde_json::Value = serde_json::from_str(input).unwrap_or_default();
            let Some(server) = server(&document) else { return ExitCode::from(2) };
            let written = std::fs::write(file(&server), input);
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(3) }
        }
        "get" => {
            let (answer, code) = match std::fs::read(file(input)) {
                Ok(document) => (document, ExitCode::SUCCESS),
                Err(_) => (b"credentials not found in native keychain".to_vec(), ExitCode::from(1)),
            };
            let _ = std::io::stdout().write_all(&answer);
            code
        }
        "erase" => {
            let _ = std::fs::remove_file(file(input));
            ExitCode::SUCCESS
        }
        "list" => {
            let mut users = serde_json::Map::new();
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                if let Some(server) = server(&document) {
                    users.insert(server, document["Username"].clone());
                }
            }
            let _ =
                std::io::stdout().write_all(serde_json::Value::from(users).to_string().as_bytes());
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(64),
    }
}
