//! Manifests and error bodies that are too long, or something else.

use serde_json::{Value, json};

use crate::content::{Blob, INDEX, Image, MANIFEST};
use crate::origin::{Length, Reply, Rule, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Class, Expect, REPOSITORY, Scenario, TAG};

const ANY: Expect = Expect::Failure(&[]);
const PATH: &str = "*/manifests/*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = bodies();
    all.extend(types());
    all.extend(contradictions());
    all.extend(texts());
    all.extend(kinds());
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
    ]
}

/// Where a registry's word on the type is of no use, the manifest's own counts.
fn types() -> Vec<Scenario> {
    let sent = |name, title, reply: Reply| {
        Scenario::new(&["M13"], name, title).with_rules([on("*", PATH).always(reply)])
    };
    let says = |media_type: &str| Reply::registry().header("Content-Type", media_type);
    let unnamed = Image::small().with_manifest(|manifest| {
        if let Some(fields) = manifest.as_object_mut() {
            fields.remove("mediaType");
            fields.remove("config");
        }
    });
    let nameless =
        Reply::new(200).header("Content-Type", "text/plain").body(unnamed.manifest.bytes);
    vec![
        sent(
            "manifest-with-parameters",
            "A manifest's Content-Type has parameters and capitals",
            says("Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8"),
        ),
        sent(
            "manifest-without-type",
            "A manifest has no Content-Type",
            Reply::registry().without_header("content-type"),
        ),
        sent("manifest-as-text", "A manifest's Content-Type is that of a text", says("text/plain")),
        sent("manifest-as-json", "A manifest's Content-Type is that of any JSON", {
            says("application/json; charset=utf-8")
        }),
        sent("manifest-of-no-type", "Nothing says of what type a manifest is", nameless)
            .expecting(ANY),
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
            &["I07", "F01"],
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

/// Manifests whose text is odd, some of them acceptable.
fn texts() -> Vec<Scenario> {
    let small = Image::small();
    let text = String::from_utf8_lossy(&small.manifest.bytes).into_owned();
    let of = |ids, name, title, bytes: String| {
        let manifest = Blob::new(MANIFEST, bytes);
        serving(Scenario::new(ids, name, title), Image { manifest, ..Image::small() })
    };
    let after_brace = |more: &str| text.replacen('{', &format!("{{{more}"), 1);
    let odd = format!("\n  {}\n\n", after_brace(r#" "x-unknown" : {"b":1.0e5, "a":[]} ,"#));
    let annotated = |ids, name, title, change: fn(&mut Value)| {
        serving(Scenario::new(ids, name, title), Image::small().with_manifest(change))
    };
    let digest = &small.manifest.digest;
    vec![
        of(&["M08"], "layers-twice", "A manifest has layers twice", after_brace(r#""layers":[],"#))
            .expecting(ANY),
        of(
            &["M08"],
            "digest-twice",
            "A descriptor has two digests",
            text.replace(r#""digest":"#, &format!(r#""digest":"{digest}","digest":"#)),
        )
        .expecting(ANY),
        of(&["M09"], "unknown-fields", "A manifest has fields and spaces of its own", odd.clone()),
        {
            let manifest = Blob::new(MANIFEST, odd);
            Scenario::new(&["M09"], "unknown-fields-pushed", "Such a manifest is pushed as it is")
                .at("A", Script::new())
                .asked_to(Action::Push)
                .with_image(Image { manifest, ..Image::small() })
        },
        annotated(&["M10"], "annotation-huge", "An annotation has 3.9 MB", |manifest| {
            manifest["annotations"] = json!({ "org.example.long": "x".repeat(3_900_000) });
        }),
        annotated(&["M10"], "annotations-many", "There are 20 000 annotations", |manifest| {
            let many = (0..20_000).map(|n| (format!("org.example.{n}\n\u{1b}[2J"), json!("x")));
            manifest["annotations"] = Value::Object(many.collect());
        }),
        of(
            &["M15"],
            "byte-order-mark",
            "A manifest begins with a byte order mark",
            format!("\u{feff}{text}"),
        )
        .expecting(ANY),
        of(&["M15"], "trailing-bytes", "There is more behind a manifest", format!("{text}{{}}"))
            .expecting(ANY),
        of(&["M15"], "trailing-zeros", "A manifest is padded with zeros", format!("{text}\0\0"))
            .expecting(ANY),
    ]
}

/// Manifests that are of another kind than they, or others, say.
fn kinds() -> Vec<Scenario> {
    let small = Image::small();
    let digest = small.manifest.digest.clone();
    let lie = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": INDEX,
            "digest": digest,
            "size": small.manifest.bytes.len(),
            "platform": { "os": "linux", "architecture": "amd64" },
        }],
    });
    let lie = Blob::new(INDEX, lie.to_string());
    let lying = Registry::new()
        .with_image(REPOSITORY, "inner", &small)
        .with_manifest(REPOSITORY, TAG, &lie);
    vec![
        forged("manifest-forged-signature", "Other content claims to be what was signed", |_| ()),
        forged("schema-1-forged-signature", "The same in Docker's schema 1", |manifest| {
            manifest["schemaVersion"] = 1.into();
        }),
        Scenario::new(&["M12"], "header-says-index", "An image travels as an index")
            .with_rules([on("*", PATH).always(Reply::registry().header("Content-Type", INDEX))])
            .expecting(ANY),
        serving(
            Scenario::new(
                &["M14"],
                "schema-1",
                "A manifest is of Docker's schema 1, and is copied",
            ),
            schema1(),
        ),
        Scenario::new(
            &["M17"],
            "manifest-fails-blob-works",
            "A digest is not served as a manifest, and would be as a blob",
        )
        .with_rules([
            every(Reply::new(503)),
            on("*", format!("*/blobs/{digest}"))
                .always(Reply::new(200).body(small.manifest.bytes.clone())),
        ])
        .of(&digest)
        .expecting(ANY)
        .requests("A", "*", &format!("*/blobs/{digest}"), 0..=0),
        Scenario::new(&["G05"], "entry-lies", "An index calls an image an index")
            .at("A", Script::registry(lying))
            .expecting(ANY),
    ]
}

/// The image is asked for by digest, and another one comes whose signature claims that it is that.
fn forged(name: &'static str, title: &'static str, change: fn(&mut Value)) -> Scenario {
    let small = Image::small();
    let other = Image::small().with_manifest(|manifest| {
        manifest["annotations"] = json!({ "org.example": "another" });
        change(manifest);
    });
    let forged = other.manifest.signed_as(&small.manifest);
    Scenario::new(&["I02", "M14"], name, title)
        .with_rules([every(
            Reply::new(200)
                .header("Content-Type", MANIFEST)
                .header("Docker-Content-Digest", &small.manifest.digest)
                .body(forged.bytes),
        )])
        .of(&small.manifest.digest)
        .expecting(Expect::Failure(&[Class::Integrity]))
}

/// An image of Docker's schema 1, which has layers and no configuration: the first layer takes the
/// place of one here.
fn schema1() -> Image {
    let Image { config, mut layers, .. } = Image::small();
    let sums: Vec<_> =
        layers.iter().rev().map(|layer| json!({ "blobSum": layer.digest })).collect();
    let history: Vec<_> = sums.iter().map(|_| json!({ "v1Compatibility": "{}" })).collect();
    let manifest = json!({
        "schemaVersion": 1,
        "name": REPOSITORY,
        "tag": TAG,
        "architecture": "amd64",
        "fsLayers": sums,
        "history": history,
    });
    let manifest =
        Blob::new("application/vnd.docker.distribution.manifest.v1+json", manifest.to_string());
    let first = if layers.is_empty() { config } else { layers.remove(0) };
    Image { manifest, config: first, layers }
}

/// Pulls that image, whatever becomes of it.
fn serving(scenario: Scenario, image: Image) -> Scenario {
    let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
    scenario.at("A", Script::registry(registry)).with_image(image)
}

/// GET and HEAD alike.
fn every(reply: Reply) -> Rule {
    on("*", PATH).always(reply)
}
