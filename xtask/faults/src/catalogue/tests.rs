mod required;

use std::collections::BTreeSet;

use super::*;
use crate::scenario::{Client, Done, Failure, Outcome, Task};

#[test]
fn names_are_unique_and_identifiers_well_formed() {
    let all = all();
    let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), all.len());
    for scenario in &all {
        assert_eq!(scenario.origins.first().map(|(name, _)| *name), Some("A"), "{}", scenario.name);
        assert!(!scenario.ids.is_empty(), "{}", scenario.name);
        for id in scenario.ids {
            let (chapter, number) = id.split_at(1);
            assert!("DHMIREATUPLGNFCX".contains(chapter) && number.len() == 2, "{id}");
        }
    }
}

/// Gives up before it asks for anything.
struct Lazy;

impl Client for Lazy {
    async fn run(&self, _: &Task) -> Outcome {
        let failure = Failure { class: None, message: "not today".into() };
        Outcome { result: Err(failure), said: String::new() }
    }
}

/// Says that everything worked.
struct Liar;

impl Client for Liar {
    async fn run(&self, task: &Task) -> Outcome {
        let done = match task.action {
            Action::Digest => Done::Digest("sha256:0".into()),
            Action::ListTags => Done::Tags(vec!["no".into()]),
            Action::Pull | Action::Push => Done::Moved,
        };
        Outcome { result: Ok(done), said: String::new() }
    }
}

#[tokio::test]
async fn doing_nothing_passes_no_scenario_that_expects_success() {
    for scenario in all() {
        let verdict = scenario.play(&Lazy).await.unwrap();
        let expects_failure = matches!(scenario.expect, Expect::Failure(_));
        assert!(expects_failure || !verdict.passed(), "{}", scenario.name);
    }
}

#[tokio::test]
async fn claiming_success_passes_no_scenario_at_all() {
    for scenario in all() {
        let verdict = scenario.play(&Liar).await.unwrap();
        assert!(!verdict.passed(), "{}", scenario.name);
    }
}
