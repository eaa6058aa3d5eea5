//! Blobs that are cut, wrong, or longer than they say.

use std::sync::LazyLock;
use std::time::Duration;

use super::{last_layer, stocked};
use crate::content::{Blob, Image, LAYER_GZIP, base64, noise};
use crate::origin::{End, Length, Reply, Script, on};
use crate::registry::Registry;
use crate::scenario::{Class, Expect, REPOSITORY, Scenario, TAG};

const INTEGRITY: Expect = Expect::Failure(&[Class::Integrity]);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        cut(
            &["D01"],
            "cut-body-fin",
            "A layer's body ends early with FIN, once",
            100_000,
            End::Fin,
        ),
        cut(
            &["D01"],
            "cut-body-at-zero",
            "A layer's body ends before its first byte, once",
            0,
            End::Fin,
        ),
        cut(
            &["D02"],
            "cut-body-rst",
            "A layer's body ends early with a reset, once",
            10_000,
            End::Rst,
        ),
        cut_chunked(),
        cut_after_last_byte(),
        stalled_once(),
        dripping_cut(),
        wrong_offset(),
        wrong_total(),
        range_not_satisfiable(),
        other_bytes_on_resume(),
        longer_than_descriptor(),
        flipped_bit(),
        flipped_bit_once(),
        gone_on_resume(),
        empty_blob("empty-blob", "A layer of no bytes at all", Reply::registry()),
        empty_blob(
            "empty-blob-no-content",
            "A layer of no bytes is answered with 204",
            Reply::new(204),
        ),
        same_layer_twice(),
        parts(
            "parts-ignored",
            "Every range of a large, slow blob is answered with the whole",
            whole(),
        ),
        parts("parts-short", "Ranges of a large, slow blob are shorter than asked for", short()),
        parts(
            "parts-wrong",
            "Ranges of a large, slow blob are other ranges than asked for",
            other(),
        ),
        parts("parts-refused", "A registry refuses ranges of a large, slow blob", Reply::new(403)),
        embedded(),
        wrongly_embedded(),
        dripping_for_ever(),
    ]
    .into_iter()
    .chain(partial_content())
    .collect()
}

/// An image with one layer that is large enough to be read in parts.
fn large() -> Image {
    static LARGE: LazyLock<Image> = LazyLock::new(|| {
        let layer = Blob::new(LAYER_GZIP, noise(1, 12 << 20));
        Image::of(Image::small().config, vec![layer])
    });
    LARGE.clone()
}

/// Slow enough to make parts worth while.
fn slow(reply: Reply) -> Reply {
    reply.drip(64 << 10, Duration::from_millis(4))
}

/// A large blob, and this answer to whoever asks for a part of it; one answer is right before.
fn parts(name: &'static str, title: &'static str, answer: Reply) -> Scenario {
    let image = large();
    let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
    let path = format!("*/blobs/{}", image.last_layer().digest);
    let ranged = on("GET", &*path).with_header("range");
    let script = Script::registry(registry)
        .rule(ranged.times(1, slow(Reply::registry())).always(slow(answer)))
        .rule(on("GET", &*path).always(slow(Reply::registry())));
    Scenario::new(&["D23"], name, title).at("A", script).with_image(image).requests(
        "A",
        "GET",
        &path,
        1..=20,
    )
}

fn whole() -> Reply {
    Reply::registry()
        .status(200)
        .without_header("content-range")
        .body(large().last_layer().bytes.clone())
}

fn short() -> Reply {
    let total = large().last_layer().bytes.len();
    Reply::new(206).header("Content-Range", format!("bytes 0-9/{total}")).body("0123456789")
}

fn other() -> Reply {
    let bytes = large().last_layer().bytes.clone();
    let range = format!("bytes 0-{}/{}", bytes.len() - 1, bytes.len());
    Reply::new(206).header("Content-Range", range).body(bytes)
}

/// The image with its configuration embedded in its manifest as `data`.
fn embedding(data: &str) -> Image {
    Image::small().with_manifest(|manifest| {
        if let Some(config) = manifest.get_mut("config") {
            config["data"] = data.into();
        }
    })
}

fn embedded() -> Scenario {
    let image = embedding(&base64(&Image::small().config.bytes));
    Scenario::new(&["G09"], "embedded-data", "A configuration is embedded in the manifest")
        .at("A", Script::registry(Registry::new().with_image(REPOSITORY, TAG, &image)))
        .with_image(image)
}

