//! Indexes that nest, repeat or contradict themselves, and images that are unusual but right.

use serde_json::{Value, json};

use super::UPLOADS;
use crate::content::{Blob, INDEX, Image, MANIFEST, sha256};
use crate::origin::{Reply, Rule, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Class, Expect, REPOSITORY, Scenario, TAG};

const MANIFESTS: &str = "*/manifests/*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let layer = format!("*/blobs/{}", Image::small().last_layer().digest);
    vec![
        graph(
            &["G01"],
            "nested-for-ever",
            "A thousand indexes, each in the next",
            &tower(1000, 1),
            [],
        )
        .expecting(Expect::Failure(&[]))
        .requests("A", "GET", MANIFESTS, 1..=20),
        graph(
            &["G02"],
            "diamonds",
            "Six levels of indexes, each ten times in the next",
            &tower(6, 10),
            [],
        )
        .requests("A", "GET", MANIFESTS, 1..=20)
        .requests("A", "GET", &layer, 1..=1),
        index_of_itself(),
        graph(
            &["G05"],
            "entry-of-another-type",
            "An entry of an index says that it is an image, and is an index",
            &mistyped(),
            [],
        )
        .expecting(Expect::Failure(&[])),
        graph(
            &["G10", "G12"],
            "attestation",
            "An index holds an entry for no platform, which travels as the others do",
            &attested(),
            [],
        ),
        graph(
            &["G10"],
            "platforms-odd",
            "An index names one platform twice, one not at all, and one as null",
            &oddly_placed(),
            [],
        ),
        not_for_redistribution(),
        pull(&["G07"], "layer-twice", "An image has one layer twice", twice()).requests(
            "A",
            "GET",
            &layer,
            1..=1,
        ),
        pull(&["G12"], "no-layers", "An image has no layers", Image::new(&[])),
        pull(
            &["G12"],
            "artifact",
            "An artifact: an empty configuration, and a type of its own",
            artifact(),
        ),
    ]
}

/// Indexes over the small image: the last is the root.
struct Graph {
    image: Image,
    indexes: Vec<Blob>,
}

fn graph(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    graph: &Graph,
    rules: impl IntoIterator<Item = Rule>,
) -> Scenario {
    let mut registry = Registry::new().with_image(REPOSITORY, "image", &graph.image);
    for index in &graph.indexes {
        // Whatever was tagged before keeps its digest.
        registry = registry.with_manifest(REPOSITORY, TAG, index);
    }
    let script = rules.into_iter().fold(Script::registry(registry), Script::rule);
    let mut image = graph.image.clone();
    image.manifest = graph.indexes.last().unwrap_or(&image.manifest).clone();
    Scenario::new(ids, name, title).at("A", script).with_image(image)
}

fn pull(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    image: Image,
) -> Scenario {
    let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
    Scenario::new(ids, name, title).at("A", Script::registry(registry)).with_image(image)
}

fn index(entries: &[Value]) -> Blob {
    let text = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    Blob::new(INDEX, text.to_string())
}

/// Each index holds the one below `links` times.
fn tower(levels: usize, links: usize) -> Graph {
    let image = Image::small();
    let mut indexes: Vec<Blob> = Vec::new();
    for _ in 0..levels {
        let below = indexes.last().unwrap_or(&image.manifest).descriptor();
        indexes.push(index(&vec![below; links]));
    }
    Graph { image, indexes }
}

/// No index can hold its own digest: the registry answers that of another with the index itself.
fn index_of_itself() -> Scenario {
    let other = sha256(b"another index");
    let text = |size: usize| {
        json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{ "mediaType": INDEX, "digest": other, "size": size }],
        })
        .to_string()
    };
    let size = text(100).len();
    let itself = Blob::new(INDEX, text(size));
    let lie = Reply::new(200).header("Content-Type", INDEX).body(itself.bytes.clone());
    let rule = on("GET", format!("*/manifests/{other}")).always(lie);
    let graph_of = Graph { image: Image::small(), indexes: vec![itself] };
    graph(
        &["G03", "I02"],
        "index-of-itself",
        "An index is answered as its own child",
        &graph_of,
        [rule],
    )
    .expecting(Expect::Failure(&[Class::Integrity]))
    .requests("A", "GET", MANIFESTS, 1..=6)
}

fn mistyped() -> Graph {
    let mut graph = tower(1, 1);
    let mut entry = graph.indexes.iter().map(Blob::descriptor).next_back().unwrap_or_default();
    entry["mediaType"] = MANIFEST.into();
    graph.indexes.push(index(&[entry]));
    graph
}

fn attested() -> Graph {
    let image = Image::small();
    let attestation = image.clone().with_manifest(|manifest| {
        manifest["artifactType"] = "application/vnd.example.attestation".into();
    });
    let (mut first, mut second) = (image.manifest.descriptor(), attestation.manifest.descriptor());
    first["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    second["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let index = index(&[first, second]);
    Graph { image, indexes: vec![attestation.manifest, index] }
}

fn oddly_placed() -> Graph {
    let image = Image::small();
    let platform = json!({ "os": "linux", "architecture": "amd64" });
    let entries = [Some(platform.clone()), Some(platform), None, Some(Value::Null)];
    let (manifests, entries): (Vec<_>, Vec<_>) = (0..)
        .zip(entries)
        .map(|(n, platform)| {
            let numbered = image.clone().with_manifest(|manifest| {
                manifest["annotations"] = json!({ "org.example.number": format!("{n}") });
            });
            let mut entry = numbered.manifest.descriptor();
            if let Some(platform) = platform {
                entry["platform"] = platform;
            }
            (numbered.manifest, entry)
        })
        .unzip();
    let mut indexes = manifests;
    indexes.push(index(&entries));
    Graph { image, indexes }
}

/// The layer is in the layout; it stays there, and its place in the manifest stays as well.
fn not_for_redistribution() -> Scenario {
    let foreign = Blob::new(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "a layer that may not be handed on",
    );
    let image = Image::small().with_manifest(|manifest| {
        if let Some(layers) = manifest["layers"].as_array_mut() {
            layers.push(foreign.descriptor());
        }
    });
    let path = format!("blobs/{}", foreign.digest.replacen(':', "/", 1));
    let manifest = Reply::new(201).header("Docker-Content-Digest", &image.manifest.digest);
    let title = "A layer that may not be handed on is not pushed";
    Scenario::new(&["G08"], "layer-not-for-redistribution", title)
        .asked_to(Action::Push)
        // The stage's registry wants every layer of a manifest.
        .at("A", Script::new().rule(on("PUT", "*/manifests/*").always(manifest)))
        .prepared([(path, foreign.bytes)])
        .with_image(image)
        .expecting(Expect::Accepted)
        .requests("A", "POST", UPLOADS, 3..=3)
        .requests("A", "PUT", MANIFESTS, 1..=1)
}

fn twice() -> Image {
    let image = Image::small();
    let mut layers = image.layers;
    layers.extend(layers.last().cloned());
    Image::of(image.config, layers)
}

fn artifact() -> Image {
    let config = Blob::new("application/vnd.oci.empty.v1+json", "{}");
    let content = Blob::new("application/vnd.example.data", "content of its own kind");
    Image::of(config, vec![content]).with_manifest(|manifest| {
        manifest["artifactType"] = "application/vnd.example.thing".into();
    })
}
