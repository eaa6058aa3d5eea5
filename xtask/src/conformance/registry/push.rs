//! Push: blobs in every way the specification has, and manifests.

use anyhow::{Result, ensure};
use bytes::Bytes;
use registry_faults::content::{Blob, INDEX, Image, noise, sha256};
use serde_json::json;

use super::wire::{ACCEPT, OCTETS, Wire, with_digest};
use super::{Bench, not_offered};

pub(super) async fn checks(bench: &mut Bench<'_>) {
    whole(bench).await;
    chunks(bench).await;
    sessions(bench).await;
    mounts(bench).await;
    manifests(bench).await;
}

/// What is pushed, and its digest.
fn content(length: usize) -> (Bytes, String) {
    let bytes = Bytes::from(noise(8, length));
    let digest = sha256(&bytes);
    (bytes, digest)
}

/// An error unless the blob is there, byte for byte.
async fn is_there(wire: &Wire, bytes: &Bytes, digest: &str) -> Result<()> {
    let answer = wire.send("GET", &format!("blobs/{digest}")).await?.expect(&[200])?;
    ensure!(answer.body == *bytes, "other bytes came back");
    Ok(())
}

async fn whole(bench: &mut Bench<'_>) {
    bench
        .check(
            "push-post-put",
            &["end-4a", "end-6"],
            "POST, then PUT with the whole blob",
            async |wire| {
                let (bytes, digest) = content(5000);
                let answer = wire.put_blob(&bytes, &digest).await?.expect(&[201])?;
                answer.header("location")?;
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
    bench
        .check(
            "push-single-post",
            &["end-4b"],
            "POST with the whole blob is 201, or begins an upload",
            async |wire| {
                let (bytes, digest) = content(5000);
                let path = format!("blobs/uploads/?digest={digest}");
                let answer = wire
                    .send_with("POST", &path, &[OCTETS], bytes.clone())
                    .await?
                    .expect(&[201, 202])?;
                if answer.status == 202 {
                    let url = with_digest(answer.location()?, &digest);
                    wire.send_to("PUT", url, &[OCTETS], bytes.clone()).await?.expect(&[201])?;
                }
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
    bench
        .check("push-empty-blob", &["end-4a", "end-6"], "a blob of no bytes", async |wire| {
            let digest = sha256(b"");
            wire.put_blob(&Bytes::new(), &digest).await?.expect(&[201])?;
            is_there(&wire, &Bytes::new(), &digest).await
        })
        .await;
    bench
        .check(
            "push-wrong-digest",
            &["end-6"],
            "a blob with another digest is refused, and not kept",
            async |wire| {
                let (bytes, _) = content(5000);
                let wrong = sha256(b"something else");
                wire.put_blob(&bytes, &wrong)
                    .await?
                    .expect(&[400])?
                    .error_code(&["DIGEST_INVALID"])?;
                wire.send("HEAD", &format!("blobs/{wrong}")).await?.expect(&[404]).map(drop)
            },
        )
        .await;
}

async fn chunks(bench: &mut Bench<'_>) {
    bench
        .check(
            "push-chunks",
            &["end-5", "end-6"],
            "two PATCHes with Content-Range, then PUT",
            async |wire| {
                let (bytes, digest) = content(5000);
                let url = wire.begin().await?;
                let first = [OCTETS, ("content-range", "0-2999")];
                let answer = wire
                    .send_to("PATCH", url, &first, bytes.slice(..3000))
                    .await?
                    .expect(&[202])?;
                answer.header_is("range", "0-2999")?;
                let second = [OCTETS, ("content-range", "3000-4999")];
                let url = answer.location()?;
                let answer = wire
                    .send_to("PATCH", url, &second, bytes.slice(3000..))
                    .await?
                    .expect(&[202])?;
                answer.header_is("range", "0-4999")?;
                let url = with_digest(answer.location()?, &digest);
                wire.send_to("PUT", url, &[], Bytes::new()).await?.expect(&[201])?;
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
    bench
        .check(
            "push-last-chunk-in-put",
            &["end-5", "end-6"],
            "PATCH, then PUT with the last chunk",
            async |wire| {
                let (bytes, digest) = content(5000);
                let url = wire.begin().await?;
                let first = [OCTETS, ("content-range", "0-2999")];
                let answer = wire
                    .send_to("PATCH", url, &first, bytes.slice(..3000))
                    .await?
                    .expect(&[202])?;
                let last = [OCTETS, ("content-range", "3000-4999")];
                let url = with_digest(answer.location()?, &digest);
                wire.send_to("PUT", url, &last, bytes.slice(3000..)).await?.expect(&[201])?;
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
    bench
        .check(
            "push-stream",
            &["end-5", "end-6"],
            "one PATCH without Content-Range, then PUT",
            async |wire| {
                let (bytes, digest) = content(5000);
                let url = wire.begin().await?;
                let answer =
                    wire.send_to("PATCH", url, &[OCTETS], bytes.clone()).await?.expect(&[202])?;
                let url = with_digest(answer.location()?, &digest);
                wire.send_to("PUT", url, &[], Bytes::new()).await?.expect(&[201])?;
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
}

async fn sessions(bench: &mut Bench<'_>) {
    bench
        .check(
            "push-chunk-out-of-order",
            &["end-5"],
            "a chunk that does not follow is 416",
            async |wire| {
                let (bytes, _) = content(5000);
                let url = wire.begin().await?;
                let second = [OCTETS, ("content-range", "3000-4999")];
                wire.send_to("PATCH", url, &second, bytes.slice(3000..))
                    .await?
                    .expect(&[416])
                    .map(drop)
            },
        )
        .await;
    bench
        .check("push-status", &["end-13"], "GET of an upload says how far it is", async |wire| {
            let (bytes, _) = content(5000);
            let url = wire.begin().await?;
            let first = [OCTETS, ("content-range", "0-2999")];
            let answer =
                wire.send_to("PATCH", url, &first, bytes.slice(..3000)).await?.expect(&[202])?;
            let answer =
                wire.send_to("GET", answer.location()?, &[], Bytes::new()).await?.expect(&[204])?;
            answer.header("location")?;
            answer.header_is("range", "0-2999")
        })
        .await;
    bench
        .check("push-cancel", &["end-14"], "DELETE of an upload ends it", async |wire| {
            let url = wire.begin().await?;
            let answer = wire.send_to("DELETE", url.clone(), &[], Bytes::new()).await?;
            if matches!(answer.status, 404 | 405) {
                return not_offered("uploads cannot be cancelled");
            }
            answer.expect(&[202, 204])?;
            wire.send_to("GET", url, &[], Bytes::new()).await?.expect(&[404]).map(drop)
        })
        .await;
}

async fn mounts(bench: &mut Bench<'_>) {
    bench
        .check(
            "mount",
            &["end-11"],
            "a blob of another repository is mounted, or an upload begins",
            async |wire| {
                let (bytes, digest) = content(5000);
                let other = wire.within("source");
                other.put_blob(&bytes, &digest).await?.expect(&[201])?;
                let path = format!("blobs/uploads/?mount={digest}&from={}", other.repository());
                let answer = wire.send("POST", &path).await?.expect(&[201, 202])?;
                if answer.status == 202 {
                    let url = with_digest(answer.location()?, &digest);
                    wire.send_to("PUT", url, &[OCTETS], bytes.clone()).await?.expect(&[201])?;
                }
                is_there(&wire, &bytes, &digest).await
            },
        )
        .await;
    bench
        .check(
            "mount-missing",
            &["end-11"],
            "a mount of a blob that nobody has begins an upload",
            async |wire| {
                let missing = sha256(b"nobody has this");
                let path = format!(
                    "blobs/uploads/?mount={missing}&from={}",
                    wire.within("source").repository()
                );
                wire.send("POST", &path).await?.expect(&[202])?.location().map(drop)
            },
        )
        .await;
}

async fn manifests(bench: &mut Bench<'_>) {
    let image = Image::small();
    bench
        .check(
            "push-manifest",
            &["end-7"],
            "a manifest PUT gives its place and its digest",
            async |wire| {
                let answer = wire.put_image(&image, "v1").await?.expect(&[201])?;
                answer.header("location")?;
                answer.header_is("docker-content-digest", &image.manifest.digest)
            },
        )
        .await;
    bench
        .check("push-manifest-by-digest", &["end-7"], "a manifest without a tag", async |wire| {
            wire.put_image(&image, &image.manifest.digest).await?.expect(&[201])?;
            let path = format!("manifests/{}", image.manifest.digest);
            wire.send_with("GET", &path, &[ACCEPT], Bytes::new()).await?.expect(&[200]).map(drop)
        })
        .await;
    bench
        .check(
            "push-manifest-wrong-digest",
            &["end-7"],
            "a manifest under another's digest is refused",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                wire.put_manifest(&image.manifest, &sha256(b"another"))
                    .await?
                    .expect(&[400])
                    .map(drop)
            },
        )
        .await;
    bench
        .check(
            "push-manifest-not-json",
            &["end-7"],
            "a manifest that is no JSON is refused",
            async |wire| {
                let broken = Blob::new(&image.manifest.media_type, "{\"schemaVersion\": 2");
                wire.put_manifest(&broken, "v1").await?.expect(&[400]).map(drop)
            },
        )
        .await;
    bench
        .check("push-index", &["end-7"], "an index, after its manifests", async |wire| {
            wire.put_image(&image, &image.manifest.digest).await?.expect(&[201])?;
            let index = json!({
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": [image.manifest.descriptor()],
            });
            let index = Blob::new(INDEX, index.to_string());
            wire.put_manifest(&index, "multi").await?.expect(&[201])?;
            let answer = wire.send_with("GET", "manifests/multi", &[ACCEPT], Bytes::new()).await?;
            ensure!(answer.expect(&[200])?.body == index.bytes, "other bytes came back");
            Ok(())
        })
        .await;
    bench
        .check(
            "push-manifest-of-3-mib",
            &["end-7"],
            "a manifest of three MiB, kept byte for byte",
            async |wire| {
                let large = image.clone().with_manifest(|manifest| {
                    manifest["annotations"] = json!({ "org.example.filler": "x".repeat(3 << 20) });
                });
                wire.put_image(&large, "v1").await?.expect(&[201])?;
                let answer = wire.send_with("GET", "manifests/v1", &[ACCEPT], Bytes::new()).await?;
                ensure!(
                    answer.expect(&[200])?.body == large.manifest.bytes,
                    "other bytes came back"
                );
                Ok(())
            },
        )
        .await;
}
