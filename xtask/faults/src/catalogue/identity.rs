//! Registries that say one digest and mean another.

use super::stocked;
use crate::content::{Blob, Image, MANIFEST, sha256};
use crate::origin::{Length, Reply, Rule, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Class, Expect, REPOSITORY, Scenario, TAG};

const INTEGRITY: Expect = Expect::Failure(&[Class::Integrity]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let digest = Image::small().manifest.digest;
    let path = format!("*/manifests/{digest}");
    let other = sha256(b"something else");
    let lie = Reply::registry().header("Docker-Content-Digest", sha256(b"something else"));
    let mut all = vec![
        Scenario::new(
            &["I01"],
            "digest-header-lies",
            "Docker-Content-Digest of a tag is not the body's",
        )
        .with_rules([on("*", "*/manifests/*").always(lie)])
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
        Scenario::new(&["I09"], "digest-header-empty", "Docker-Content-Digest is there and empty")
            .with_rules([on("*", "*/manifests/*")
                .always(Reply::registry().header("Docker-Content-Digest", ""))]),
        Scenario::new(
            &["I11"],
            "push-answers-other-digest",
            "A manifest PUT is answered with another digest",
        )
        .at(
            "A",
            Script::new().rule(
                on("PUT", "*/manifests/*")
                    .always(Reply::new(201).header("Docker-Content-Digest", other.clone())),
            ),
        )
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
    ];
    all.extend(heads());
    all.extend(by_sha512());
    all
}

/// A HEAD that is refused or lies is followed by a GET.
fn heads() -> Vec<Scenario> {
    let head = |name, title, reply: Reply| {
        Scenario::new(&["I04"], name, title)
            .with_rules([on("HEAD", "*").always(reply)])
            .asked_to(Action::Digest)
    };
    let lies = |length: u64| Reply::registry().length(Length::Claimed(length));
    let body = Reply::raw(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\nContent-Length: 5\r\n\r\n12345"
    ));
    vec![
        head(
            "head-without-digest",
            "HEAD does not give a digest",
            Reply::registry().without_header("docker-content-digest"),
        ),
        head(
            "head-without-length",
            "HEAD does not give a length",
            Reply::registry().length(Length::Absent),
        ),
        head("head-of-wrong-length", "HEAD gives another length, and no digest", {
            lies(5).without_header("docker-content-digest")
        }),
        head("head-not-allowed", "HEAD is answered with 405", Reply::new(405)),
        head("head-not-found", "HEAD is answered with 404, and GET is not", Reply::new(404)),
        head("head-forbidden", "HEAD is answered with 403, and GET is not", Reply::new(403)),
        head("head-not-implemented", "HEAD is answered with 501", Reply::new(501)),
        head("head-with-body", "HEAD is answered with a body, and no digest", body),
    ]
}

/// An image of which everything is named by sha512.
fn by_sha512() -> Vec<Scenario> {
    let image = Image::small();
    let config = image.config.by_sha512();
    let layers = image.layers.into_iter().map(Blob::by_sha512).collect();
    let mut image = Image::of(config, layers);
    image.manifest = image.manifest.by_sha512();
    let scenario = |name, title, rule: Rule| {
        let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
        Scenario::new(&["I05"], name, title)
            .at("A", Script::registry(registry).rule(rule))
            .with_image(image.clone())
    };
    let none = || on("GET", "/none");
    let flipped = || Reply::registry().flip_bit(0);
    vec![
        scenario("sha512", "Configuration and layers are named by sha512", none()),
        scenario("sha512-by-digest", "An image is asked for by its sha512", none())
            .of(&image.manifest.digest),
        scenario("sha512-of-other-bytes", "A layer is not what its sha512 says", {
            on("GET", "*/blobs/sha512:*").always(flipped())
        })
        .expecting(INTEGRITY),
        scenario("sha512-of-another-manifest", "An image is not what its sha512 says", {
            on("GET", "*/manifests/sha512:*").always(flipped())
        })
        .of(&image.manifest.digest)
        .expecting(INTEGRITY),
    ]
}
