//! Programs as clients of the scenarios: a small table of command lines, and one way to run them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use registry_faults::content::base64;
use registry_faults::scenario::{
    Action, Class, Client, Done, Entry, Failure, Outcome, Scenario, Task,
};
use registry_faults::{alone, peers};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::run::{Profile, registry_binary};

/// What a program calls each task. Placeholders: `{host}`, `{repository}` (with its host), `{image}` (with its tag or digest),
/// `{layout}`, `{name}` (the tag inside the layout), `{auth}` (a Docker configuration file).
struct Table {
    name: &'static str,
    pull: &'static str,
    push: &'static str,
    tags: &'static str,
    digest: &'static str,
    /// Whether exit codes tell classes apart, as ours do.
    has_classes: bool,
}

const TABLES: [Table; 5] = [
    Table {
        name: "registry",
        pull: "pull {image} oci:{layout}:{name}",
        push: "push oci:{layout}:{name} {image}",
        tags: "ls {repository}",
        digest: "digest {image}",
        has_classes: true,
    },
    Table {
        name: "crane",
        pull: "pull --format=oci {image} {layout}",
        push: "push {layout} {image}",
        tags: "ls {repository}",
        digest: "digest {image}",
        has_classes: false,
    },
    Table {
        name: "regctl",
        pull: "--host reg={host},tls=disabled image copy {image} ocidir://{layout}:{name}",
        push: "--host reg={host},tls=disabled image copy ocidir://{layout}:{name} {image}",
        tags: "--host reg={host},tls=disabled tag ls {repository}",
        digest: "--host reg={host},tls=disabled image digest {image}",
        has_classes: false,
    },
    Table {
        name: "skopeo",
        pull: "--insecure-policy copy -q --authfile {auth} --src-tls-verify=false docker://{image} oci:{layout}:{name}",
        push: "--insecure-policy copy -q --authfile {auth} --dest-tls-verify=false oci:{layout}:{name} docker://{image}",
        tags: "list-tags --authfile {auth} --tls-verify=false docker://{repository}",
        digest: "inspect --authfile {auth} --tls-verify=false --no-tags --format {{.Digest}} docker://{image}",
        has_classes: false,
    },
    Table {
        name: "oras",
        pull: "cp --from-plain-http --from-registry-config {auth} --to-oci-layout {image} {layout}:{name}",
        push: "cp --from-oci-layout --to-plain-http --to-registry-config {auth} {layout}:{name} {image}",
        tags: "repo tags --plain-http --registry-config {auth} {repository}",
        digest: "resolve --plain-http --registry-config {auth} {image}",
        has_classes: false,
    },
];

impl Table {
    /// The command line for a task.
    fn words(&self, task: &Task, auth: &Path) -> Vec<String> {
        let template = match task.action {
            Action::Pull => self.pull,
            Action::Push => self.push,
            Action::ListTags => self.tags,
            Action::Digest => self.digest,
        };
        let name = if task.reference.contains(':') { "pulled" } else { &task.reference };
        let values = [
            ("{host}", task.registry.clone()),
            ("{repository}", format!("{}/{}", task.registry, task.repository)),
            ("{image}", task.image()),
            ("{layout}", task.layout.display().to_string()),
            ("{name}", name.to_owned()),
            ("{auth}", auth.display().to_string()),
        ];
        let fill = |word: &str| {
            values.iter().fold(word.to_owned(), |word, (key, value)| word.replace(key, value))
        };
        template.split(' ').map(fill).collect()
    }
}

/// A program that was found on this machine.
pub(super) struct Program {
    table: &'static Table,
    path: PathBuf,
}

