//! Referrers: what refers to a manifest.

use anyhow::{Context as _, Result, ensure};
use registry_faults::content::{Blob, INDEX, Image, MANIFEST, sha256};
use serde_json::{Value, json};

use super::wire::{Answer, Wire};
use super::{Bench, not_offered};

pub(super) async fn checks(bench: &mut Bench<'_>) {
    lists(bench).await;
    changes(bench).await;
}

async fn lists(bench: &mut Bench<'_>) {
    let image = Image::small();
    bench
        .check(
            "referrers-none",
            &["end-12a"],
            "nothing refers to an unknown digest: an empty index",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let index = list(&wire, &sha256(b"nobody"), "").await?;
                ensure!(entries(&index)?.is_empty(), "something refers to it");
                Ok(())
            },
        )
        .await;
    bench
        .check(
            "referrers-list",
            &["end-12a"],
            "an artifact is listed with type and annotations",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let artifact = artifact(&image.manifest, "application/vnd.example.one");
                put(&wire, &artifact).await?;
                let index = list(&wire, &image.manifest.digest, "").await?;
                let entries = entries(&index)?;
                let entry = entries.first().context("nothing is listed")?;
                ensure!(entry["digest"] == artifact.digest.as_str(), "another digest is listed");
                ensure!(
                    entry["artifactType"] == "application/vnd.example.one",
                    "another type is listed"
                );
                ensure!(entry["size"] == artifact.bytes.len(), "another size is listed");
                ensure!(
                    entry["annotations"]["org.example.key"] == "value",
                    "annotations are missing"
                );
                Ok(())
            },
        )
        .await;
    bench
        .check(
            "referrers-subject-header",
            &["end-7"],
            "a PUT with a subject is answered with OCI-Subject",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                list(&wire, &image.manifest.digest, "").await?;
                let answer =
                    put(&wire, &artifact(&image.manifest, "application/vnd.example.one")).await?;
                answer.header_is("oci-subject", &image.manifest.digest)
            },
        )
        .await;
}

async fn changes(bench: &mut Bench<'_>) {
    let image = Image::small();
    bench
        .check(
            "referrers-filter",
            &["end-12b"],
            "artifactType filters, and the answer says so",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                put(&wire, &artifact(&image.manifest, "application/vnd.example.one")).await?;
                put(&wire, &artifact(&image.manifest, "application/vnd.example.two")).await?;
                let filter = "?artifactType=application/vnd.example.two";
                let answer = list(&wire, &image.manifest.digest, filter).await?;
                let Ok(applied) = answer.header("oci-filters-applied") else {
                    return not_offered("the filter is not applied");
                };
                ensure!(applied.contains("artifactType"), "OCI-Filters-Applied is {applied:?}");
                let found = entries(&answer)?;
                ensure!(found.len() == 1, "{} entries, not 1", found.len());
                ensure!(
                    found[0]["artifactType"] == "application/vnd.example.two",
                    "the other type is listed"
                );
                Ok(())
            },
        )
        .await;
    bench
        .check(
            "referrers-before-subject",
            &["end-7"],
            "an artifact may come before its subject",
            async |wire| {
                let artifact = artifact(&image.manifest, "application/vnd.example.one");
                put(&wire, &artifact).await?;
                let answer = list(&wire, &image.manifest.digest, "").await?;
                ensure!(entries(&answer)?.len() == 1, "it is not listed");
                wire.put_image(&image, "v1").await?.expect(&[201]).map(drop)
            },
        )
        .await;
    bench
        .check(
            "referrers-delete",
            &["end-9"],
            "a deleted artifact is not listed any more",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let artifact = artifact(&image.manifest, "application/vnd.example.one");
                put(&wire, &artifact).await?;
                list(&wire, &image.manifest.digest, "").await?;
                let answer = wire.send("DELETE", &format!("manifests/{}", artifact.digest)).await?;
                if answer.status == 405 {
                    return not_offered("manifests cannot be deleted");
                }
                answer.expect(&[202])?;
                let answer = list(&wire, &image.manifest.digest, "").await?;
                ensure!(entries(&answer)?.is_empty(), "it is still listed");
                Ok(())
            },
        )
        .await;
}

/// An artifact that refers to `subject`.
fn artifact(subject: &Blob, artifact_type: &str) -> Blob {
    let empty = empty().descriptor();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": empty,
        "layers": [empty],
        "subject": subject.descriptor(),
        "annotations": { "org.example.key": "value" },
    });
    Blob::new(MANIFEST, manifest.to_string())
}

/// The specification's empty descriptor.
fn empty() -> Blob {
    Blob::new("application/vnd.oci.empty.v1+json", "{}")
}

async fn put(wire: &Wire, artifact: &Blob) -> Result<Answer> {
    wire.put_blob(&empty().bytes, &empty().digest).await?.expect(&[201])?;
    wire.put_manifest(artifact, &artifact.digest).await?.expect(&[201])
}

async fn list(wire: &Wire, digest: &str, query: &str) -> Result<Answer> {
    let answer = wire.send("GET", &format!("referrers/{digest}{query}")).await?;
    if answer.status == 404 {
        return not_offered("there is no referrers API; clients use the tag scheme");
    }
    let answer = answer.expect(&[200])?;
    answer.header_is("content-type", INDEX)?;
    Ok(answer)
}

fn entries(answer: &Answer) -> Result<Vec<Value>> {
    let index = answer.json()?;
    index.get("manifests").and_then(Value::as_array).cloned().context("no manifests in the index")
}
