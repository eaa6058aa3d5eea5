//! What must be true after a scenario, whatever the client is.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::{
    Action, Bound, CANARIES, Done, Expect, Limit, Outcome, PASSWORD, PROXY_PASSWORD, REPOSITORY,
    Scenario, Task,
};
use crate::layout;
use crate::origin::{Origin, Stage, holds};
use crate::registry::{Registry, Repository, TOKEN};

const INDEX_JSON: &str = "index.json";

/// How a scenario ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What went wrong; nothing means that the client passed.
    pub faults: Vec<String>,
    /// What the client returned; `None` when it met the deadline.
    pub outcome: Option<Outcome>,
    /// How long it took.
    pub elapsed: Duration,
    /// How many requests all origins saw.
    pub requests: usize,
    /// Method, target and status of every request, by origin.
    pub transcript: Vec<String>,
}

impl Verdict {
    /// Whether everything was as it must be.
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn judge(
        scenario: &Scenario,
        task: &Task,
        stage: &Stage,
        outcome: Option<Outcome>,
        elapsed: Duration,
    ) -> Self {
        let mut faults = Vec::new();
        match &outcome {
            None => faults.push(format!("no end after {} s", scenario.deadline.as_secs())),
            Some(outcome) => {
                faults.extend(ended(scenario, task, stage, outcome));
                faults.extend(secrets_shown(outcome));
                faults.extend(beside(task));
            }
        }
        faults.extend(scenario.bounds.iter().filter_map(|bound| exceeded(bound, stage)));
        faults.extend(leaked(stage));

        let mut transcript = Vec::new();
        for (name, origin) in stage.origins() {
            for seen in origin.log().seen {
                let (method, target) = (&seen.request.method, &seen.request.target);
                transcript.push(format!("{name} {method} {target} {} {}", seen.status, seen.sent));
            }
        }
        Self { faults, outcome, elapsed, requests: transcript.len(), transcript }
    }
}

/// Compares the outcome with what was expected, and looks at what was left behind.
fn ended(scenario: &Scenario, task: &Task, stage: &Stage, outcome: &Outcome) -> Vec<String> {
    let wrong = |text: String| vec![text];
    match (&scenario.expect, &outcome.result) {
        (Expect::Failure(classes), Err(failure)) => {
            let mut faults = left_behind(scenario, task, stage);
            if failure.message.trim().is_empty() {
                faults.push("failed without a word".to_owned());
            }
            let other =
                failure.class.filter(|class| !classes.is_empty() && !classes.contains(class));
            if let Some(class) = other {
                faults
                    .push(format!("failed as {class:?}, not as {classes:?}: {}", failure.message));
            }
            faults
        }
        (Expect::Failure(_), Ok(_)) => {
            let mut faults = left_behind(scenario, task, stage);
            faults.push("succeeded where it had to fail".to_owned());
            faults
        }
        (_, Err(failure)) => wrong(format!("failed: {}", failure.message)),
        (Expect::Accepted, Ok(_)) => Vec::new(),
        (Expect::Tags(expected), Ok(done)) => {
            let tags = expected.iter().map(|tag| (*tag).to_owned()).collect();
            if *done == Done::Tags(tags) {
                Vec::new()
            } else {
                wrong(format!("wrong tags: {done:?}"))
            }
        }
        (Expect::Success, Ok(done)) => match scenario.action {
            Action::Pull => fetched(scenario, task),
            Action::Push => arrived(scenario, stage),
            Action::ListTags => Vec::new(),
            Action::Digest if *done == Done::Digest(scenario.image.manifest.digest.clone()) => {
                Vec::new()
            }
            Action::Digest => wrong(format!("wrong digest: {done:?}")),
        },
    }
}

