//! Pull: blobs, ranges, manifests.

use anyhow::{Result, ensure};
use bytes::Bytes;
use registry_faults::content::{Image, noise, sha256};

use super::wire::{ACCEPT, Wire};
use super::{Bench, not_offered};

pub(super) async fn checks(bench: &mut Bench<'_>) {
    let missing = sha256(b"nobody has this");
    bench
        .check("version", &["end-1"], "GET /v2/ says that this is a registry", async |wire| {
            wire.send_to_root("/v2/").await?.expect(&[200]).map(drop)
        })
        .await;
    bench
        .check("blob-get", &["end-2"], "a blob comes back byte for byte", async |wire| {
            let (bytes, path) = blob(&wire).await?;
            let answer = wire.send("GET", &path).await?.expect(&[200])?;
            ensure!(answer.body == bytes, "other bytes came back");
            Ok(())
        })
        .await;
    bench
        .check(
            "blob-head",
            &["end-2"],
            "HEAD of a blob gives its length and no body",
            async |wire| {
                let (bytes, path) = blob(&wire).await?;
                let answer = wire.send("HEAD", &path).await?.expect(&[200])?;
                answer.header_is("content-length", &bytes.len().to_string())
            },
        )
        .await;
    bench
        .check("blob-missing", &["end-2"], "a missing blob is 404 BLOB_UNKNOWN", async |wire| {
            blob(&wire).await?;
            let answer = wire.send("GET", &format!("blobs/{missing}")).await?.expect(&[404])?;
            answer.error_code(&["BLOB_UNKNOWN"])?;
            wire.send("HEAD", &format!("blobs/{missing}")).await?.expect(&[404]).map(drop)
        })
        .await;
    bench
        .check(
            "blob-range",
            &["end-2"],
            "a range of a blob comes as 206 with Content-Range",
            async |wire| {
                let (bytes, path) = blob(&wire).await?;
                let range = [("range", "bytes=100-199")];
                let answer = wire.send_with("GET", &path, &range, Bytes::new()).await?;
                if answer.status == 200 {
                    return not_offered("ranges are answered with the whole blob");
                }
                let answer = answer.expect(&[206])?;
                answer.header_is("content-range", &format!("bytes 100-199/{}", bytes.len()))?;
                ensure!(answer.body == bytes.slice(100..200), "other bytes came back");
                Ok(())
            },
        )
        .await;
    bench
        .check(
            "blob-range-open",
            &["end-2"],
            "a range without an end reaches the end",
            async |wire| {
                let (bytes, path) = blob(&wire).await?;
                let range = [("range", "bytes=1000-")];
                let answer = wire.send_with("GET", &path, &range, Bytes::new()).await?;
                if answer.status == 200 {
                    return not_offered("ranges are answered with the whole blob");
                }
                ensure!(
                    answer.expect(&[206])?.body == bytes.slice(1000..),
                    "other bytes came back"
                );
                Ok(())
            },
        )
        .await;
    bench
        .check("blob-range-beyond", &["end-2"], "a range beyond the end is 416", async |wire| {
            let (_, path) = blob(&wire).await?;
            let range = [("range", "bytes=999999-")];
            let answer = wire.send_with("GET", &path, &range, Bytes::new()).await?;
            if answer.status == 200 {
                return not_offered("ranges are answered with the whole blob");
            }
            answer.expect(&[416]).map(drop)
        })
        .await;
    manifests(bench, &missing).await;
}

async fn manifests(bench: &mut Bench<'_>, missing: &str) {
    let image = Image::small();
    for (name, title, reference) in [
        ("manifest-by-tag", "a manifest comes back byte for byte, by tag", "v1"),
        (
            "manifest-by-digest",
            "a manifest comes back byte for byte, by digest",
            &image.manifest.digest,
        ),
    ] {
        bench
            .check(name, &["end-3"], title, async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let path = format!("manifests/{reference}");
                let answer =
                    wire.send_with("GET", &path, &[ACCEPT], Bytes::new()).await?.expect(&[200])?;
                ensure!(answer.body == image.manifest.bytes, "other bytes came back");
                answer.header_is("content-type", &image.manifest.media_type)
            })
            .await;
    }
    bench
        .check(
            "manifest-head",
            &["end-3"],
            "HEAD of a manifest gives length, type and digest",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let answer =
                    wire.send_with("HEAD", "manifests/v1", &[ACCEPT], Bytes::new()).await?;
                let answer = answer.expect(&[200])?;
                answer.header_is("content-length", &image.manifest.bytes.len().to_string())?;
                answer.header_is("content-type", &image.manifest.media_type)?;
                answer.header_is("docker-content-digest", &image.manifest.digest)
            },
        )
        .await;
    bench
        .check(
            "manifest-missing",
            &["end-3"],
            "a missing manifest is 404 MANIFEST_UNKNOWN",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                for reference in ["v2", missing] {
                    let answer = wire
                        .send("GET", &format!("manifests/{reference}"))
                        .await?
                        .expect(&[404])?;
                    answer.error_code(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN"])?;
                }
                Ok(())
            },
        )
        .await;
}

/// A blob that was just pushed, and its path.
async fn blob(wire: &Wire) -> Result<(Bytes, String)> {
    let bytes = Bytes::from(noise(7, 5000));
    let digest = sha256(&bytes);
    wire.put_blob(&bytes, &digest).await?.expect(&[201])?;
    Ok((bytes, format!("blobs/{digest}")))
}
