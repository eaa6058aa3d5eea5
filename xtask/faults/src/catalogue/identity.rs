//! Registries that say one digest and mean another.

use super::stocked;
use crate::content::{Image, sha256};
use crate::origin::{Reply, Script, on};
use crate::scenario::{Action, Class, Expect, Scenario};

const INTEGRITY: Expect = Expect::Failure(&[Class::Integrity]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let digest = Image::small().manifest.digest;
    let path = format!("*/manifests/{digest}");
    let lie = Reply::registry().header("Docker-Content-Digest", sha256(b"something else"));
    vec![
        Scenario::new(
            &["I01"],
            "digest-header-lies",
            "Docker-Content-Digest of a tag is not the body's",
        )
        .with_rules([on("*", "*/manifests/*").always(lie.clone())])
        .expecting(INTEGRITY),
        Scenario::new(
            &["I02"],
            "other-manifest-for-digest",
            "A digest is answered with another manifest",
        )
        .with_rules([on("GET", &path)
            .always(Reply::registry().append(&b"\n"[..]).without_header("docker-content-digest"))])
        .of(&digest)
        .expecting(INTEGRITY),
        Scenario::new(&["I04"], "head-without-digest", "HEAD does not give a digest")
            .with_rules([
                on("HEAD", "*").always(Reply::registry().without_header("docker-content-digest"))
            ])
            .asked_to(Action::Digest),
        Scenario::new(&["I04"], "head-not-allowed", "HEAD is answered with 405")
            .with_rules([on("HEAD", "*").always(Reply::new(405))])
            .asked_to(Action::Digest),
        Scenario::new(&["I09"], "digest-header-empty", "Docker-Content-Digest is there and empty")
            .with_rules([on("*", "*/manifests/*")
                .always(Reply::registry().header("Docker-Content-Digest", ""))]),
        Scenario::new(
            &["I11"],
            "push-answers-other-digest",
            "A manifest PUT is answered with another digest",
        )
        .at("A", Script::new().rule(on("PUT", "*/manifests/*").always(lie)))
        .asked_to(Action::Push)
        .expecting(Expect::Failure(&[])),
        Scenario::new(&["I10"], "pull-by-digest", "Pull by digest asks for that digest")
            .at("A", Script::registry(stocked()))
            .of(&digest)
            .requests("A", "*", "*/manifests/v1", 0..=0),
    ]
}
