//! Tags: lists and their pages, moves, deletes.

use anyhow::{Result, ensure};
use bytes::Bytes;
use registry_faults::content::Image;
use serde_json::Value;

use super::wire::{ACCEPT, Answer, Wire};
use super::{Bench, not_offered};

pub(super) async fn checks(bench: &mut Bench<'_>) {
    lists(bench).await;
    changes(bench).await;
}

async fn lists(bench: &mut Bench<'_>) {
    bench
        .check("tags-list", &["end-8a"], "all tags, in lexical order", async |wire| {
            tagged(&wire).await?;
            let answer = wire.send("GET", "tags/list").await?.expect(&[200])?;
            ensure!(answer.json()?["name"] == wire.repository(), "the name is another");
            expect_tags(&answer, &["a", "b", "c", "d", "e"])
        })
        .await;
    bench
        .check("tags-limit", &["end-8b"], "n is the most that comes", async |wire| {
            tagged(&wire).await?;
            expect_tags(&wire.send("GET", "tags/list?n=2").await?.expect(&[200])?, &["a", "b"])
        })
        .await;
    bench
        .check("tags-last", &["end-8b"], "last is where the list goes on", async |wire| {
            tagged(&wire).await?;
            let answer = wire.send("GET", "tags/list?n=2&last=b").await?.expect(&[200])?;
            expect_tags(&answer, &["c", "d"])
        })
        .await;
    bench
        .check("tags-none", &["end-8b"], "n=0 is an empty list", async |wire| {
            tagged(&wire).await?;
            let answer = wire.send("GET", "tags/list?n=0").await?;
            if answer.status == 400 {
                return not_offered("n=0 is refused");
            }
            expect_tags(&answer.expect(&[200])?, &[])
        })
        .await;
    bench
        .check("tags-pages", &["end-8b"], "Link leads through all pages and ends", async |wire| {
            tagged(&wire).await?;
            let mut answer = wire.send("GET", "tags/list?n=2").await?.expect(&[200])?;
            let mut all = tags(&answer)?;
            let mut pages = 1;
            while let Some(next) = answer.next_link()? {
                answer = wire.send_to("GET", next, &[], Bytes::new()).await?.expect(&[200])?;
                all.extend(tags(&answer)?);
                pages += 1;
                ensure!(pages <= 6, "more pages than tags");
            }
            ensure!(all == ["a", "b", "c", "d", "e"], "the pages hold {all:?}");
            Ok(())
        })
        .await;
    bench
        .check(
            "tags-of-nobody",
            &["end-8a"],
            "the tags of no repository are 404 NAME_UNKNOWN",
            async |wire| {
                let answer = wire.within("nobody").send("GET", "tags/list").await?;
                answer.expect(&[404])?.error_code(&["NAME_UNKNOWN"])
            },
        )
        .await;
}

async fn changes(bench: &mut Bench<'_>) {
    let image = Image::small();
    bench
        .check(
            "tag-moves",
            &["end-7"],
            "a tag moves to another manifest, and the first one stays",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let other = image.clone().with_manifest(|manifest| {
                    manifest["annotations"] = serde_json::json!({ "org.example": "other" });
                });
                wire.put_image(&other, "v1").await?.expect(&[201])?;
                let answer = wire.send_with("GET", "manifests/v1", &[ACCEPT], Bytes::new()).await?;
                ensure!(
                    answer.expect(&[200])?.body == other.manifest.bytes,
                    "the tag did not move"
                );
                let path = format!("manifests/{}", image.manifest.digest);
                wire.send_with("GET", &path, &[ACCEPT], Bytes::new())
                    .await?
                    .expect(&[200])
                    .map(drop)
            },
        )
        .await;
    bench
        .check("delete-tag", &["end-9"], "DELETE of a tag takes that tag alone", async |wire| {
            wire.put_image(&image, "v1").await?.expect(&[201])?;
            wire.put_manifest(&image.manifest, "v2").await?.expect(&[201])?;
            let answer = wire.send("DELETE", "manifests/v1").await?;
            if matches!(answer.status, 400 | 405) {
                return not_offered("single tags cannot be deleted");
            }
            answer.expect(&[202])?;
            wire.send("HEAD", "manifests/v1").await?.expect(&[404])?;
            wire.send_with("HEAD", "manifests/v2", &[ACCEPT], Bytes::new())
                .await?
                .expect(&[200])
                .map(drop)
        })
        .await;
    bench
        .check(
            "delete-manifest",
            &["end-9"],
            "DELETE of a manifest takes it and its tags",
            async |wire| {
                wire.put_image(&image, "v1").await?.expect(&[201])?;
                let path = format!("manifests/{}", image.manifest.digest);
                let answer = wire.send("DELETE", &path).await?;
                if answer.status == 405 {
                    return not_offered("manifests cannot be deleted");
                }
                answer.expect(&[202])?;
                wire.send("HEAD", &path).await?.expect(&[404])?;
                wire.send("HEAD", "manifests/v1").await?.expect(&[404]).map(drop)
            },
        )
        .await;
    bench
        .check("delete-blob", &["end-10"], "DELETE of a blob takes it", async |wire| {
            wire.put_blob(&image.config.bytes, &image.config.digest).await?.expect(&[201])?;
            let path = format!("blobs/{}", image.config.digest);
            let answer = wire.send("DELETE", &path).await?;
            if answer.status == 405 {
                return not_offered("blobs cannot be deleted");
            }
            answer.expect(&[202])?;
            wire.send("HEAD", &path).await?.expect(&[404]).map(drop)
        })
        .await;
}

/// Pushes one image under five tags, in no order.
async fn tagged(wire: &Wire) -> Result<()> {
    let image = Image::small();
    wire.put_image(&image, "d").await?.expect(&[201])?;
    for tag in ["b", "e", "a", "c"] {
        wire.put_manifest(&image.manifest, tag).await?.expect(&[201])?;
    }
    Ok(())
}

fn tags(answer: &Answer) -> Result<Vec<String>> {
    let body = answer.json()?;
    let tags = body.get("tags").and_then(Value::as_array).into_iter().flatten();
    Ok(tags.filter_map(|tag| Some(tag.as_str()?.to_owned())).collect())
}

fn expect_tags(answer: &Answer, expected: &[&str]) -> Result<()> {
    let tags = tags(answer)?;
    ensure!(tags == expected, "the tags are {tags:?}, not {expected:?}");
    Ok(())
}
