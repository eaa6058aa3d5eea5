//! Answers that say of a blob's body what it is not: another length, or a coding.

use super::last_layer;
use crate::content::{Image, gzip, zstd};
use crate::origin::{Reply, Script};
use crate::registry::Registry;
use crate::scenario::{Class, Expect, REPOSITORY, Scenario, TAG};

const INTEGRITY: Expect = Expect::Failure(&[Class::Integrity]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = wrong_sizes();
    all.extend(codings());
    all
}

/// An answer that announces another length than the descriptor's is not read.
fn wrong_sizes() -> Vec<Scenario> {
    let described = |name, title, change: fn(u64) -> u64| {
        let image = Image::small().with_manifest(|manifest| {
            if let Some(size) = manifest.pointer_mut("/layers/1/size") {
                *size = change(size.as_u64().unwrap_or_default()).into();
            }
        });
        let path = format!("*/blobs/{}", image.last_layer().digest);
        let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
        Scenario::new(&["D15"], name, title)
            .at("A", Script::registry(registry))
            .expecting(INTEGRITY)
            .requests("A", "GET", &path, 1..=2)
    };
    let (layer, rule) = last_layer();
    let empty = Reply::new(200).header("Content-Type", "application/octet-stream");
    vec![
        described("wrong-size", "A layer is longer than the manifest says", |_| 1000),
        described("wrong-size-larger", "A layer is shorter than the manifest says", |size| {
            size + 1000
        }),
        Scenario::new(&["D15"], "wrong-size-zero", "A layer's answer is empty, and says so")
            .with_rules([rule.always(empty)])
            .expecting(INTEGRITY)
            .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=2),
    ]
}

/// No coding of the transport is ever undone: the bytes are those of the digest, or they are refused.
fn codings() -> Vec<Scenario> {
    let labelled = |name, title, coding: &str| {
        let (_, rule) = last_layer();
        Scenario::new(&["D18"], name, title)
            .with_rules([rule.always(Reply::registry().header("Content-Encoding", coding))])
    };
    // 256 MiB in 256 members, or frames.
    let bomb = |name, title, coding: &str, part: Vec<u8>| {
        let (layer, rule) = last_layer();
        let reply = Reply::new(200).header("Content-Encoding", coding).body(part.repeat(256));
        Scenario::new(&["D18"], name, title)
            .with_rules([rule.always(reply)])
            .expecting(INTEGRITY)
            .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=4)
    };
    let zeros = vec![0; 1 << 20];
    let encoded = gzip(&Image::small().last_layer().bytes);
    let (layer, rule) = last_layer();
    vec![
        labelled(
            "content-encoding",
            "A layer is labelled Content-Encoding: gzip, and its bytes are the right ones",
            "gzip",
        ),
        labelled("content-encoding-unknown", "A layer is of a coding that nobody knows", "x-new"),
        labelled("content-encoding-stacked", "A layer is of several codings", "gzip, br, zstd"),
        Scenario::new(&["D18"], "content-encoded", "A layer was encoded on the way")
            .with_rules([
                rule.always(Reply::new(200).header("Content-Encoding", "gzip").body(encoded))
            ])
            .expecting(INTEGRITY)
            .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=4),
        bomb("gzip-bomb", "A layer would become 256 MiB, as gzip", "gzip", gzip(&zeros)),
        bomb("zstd-bomb", "A layer would become 256 MiB, as zstd", "zstd", zstd(&zeros)),
    ]
}