impl Program {
    pub(super) fn find(name: &str) -> Result<Self> {
        let known = || TABLES.map(|table| table.name).join(", ");
        let table = TABLES
            .iter()
            .find(|table| table.name == name)
            .with_context(|| format!("no adapter for {name}; there are {}", known()))?;
        let path = if name == "registry" {
            registry_binary(Profile::Dev)?
        } else {
            peers::find(name).with_context(|| {
                format!(
                    "{name} is neither in target/peers nor on PATH; `cargo xtask peers` may get it"
                )
            })?
        };
        Ok(Self { table, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn command(&self, task: &Task) -> io::Result<Command> {
        let auth = task.scratch.join("config.json");
        fs::write(&auth, docker_config(task).to_string())?;
        // Nothing of the user's own may help or hinder.
        let mut command = Command::from(alone(&self.path, &task.scratch));
        command.args(self.table.words(task, &auth)).stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    fn judge(&self, task: &Task, output: &std::process::Output) -> Outcome {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let result = if output.status.success() {
            Ok(answer(task.action, stdout.trim()))
        } else {
            let class = output.status.code().filter(|_| self.table.has_classes).map(class);
            Err(Failure { class, message: stderr.trim().to_owned() })
        };
        Outcome { result, said: format!("{stdout}\n{stderr}") }
    }
}

impl Client for Program {
    fn lacks(&self, scenario: &Scenario) -> Option<String> {
        let lacks = !matches!(scenario.entry, Entry::Plain);
        lacks.then(|| "its adapter cannot tell it of certificates and proxies".to_owned())
    }

    async fn run(&self, task: &Task) -> Outcome {
        let output = match self.command(task) {
            Ok(mut command) => command.output().await,
            Err(error) => Err(error),
        };
        match output {
            Ok(output) => self.judge(task, &output),
            Err(error) => {
                let message = format!("cannot run {}: {error}", self.path.display());
                let failure = Failure { class: Some(Class::Other), message };
                Outcome { result: Err(failure), said: String::new() }
            }
        }
    }
}

fn answer(action: Action, stdout: &str) -> Done {
    match action {
        Action::Pull | Action::Push => Done::Moved,
        Action::Digest => Done::Digest(stdout.to_owned()),
        Action::ListTags => {
            let listed = serde_json::from_str::<Value>(stdout).ok();
            let tags = listed.as_ref().and_then(|listed| listed.get("Tags")?.as_array());
            Done::Tags(match tags {
                Some(tags) => {
                    tags.iter().filter_map(|tag| Some(tag.as_str()?.to_owned())).collect()
                }
                None => stdout.lines().map(str::to_owned).collect(),
            })
        }
    }
}

/// The classes behind the exit codes of `registry`.
fn class(code: i32) -> Class {
    match code {
        3 => Class::NotFound,
        4 => Class::Denied,
        5 => Class::RateLimited,
        6 => Class::Integrity,
        7 => Class::Network,
        _ => Class::Other,
    }
}

fn docker_config(task: &Task) -> Value {
    match &task.login {
        None => json!({ "auths": {} }),
        Some((user, password)) => {
            let auth = base64(format!("{user}:{password}").as_bytes());
            json!({ "auths": { &task.registry: { "auth": auth } } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(action: Action, reference: &str) -> Task {
        Task {
            action,
            registry: "127.0.0.1:5000".into(),
            settings: None,
            repository: "real/app".into(),
            reference: reference.into(),
            login: Some(("user".into(), "password".into())),
            layout: "/tmp/layout".into(),
            scratch: "/tmp/scratch".into(),
        }
    }

    fn line(name: &str, action: Action, reference: &str) -> String {
        let table = TABLES.iter().find(|table| table.name == name).unwrap();
        table.words(&task(action, reference), Path::new("/auth")).join(" ")
    }

    #[test]
    fn every_placeholder_of_every_table_is_filled() {
        for table in &TABLES {
            for action in [Action::Pull, Action::Push, Action::ListTags, Action::Digest] {
                let line = line(table.name, action, "v1");
                let rest = line.replace("{{.Digest}}", "");
                assert!(!rest.contains(['{', '}']) && rest.contains("127.0.0.1:5000"), "{line}");
            }
        }
    }

    #[test]
    fn a_pull_by_digest_has_a_name_in_the_layout() {
        assert_eq!(
            line("registry", Action::Pull, "sha256:00"),
            "pull 127.0.0.1:5000/real/app@sha256:00 oci:/tmp/layout:pulled"
        );
        assert_eq!(
            line("crane", Action::Push, "v1"),
            "push /tmp/layout 127.0.0.1:5000/real/app:v1"
        );
    }

    #[test]
    fn tags_are_read_from_lines_and_from_json() {
        let tags = Done::Tags(vec!["a".into(), "b".into()]);
        assert_eq!(answer(Action::ListTags, "a\nb"), tags);
        assert_eq!(answer(Action::ListTags, r#"{"Repository":"x","Tags":["a","b"]}"#), tags);
    }

    #[test]
    fn the_password_is_in_the_configuration_file_and_in_no_command_line() {
        let config = docker_config(&task(Action::Pull, "v1"));
        assert_eq!(config["auths"]["127.0.0.1:5000"]["auth"], "dXNlcjpwYXNzd29yZA==");
        for table in &TABLES {
            assert!(!line(table.name, Action::Pull, "v1").contains("password"));
        }
    }
}
