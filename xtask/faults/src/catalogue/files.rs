//! What lies in a layout already, and content whose names lead elsewhere.

use bytes::Bytes;
use serde_json::json;

use super::{last_layer, stocked};
use crate::content::{Blob, INDEX, Image};
use crate::origin::Script;
use crate::registry::Registry;
use crate::scenario::{Class, Expect, REPOSITORY, Scenario, TAG};

const OTHER: Expect = Expect::Failure(&[Class::Other]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let index = |text: &str| ("index.json".to_owned(), Bytes::from(text.to_owned()));
    let marker =
        || ("oci-layout".to_owned(), Bytes::from_static(br#"{"imageLayoutVersion":"1.0.0"}"#));
    let broken = |name, title, text: &str| {
        Scenario::new(&["F11"], name, title)
            .with_rules([])
            .prepared([marker(), index(text)])
            .expecting(OTHER)
    };
    let huge = format!(r#"{{"schemaVersion":2,"manifests":[]{}}}"#, " ".repeat(5 << 20));
    vec![
        Scenario::new(&["F11"], "layout-of-others", "The layout holds another image, which stays")
            .with_rules([])
            .prepared(another()),
        broken(
            "layout-index-cut",
            "The layout's index.json ends early",
            r#"{"schemaVersion":2,"manifests":[{"mediaType":"#,
        ),
        broken("layout-index-empty", "The layout's index.json is empty", ""),
        broken("layout-index-huge", "The layout's index.json has 5 MiB", &huge),
        partial(),
        titles(),
    ]
}

/// What makes a directory a layout.
fn marker() -> (String, Bytes) {
    ("oci-layout".to_owned(), Bytes::from_static(br#"{"imageLayoutVersion":"1.0.0"}"#))
}

/// The files of a layout with one image of its own.
fn another() -> Vec<(String, Bytes)> {
    let image = Image::new(&[1000]);
    let mut entry = image.manifest.descriptor();
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "another" });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let mut files = vec![marker(), ("index.json".to_owned(), index.to_string().into())];
    files.extend(image.blobs().chain([&image.manifest]).map(file));
    files
}

fn file(blob: &Blob) -> (String, Bytes) {
    (format!("blobs/{}", blob.digest.replacen(':', "/", 1)), blob.bytes.clone())
}

/// What our own program leaves of a blob when it is killed: to others it is a file like any.
fn partial() -> Scenario {
    let (layer, _) = last_layer();
    let (hex, size) = (layer.digest.replace("sha256:", ""), layer.bytes.len());
    let mut left = layer.bytes.to_vec();
    if let Some(byte) = left.get_mut(1000) {
        *byte ^= 1;
    }
    left.extend_from_slice(format!("registry-partial-1 {size} 0-{} .\n", size / 2).as_bytes());
    let path = format!("blobs/sha256/.registry-{hex}.partial");
    let title = "Half a layer is there from an earlier run, and was altered since";
    Scenario::new(&["F08"], "partial-altered", title)
        .with_rules([])
        .prepared([marker(), (path, left.into())])
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=2)
}

/// A layout has no files of these names: what is beside it afterwards is looked at after each scenario.
fn titles() -> Scenario {
    const TITLES: [&str; 8] = [
        "../../escaped",
        "/tmp/escaped",
        "..\\escaped",
        "C:\\escaped",
        "NUL",
        "escaped.",
        "con/../../../escaped",
        "a\0b",
    ];
    let long = "x".repeat(5000);
    let names = TITLES.into_iter().chain([long.as_str(), "Case", "case"]);
    let image = Image::small();
    let layers: Vec<_> = names
        .enumerate()
        .map(|(n, title)| {
            let blob = Blob::new("application/vnd.example.file", format!("file {n}"));
            let mut descriptor = blob.descriptor();
            descriptor["annotations"] = json!({ "org.opencontainers.image.title": title });
            (blob, descriptor)
        })
        .collect();
    let (blobs, descriptors): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let image = Image::of(image.config, blobs)
        .with_manifest(|manifest| manifest["layers"] = descriptors.into());
    let registry: Registry = stocked().with_image(REPOSITORY, TAG, &image);
    Scenario::new(&["F02"], "titles-that-lead-out", "Files of an artifact have names that lead out")
        .at("A", Script::registry(registry))
        .with_image(image)
}