fn fetched(scenario: &Scenario, task: &Task) -> Vec<String> {
    let present = match layout::verified_blobs(&task.layout) {
        Ok(present) => present,
        Err(error) => return vec![format!("unverified content: {error}")],
    };
    let manifest = &scenario.image.manifest.digest;
    let mut wanted: BTreeSet<_> = scenario.image.blobs().map(|blob| blob.digest.clone()).collect();
    wanted.insert(manifest.clone());
    let mut faults: Vec<_> =
        wanted.difference(&present).map(|digest| format!("{digest} was not fetched")).collect();
    match layout::entries(&task.layout) {
        Ok(entries) => {
            let listed: Vec<_> = entries.iter().filter_map(|e| e.get("digest")?.as_str()).collect();
            let mut expected = digests_in(prepared_index(scenario).unwrap_or_default());
            expected.push(manifest.clone());
            if listed != expected {
                faults.push(format!("index.json lists {listed:?}, not {expected:?}"));
            }
        }
        Err(error) => faults.push(format!("index.json: {error}")),
    }
    faults
}

fn arrived(scenario: &Scenario, stage: &Stage) -> Vec<String> {
    let registry = stage.origin("A").map(Origin::registry).unwrap_or_default();
    let Some(repository) = registry.repository(REPOSITORY) else {
        return vec!["nothing arrived".to_owned()];
    };
    let blobs = scenario
        .image
        .blobs()
        .filter(|blob| repository.blobs.get(&blob.digest) != Some(&blob.bytes));
    let mut faults: Vec<_> = blobs.map(|blob| format!("{} did not arrive", blob.digest)).collect();
    let manifest = repository.find(&scenario.reference);
    if manifest.map(|(_, (_, bytes))| bytes) != Some(&scenario.image.manifest.bytes) {
        faults.push("the manifest did not arrive under its tag".to_owned());
    }
    faults.extend(unlisted(scenario, &registry, repository));
    faults
}

/// What refers to another manifest is found by that one, and so is what referred to it before.
fn unlisted(scenario: &Scenario, registry: &Registry, repository: &Repository) -> Vec<String> {
    let Some(subject) = &subject_to_list(scenario, registry) else { return Vec::new() };
    let before = scenario.origins.first().map(|(_, script)| script.stock());
    let before = before.and_then(|before| before.repository(REPOSITORY));
    let mut wanted = before.map(|before| before.listed(subject)).unwrap_or_default();
    wanted.push(scenario.image.manifest.digest.clone());
    let listed = repository.listed(subject);
    let missing = wanted.iter().filter(|digest| !listed.contains(digest));
    missing.map(|digest| format!("{digest} is not listed as a referrer")).collect()
}

/// What the image refers to, where listing that is up to the client.
fn subject_to_list(scenario: &Scenario, registry: &Registry) -> Option<String> {
    let manifest: Value = serde_json::from_slice(&scenario.image.manifest.bytes).ok()?;
    let subject = manifest.pointer("/subject/digest")?.as_str()?;
    (!registry.keeps_referrers()).then(|| subject.to_owned())
}

fn left_behind(scenario: &Scenario, task: &Task, stage: &Stage) -> Vec<String> {
    match task.action {
        Action::Pull => left_in_layout(scenario, task),
        Action::Push => left_at_registry(scenario, stage),
        Action::ListTags | Action::Digest => Vec::new(),
    }
}

/// After a failed push: the tag names what it named before, and no upload is open. Only the list of referrers comes after the tag.
fn left_at_registry(scenario: &Scenario, stage: &Stage) -> Vec<String> {
    let registry = stage.origin("A").map(Origin::registry).unwrap_or_default();
    let named = |registry: &Registry| {
        let (digest, _) = registry.repository(REPOSITORY)?.find(&scenario.reference)?;
        Some(digest.to_owned())
    };
    let before = scenario.origins.first().and_then(|(_, script)| named(script.stock()));
    let mut faults = Vec::new();
    if named(&registry) != before && subject_to_list(scenario, &registry).is_none() {
        faults.push(format!("the failed push is there as {}", scenario.reference));
    }
    if registry.open_uploads() > 0 {
        faults.push(format!("{} uploads were left open", registry.open_uploads()));
    }
    faults
}

