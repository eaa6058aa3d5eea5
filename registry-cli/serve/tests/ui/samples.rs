//! Content to look at.

use std::path::Path;

use registry_faults::{layout, sample};
use serde_json::{Value, json};

use crate::client::{Client, OCI_INDEX, OCI_MANIFEST, image, sha256};

/// Digests of real images that were pushed.
#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) image: String,
    pub(crate) index: String,
    pub(crate) artifact: String,
}

/// An image, an index for two platforms, and an artifact that refers to the image, as
/// `library/sample`, tags `v1`, `multi` and `packages`.
pub(crate) async fn push(client: Client) -> Samples {
    let directory = tempfile::tempdir().expect("a directory");
    let dir = directory.path();
    let image = sample::image(dir, "v1", 1 << 20).expect("an image");
    let index = sample::index(dir, "multi", 1 << 20).expect("an index");
    let artifact = sample::artifact(dir, "packages", &image.descriptor).expect("an artifact");
    for entry in layout::entries(dir).expect("a layout") {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
        put(client, dir, &entry, tag.expect("a tag")).await;
    }
    Samples {
        image: image.digest().to_owned(),
        index: index.digest().to_owned(),
        artifact: artifact.digest().to_owned(),
    }
}

/// Pushes a manifest with all that belongs to it.
async fn put(client: Client, dir: &Path, descriptor: &Value, reference: &str) {
    let bytes = read(dir, descriptor);
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    for blob in manifest["config"]
        .as_object()
        .iter()
        .map(|_| &manifest["config"])
        .chain(manifest["layers"].as_array().into_iter().flatten())
    {
        client.push_blob("library/sample", read(dir, blob)).await;
    }
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        Box::pin(put(client, dir, child, child["digest"].as_str().expect("a digest"))).await;
    }
    let text = String::from_utf8(bytes).expect("a manifest is text");
    client.push_manifest("library/sample", reference, &text).await;
}

fn read(dir: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().expect("a digest");
    std::fs::read(dir.join("blobs").join(digest.replacen(':', "/", 1))).expect("a blob")
}

/// Markup that would show itself if it were not escaped, whatever it stands in.
pub(crate) const HOSTILE: &str = "\"'></code></pre></title><script>document.title='owned'</script>\
                                  <img src=x onerror=\"document.title='owned'\"><!-- \u{202e}\0";

/// An image and a referrer with [`HOSTILE`] in every place that is free text, as `hostile:v1`.
pub(crate) async fn push_hostile(client: Client) -> String {
    let config = json!({
        "created": HOSTILE, "author": HOSTILE, "os": HOSTILE, "architecture": HOSTILE,
        "config": {
            "Env": [HOSTILE], "Cmd": [HOSTILE], "Entrypoint": HOSTILE, "User": HOSTILE,
            "ExposedPorts": { HOSTILE: {} }, "Labels": { HOSTILE: HOSTILE, "more": [HOSTILE] },
        },
        "history": [{ "created": HOSTILE, "created_by": HOSTILE, "empty_layer": true }],
    });
    let config = config.to_string();
    let (size, config) = (config.len(), client.push_blob("hostile", &config).await);
    let layer = client.push_blob("hostile", "layer").await;
    let annotations = format!(",\"annotations\":{}", json!({ HOSTILE: HOSTILE }));
    let manifest = image(&config, size, &[(&layer, 5)], &annotations);
    let manifest =
        manifest.replace("application/vnd.oci.image.layer.v1.tar", "javascript:alert(1)//<b>");
    let digest = client.push_manifest("hostile", "v1", &manifest).await;
    let referrer = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": HOSTILE,
        "config": { "mediaType": HOSTILE, "digest": config, "size": size }, "layers": [],
        "subject": { "mediaType": OCI_MANIFEST, "digest": digest, "size": manifest.len() },
    });
    client.push_manifest("hostile", "referrer", &referrer.to_string()).await;
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            { "mediaType": OCI_MANIFEST, "digest": digest, "size": manifest.len(),
              "platform": { "os": HOSTILE, "architecture": HOSTILE, "os.version": HOSTILE } },
            { "mediaType": HOSTILE, "digest": sha256("nothing"), "size": 1 },
        ],
    });
    client.push_manifest("hostile", "index", &index.to_string()).await;
    digest
}