fn wrongly_embedded() -> Scenario {
    let image = embedding(&base64(b"{}"));
    let title = "Something else than the configuration is embedded in its place";
    Scenario::new(&["G09"], "embedded-data-wrong", title)
        .at("A", Script::registry(Registry::new().with_image(REPOSITORY, TAG, &image)))
        .with_image(image)
}

fn cut(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    at: u64,
    end: End,
) -> Scenario {
    let (layer, rule) = last_layer();
    let path = format!("*/blobs/{}", layer.digest);
    let slack = 64 * 1024;
    Scenario::new(ids, name, title)
        .with_rules([rule.times(1, Reply::registry().cut(at, end))])
        .requests("A", "GET", &path, 2..=3)
        .sent("A", "GET", &path, layer.bytes.len() as u64 + slack)
}

fn cut_chunked() -> Scenario {
    let (_, rule) = last_layer();
    let title = "A layer's body without a length ends early, once";
    let reply = Reply::registry().length(Length::Absent).cut(100_000, End::Fin);
    Scenario::new(&["D16"], "cut-body-without-length", title).with_rules([rule.times(1, reply)])
}

fn cut_after_last_byte() -> Scenario {
    let (layer, rule) = last_layer();
    let title = "The connection ends after a chunked body's last byte, before its last chunk";
    let all = layer.bytes.len() as u64;
    Scenario::new(&["D11"], "cut-after-last-byte", title)
        .with_rules([rule.times(1, Reply::registry().length(Length::Chunked).cut(all, End::Fin))])
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=1)
}

fn stalled_once() -> Scenario {
    let (_, rule) = last_layer();
    let title = "A layer's body stalls, once";
    let mut scenario = Scenario::new(&["D05"], "stalled-body", title)
        .with_rules([rule.times(1, Reply::registry().cut(1000, End::Hold))]);
    // The default idle deadline is 30 s.
    scenario.deadline *= 2;
    scenario
}

fn dripping_cut() -> Scenario {
    let (layer, rule) = last_layer();
    let title = "Every answer brings one byte and ends";
    Scenario::new(&["D04"], "one-byte-for-ever", title)
        .with_rules([rule.always(Reply::registry().cut(1, End::Fin))])
        .expecting(Expect::Failure(&[Class::Network, Class::Integrity]))
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=20)
}

/// Too slow to be worth waiting for, and never quite silent. The floor of 1 KiB/s is taken over 60 s.
fn dripping_for_ever() -> Scenario {
    let (layer, rule) = last_layer();
    let drip = Reply::registry().drip(1, Duration::from_millis(500));
    let mut scenario = Scenario::new(&["D06"], "body-drips", "A layer comes byte by byte")
        .with_rules([rule.always(drip)])
        .expecting(Expect::Failure(&[Class::Network]))
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=3);
    scenario.deadline *= 4;
    scenario
}

/// A cut, then this answer to the resume, then a registry that behaves.
fn resume(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    answer: Reply,
) -> Scenario {
    let (_, cut) = last_layer();
    let (_, resumed) = last_layer();
    Scenario::new(ids, name, title).with_rules([
        resumed.with_header("range").times(1, answer),
        cut.times(1, Reply::registry().cut(100_000, End::Fin)),
    ])
}

fn wrong_offset() -> Scenario {
    let (layer, _) = last_layer();
    let range = format!("bytes 0-{}/{}", layer.bytes.len() - 1, layer.bytes.len());
    let answer = Reply::new(206).header("Content-Range", range).body(layer.bytes);
    let title = "A resume is answered from the beginning, as 206";
    resume(&["D08"], "range-at-wrong-offset", title, answer)
}

fn wrong_total() -> Scenario {
    let (layer, _) = last_layer();
    let total = layer.bytes.len();
    let range = format!("bytes 100000-{}/{}", total - 1, total + 1);
    let title = "A resume is answered with a total that is not the blob's";
    let answer = Reply::registry().header("Content-Range", range);
    resume(&["D10"], "range-of-wrong-total", title, answer)
}