/// After a failed pull: no file whose name claims what its content is not, and in the index what was there before.
fn left_in_layout(scenario: &Scenario, task: &Task) -> Vec<String> {
    let mut faults = Vec::new();
    if let Err(error) = layout::verified_blobs(&task.layout) {
        faults.push(format!("unverified content was left behind: {error}"));
    }
    if let Some(before) = prepared_index(scenario) {
        let after = fs::read(task.layout.join(INDEX_JSON)).ok();
        if after.is_none_or(|after| after != before) {
            faults.push("index.json is not what it was".to_owned());
        }
        return faults;
    }
    match layout::entries(&task.layout) {
        Ok(entries) if entries.is_empty() => {}
        Ok(_) => faults.push("the failed pull is listed in index.json".to_owned()),
        Err(error) => faults.push(format!("index.json was left broken: {error}")),
    }
    faults
}

/// The index that was in the layout before the client came.
fn prepared_index(scenario: &Scenario) -> Option<&[u8]> {
    let index = scenario.prepared.iter().find(|(path, _)| path == INDEX_JSON);
    index.map(|(_, content)| &content[..])
}

fn digests_in(index: &[u8]) -> Vec<String> {
    let index = serde_json::from_slice::<Value>(index).unwrap_or_default();
    let entries = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.get("digest")?.as_str()?.to_owned())).collect()
}

/// Whatever was pulled, nothing but the layout is touched: no file beside it, whatever content is called.
fn beside(task: &Task) -> Vec<String> {
    let around = task.layout.parent().and_then(|around| fs::read_dir(around).ok());
    let names = around.into_iter().flatten().flatten().map(|entry| entry.path());
    let own = [&task.layout, &task.scratch];
    let strange = names.filter(|path| !own.contains(&path));
    strange.map(|path| format!("{} was left beside the layout", path.display())).collect()
}

fn secrets_shown(outcome: &Outcome) -> Vec<String> {
    let message = outcome.result.as_ref().err().map_or("", |failure| failure.message.as_str());
    let shown = |canary: &&&str| holds(&outcome.said, canary) || holds(message, canary);
    let secrets = [PASSWORD, TOKEN, PROXY_PASSWORD];
    secrets.iter().filter(shown).map(|canary| format!("{canary} was shown")).collect()
}

fn leaked(stage: &Stage) -> Vec<String> {
    let leaks = stage.origin("B").map(|origin| origin.log().leaks(&CANARIES)).unwrap_or_default();
    let of_proxy = stage.origins().flat_map(|(_, origin)| origin.log().leaks(&[PROXY_PASSWORD]));
    let describe = |leak: crate::origin::Leak| {
        format!("another origin received {} in {}", leak.canary, leak.place)
    };
    let places: BTreeSet<_> = leaks.into_iter().chain(of_proxy).map(describe).collect();
    places.into_iter().collect()
}

fn exceeded(bound: &Bound, stage: &Stage) -> Option<String> {
    let Bound { origin, method, path, limit } = bound;
    let log = stage.origin(origin)?.log();
    let what = format!("{method} {path} at {origin}");
    match limit {
        Limit::Requests(range) => {
            let count = log.count(method, path);
            (!range.contains(&count)).then(|| format!("{what}: {count} requests, not {range:?}"))
        }
        Limit::SentAtMost(most) => {
            let sent: u64 = log.requests(method, path).map(|seen| seen.sent).sum();
            (sent > *most).then(|| format!("{what}: {sent} bytes, more than {most}"))
        }
        Limit::PauseAtLeast(least) => {
            let mut at = log.requests(method, path).map(|seen| seen.at);
            let pause = at.next().zip(at.next()).map(|(first, second)| second - first);
            pause.filter(|pause| pause < least).map(|pause| {
                format!(
                    "{what}: tried again after {} ms, before {} ms",
                    pause.as_millis(),
                    least.as_millis()
                )
            })
        }
    }
}
