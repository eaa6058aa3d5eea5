//! Manifests and error bodies that are too long, or something else.

use serde_json::{Value, json};

use crate::content::{Image, MANIFEST};
use crate::origin::{Length, Reply, Rule, Script, on};
use crate::registry::Registry;
use crate::scenario::{Class, Expect, REPOSITORY, Scenario, TAG};

const ANY: Expect = Expect::Failure(&[]);
const PATH: &str = "*/manifests/*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = bodies();
    all.extend(contradictions());
    all
}

fn bodies() -> Vec<Scenario> {
    let manifest = Image::small().manifest;
    let media_type = manifest.media_type.as_str();
    vec![
        Scenario::new(&["M01"], "manifest-claims-4-gib", "A manifest announces 4 GiB")
            .with_rules([every(
                Reply::new(200).header("Content-Type", media_type).length(Length::Claimed(4 << 30)),
            )])
            .expecting(ANY),
        Scenario::new(&["M02"], "manifest-endless", "A manifest goes on with spaces for ever")
            .with_rules([every(
                Reply::new(200)
                    .header("Content-Type", media_type)
                    .endless(manifest.bytes.clone(), &b" "[..]),
            )])
            .expecting(ANY)
            .sent("A", "GET", PATH, 24 * 1024 * 1024),
        Scenario::new(&["M03"], "error-body-endless", "A 404 has a body without an end")
            .with_rules([every(Reply::new(404).endless(&b""[..], &b"e"[..]))])
            .expecting(Expect::Failure(&[Class::NotFound]))
            .sent("A", "GET", PATH, 24 * 1024 * 1024),
        Scenario::new(&["M06"], "manifest-is-html", "A manifest's address answers with a web page")
            .with_rules([every(
                Reply::new(200)
                    .header("Content-Type", "text/html")
                    .text("<html><body>Please log in</body></html>"),
            )])
            .expecting(ANY),
        Scenario::new(
            &["M06"],
            "manifest-is-error",
            "A manifest's address answers 200 with an error document",
        )
        .with_rules([every(
            Reply::new(200)
                .header("Content-Type", "application/json")
                .text(r#"{"errors":[{"code":"UNKNOWN","message":"something broke"}]}"#),
        )])
        .expecting(ANY),
        Scenario::new(&["M07"], "manifest-nested", "A manifest is 100 000 brackets deep")
            .with_rules([every(
                Reply::new(200).header("Content-Type", media_type).body("[".repeat(100_000)),
            )])
            .expecting(ANY),
        Scenario::new(
            &["M13"],
            "manifest-with-parameters",
            "A manifest's Content-Type has parameters and capitals",
        )
        .with_rules([on("*", PATH).always(
            Reply::registry().header(
                "Content-Type",
                "Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8",
            ),
        )]),
    ]
}

/// Manifests whose bytes are intact and whose content is not.
fn contradictions() -> Vec<Scenario> {
    type Change = fn(&mut Value);
    let broken = |ids, name, title, change: Change| {
        let image = Image::small().with_manifest(change);
        let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
        Scenario::new(ids, name, title).at("A", Script::registry(registry)).expecting(ANY)
    };
    let other = Image::small().with_manifest(|manifest| {
        manifest["annotations"] = json!({ "org.example": "another" });
    });
    let moved = Reply::new(200)
        .header("Content-Type", MANIFEST)
        .header("Docker-Content-Digest", &other.manifest.digest)
        .body(other.manifest.bytes);
    vec![
        broken(&["M11"], "size-negative", "A layer's size is -1", |manifest| {
            manifest["layers"][0]["size"] = (-1).into();
        }),
        broken(&["M11"], "size-in-quotes", "A layer's size is a string", |manifest| {
            manifest["layers"][0]["size"] = "7".into();
        }),
        broken(&["M11"], "size-missing", "A layer has no size", |manifest| {
            manifest["layers"][0] = json!({ "digest": manifest["layers"][0]["digest"] });
        }),
        broken(
            &["I06"],
            "digest-unsupported",
            "A layer's digest is of an algorithm that proves nothing",
            |manifest| {
                manifest["layers"][0]["digest"] = "md5:d41d8cd98f00b204e9800998ecf8427e".into();
            },
        ),
        broken(
            &["I07"],
            "digest-is-a-path",
            "A layer's digest leads out of the layout",
            |manifest| {
                manifest["layers"][0]["digest"] = "sha256:../../../etc/passwd".into();
            },
        ),
        broken(
            &["M12"],
            "image-and-index",
            "A manifest is an image and an index at once",
            |manifest| {
                manifest["manifests"] = json!([]);
            },
        ),
        Scenario::new(&["M16"], "tag-moves", "The tag moves between two requests of one pull")
            .with_rules([
                on("GET", "*/manifests/v1").times(1, Reply::registry()),
                on("GET", "*/manifests/v1").always(moved),
            ]),
    ]
}

/// GET and HEAD alike.
fn every(reply: Reply) -> Rule {
    on("*", PATH).always(reply)
}