/// What is no answer to a request for the rest is not put behind what is there.
fn partial_content() -> Vec<Scenario> {
    let (layer, rule) = last_layer();
    let (total, last) = (layer.bytes.len(), layer.bytes.len() - 1);
    let says = |name, title, range: String| {
        resume(&["D09"], name, title, Reply::registry().header("Content-Range", range))
    };
    let multipart = format!(
        "--x\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 100000-{last}/{total}\r\n\r\n"
    );
    let multipart =
        [multipart.as_bytes(), &layer.bytes.slice(100_000..), b"\r\n--x--\r\n"].concat();
    let unasked = rule.times(1, Reply::registry().status(206));
    vec![
        resume(
            &["D09"],
            "range-without-content-range",
            "A resume is answered with 206 and no Content-Range",
            Reply::registry().without_header("content-range"),
        ),
        says(
            "range-twice",
            "A resume is answered with two Content-Range",
            format!("bytes 100000-{last}/{total}\r\nContent-Range: bytes 0-{last}/{total}"),
        ),
        says(
            "range-unsatisfied",
            "A resume is answered with 206 for no range at all",
            format!("bytes */{total}"),
        ),
        resume(
            &["D09"],
            "range-in-parts",
            "A resume is answered in several parts",
            Reply::new(206)
                .header("Content-Type", "multipart/byteranges; boundary=x")
                .body(multipart),
        ),
        Scenario::new(&["D09"], "range-unasked", "A plain GET is answered with 206, once")
            .with_rules([unasked]),
    ]
}

fn range_not_satisfiable() -> Scenario {
    let title = "A resume is answered with 416 though bytes are missing";
    resume(&["D12"], "range-refused", title, Reply::new(416))
}

fn other_bytes_on_resume() -> Scenario {
    let (layer, _) = last_layer();
    let rest = noise(99, layer.bytes.len() - 100_000);
    let title = "A resume brings bytes of another blob";
    resume(&["D13"], "other-bytes-on-resume", title, Reply::registry().body(rest))
}

fn gone_on_resume() -> Scenario {
    let (_, cut) = last_layer();
    let title = "The blob is gone when the client comes back for the rest";
    Scenario::new(&["D21"], "gone-on-resume", title)
        .with_rules([cut
            .times(1, Reply::registry().cut(100_000, End::Fin))
            .always(Reply::new(404))])
        .expecting(Expect::Failure(&[Class::NotFound]))
}

fn longer_than_descriptor() -> Scenario {
    let (layer, rule) = last_layer();
    let title = "A layer's body goes on for ever after its last byte";
    Scenario::new(&["D14"], "endless-body", title)
        .with_rules([rule.always(Reply::new(200).endless(layer.bytes, &b"\0"[..]))])
        .expecting(INTEGRITY)
        .sent("A", "GET", &format!("*/blobs/{}", layer.digest), 32 * 1024 * 1024)
}

fn flipped_bit() -> Scenario {
    let (layer, rule) = last_layer();
    Scenario::new(&["D17"], "wrong-digest", "One bit of a layer is flipped, always")
        .with_rules([rule.always(Reply::registry().flip_bit(layer.bytes.len() / 2))])
        .expecting(INTEGRITY)
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=4)
}

fn flipped_bit_once() -> Scenario {
    let (_, rule) = last_layer();
    let title = "One bit of a layer is flipped, in the first answer only";
    Scenario::new(&["D17"], "wrong-digest-once", title)
        .with_rules([rule.times(1, Reply::registry().flip_bit(0))])
}

fn empty_blob(name: &'static str, title: &'static str, answer: Reply) -> Scenario {
    let image = Image::small();
    let mut layers = image.layers;
    let empty = Blob::new(LAYER_GZIP, "");
    let asked = on("GET", format!("*/blobs/{}", empty.digest));
    layers.push(empty);
    let image = Image::of(image.config, layers);
    let registry = stocked().with_image(REPOSITORY, TAG, &image);
    Scenario::new(&["D22"], name, title)
        .at("A", Script::registry(registry).rule(asked.always(answer)))
        .with_image(image)
}

fn same_layer_twice() -> Scenario {
    let image = Image::small();
    let layer = image.last_layer().clone();
    let image = Image::of(image.config, vec![layer.clone(), layer.clone()]);
    let registry = Registry::new().with_image(REPOSITORY, TAG, &image);
    Scenario::new(&["G07"], "same-layer-twice", "A layer that occurs twice is fetched once")
        .at("A", Script::registry(registry))
        .with_image(image)
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=1)
}
