//! Registries that say one digest and mean another.

use super::stocked;
use crate::content::{Image, MANIFEST, sha256};
use crate::origin::{Reply, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Class, Expect, REPOSITORY, Scenario, TAG};

const INTEGRITY: Expect = Expect::Failure(&[Class::Integrity]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let digest = Image::small().manifest.digest;
    let path = format!("*/manifests/{digest}");
    let other = sha256(b"something else");
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
        Scenario::new(
            &["I03"],
            "head-vouches",
            "HEAD vouches for a digest that GET answers with something else",
        )
        .with_rules([
            on("HEAD", "*/manifests/*").always(
                Reply::new(200)
                    .header("Content-Type", MANIFEST)
                    .header("Docker-Content-Digest", other.clone())
                    .header("Content-Length", "1000"),
            ),
            on("GET", "*/manifests/*").always(
                Reply::new(200)
                    .header("Content-Type", MANIFEST)
                    .body(Image::small().manifest.bytes),
            ),
        ])
        .of(&other)
        .expecting(INTEGRITY),
        Scenario::new(
            &["I08"],
            "digest-header-other-algorithm",
            "A digest is answered with the right bytes, and a sha512 of others",
        )
        .with_rules([on("GET", &path).always(
            Reply::registry()
                .header("Docker-Content-Digest", format!("sha512:{}", "0".repeat(128))),
        )])
        .of(&digest)
        .expecting(INTEGRITY),
        {
            let image = Image::small().with_manifest(|manifest| {
                let mut twice = manifest["layers"][0].clone();
                twice["size"] = 1.into();
                if let Some(layers) = manifest["layers"].as_array_mut() {
                    layers.push(twice);
                }
            });
            let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
            Scenario::new(&["I12"], "two-sizes", "One digest has two sizes in one image")
                .at("A", Script::registry(registry))
                .expecting(Expect::Failure(&[]))
                .requests("A", "*", "*/blobs/*", 0..=0)
        },
        Scenario::new(&["I10"], "pull-by-digest", "Pull by digest asks for that digest")
            .at("A", Script::registry(stocked()))
            .of(&digest)
            .requests("A", "*", "*/manifests/v1", 0..=0),
    ]
}
