//! Answers that are no HTTP, or too much of it.

use std::time::Duration;

use super::last_layer;
use crate::content::Image;
use crate::origin::{Reply, Rule, on};
use crate::scenario::{Class, Expect, Scenario};

const PATH: &str = "*/manifests/v1";
/// What is broken is not asked for again and again.
const PROTOCOL: Expect = Expect::Failure(&[Class::Network, Class::Other]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = lengths();
    all.extend(heads());
    all.extend(chunks());
    all
}

/// A digest is asked for, and answered with these bytes.
fn answered(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    rule: Rule,
) -> Scenario {
    Scenario::new(ids, name, title).with_rules([rule])
}

fn broken(
    ids: &'static [&'static str],
    name: &'static str,
    title: &'static str,
    reply: Reply,
) -> Scenario {
    answered(ids, name, title, on("*", PATH).always(reply)).expecting(PROTOCOL).requests(
        "A",
        "*",
        PATH,
        1..=2,
    )
}

fn lengths() -> Vec<Scenario> {
    let text = |lengths: &str| {
        let (head, body) = head_and_body();
        Reply::raw([head.as_bytes(), lengths.as_bytes(), b"\r\n\r\n", &body].concat())
    };
    let wrong = |name, title, lengths| broken(&["H01"], name, title, text(lengths));
    let (head, body) = head_and_body();
    let chunked = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let both = |lengths: &str| {
        let reply = [head.as_bytes(), lengths.as_bytes(), b"\r\n\r\n", &chunked].concat();
        on("GET", PATH).always(Reply::raw(reply))
    };
    let smuggling = |name, title, lengths| answered(&["H02"], name, title, both(lengths));
    vec![
        wrong(
            "length-twice",
            "Two lengths, of which neither is right",
            "Content-Length: 5\r\nContent-Length: 6",
        ),
        wrong("length-negative", "A length below nothing", "Content-Length: -1"),
        wrong("length-with-plus", "A length with a sign", "Content-Length: +5"),
        wrong("length-hexadecimal", "A length in hexadecimal digits", "Content-Length: 0x10"),
        wrong(
            "length-beyond-64-bits",
            "A length that no counter holds",
            "Content-Length: 99999999999999999999999",
        ),
        smuggling(
            "length-and-chunks",
            "A length, and then chunks, which count",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ),
        smuggling(
            "chunks-and-length",
            "Chunks, which count, and then a length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
        ),
    ]
}

/// The small image's manifest, as it is answered, up to how long it is.
fn head_and_body() -> (String, Vec<u8>) {
    let manifest = Image::small().manifest;
    let (media_type, digest) = (&manifest.media_type, &manifest.digest);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nDocker-Content-Digest: {digest}\r\n"
    );
    (head, manifest.bytes.to_vec())
}

fn heads() -> Vec<Scenario> {
    let many: Vec<_> = (0..200).map(|n| format!("X-Header-{n}: x\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", many.concat());
    let informed = |status: &str, times: usize| {
        let (head, body) = head_and_body();
        let first = format!("HTTP/1.1 {status}\r\n\r\n").repeat(times);
        let head = format!("{first}{head}Content-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    };
    let header = |name: &'static str, title, key: &str, value: String| {
        Scenario::new(&["H14"], name, title)
            .with_rules([on("GET", PATH).always(Reply::registry().header(key, value))])
    };
    let mut dripped = answered(
        &["H05"],
        "head-drips",
        "The head of an answer comes byte by byte, once",
        on("*", PATH).times(
            1,
            Reply::raw("HTTP/1.1 200 OK\r\n".repeat(100)).drip(1, Duration::from_millis(500)),
        ),
    );
    // The default deadline for a head is 30 s.
    dripped.deadline *= 2;
    let mut flood = answered(
        &["H04"],
        "continue-for-ever",
        "The server says that it goes on, and nothing else, once",
        on("*", PATH).times(
            1,
            Reply::raw("HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000))
                .drip(25, Duration::from_millis(100)),
        ),
    );
    flood.deadline *= 2;
    vec![
        broken(&["H03"], "headers-too-many", "An answer has 200 headers", Reply::raw(many)),
        broken(
            &["H03"],
            "header-of-a-mebibyte",
            "An answer has a header of 1 MiB",
            Reply::new(200).header("X-Long", "x".repeat(1 << 20)),
        ),
        flood,
        Scenario::new(&["H04"], "early-hints", "An answer comes after hints of it")
            .with_rules([on("GET", PATH).always(Reply::raw(informed("103 Early Hints", 3)))]),
        dripped,
        header("header-not-ascii", "A header has letters beyond ASCII", "X-Odd", "größer".into()),
        header(
            "digest-header-not-ascii",
            "Docker-Content-Digest is no text",
            "Docker-Content-Digest",
            "sha256:größer".into(),
        ),
        header("header-of-64-kib", "A header has 64 KiB", "X-Odd", "x".repeat(64 << 10)),
        broken(
            &["H14"],
            "header-with-nul",
            "A header has a NUL in it",
            Reply::registry().header("X-Odd", "a\0b"),
        ),
        broken(
            &["H14"],
            "header-folded",
            "A header goes on in the next line",
            Reply::registry().header("X-Odd", "a\r\n b"),
        ),
    ]
}

fn chunks() -> Vec<Scenario> {
    let (layer, _) = last_layer();
    let chunked = |text: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::raw(format!("{head}{text}"))
    };
    let path = format!("*/blobs/{}", layer.digest);
    let once = |name, title, text: &str| {
        Scenario::new(&["H09"], name, title)
            .with_rules([on("GET", path.as_str()).times(1, chunked(text))])
    };
    let always = |name, title, text: &str| {
        Scenario::new(&["H09"], name, title)
            .with_rules([on("GET", path.as_str()).always(chunked(text))])
            .expecting(Expect::Failure(&[]))
            .requests("A", "GET", &path, 1..=12)
            .sent("A", "GET", &path, 24 << 20)
    };
    let mut body = format!("{:x}\r\n", layer.bytes.len()).into_bytes();
    body.extend_from_slice(&layer.bytes);
    body.extend_from_slice(b"\r\n0\r\n");
    body.extend("X-Trailer: x\r\n".repeat(100_000).into_bytes());
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let trailers = on("GET", path.as_str()).times(1, Reply::raw([head, body].concat()));
    vec![
        once("chunk-cut", "A chunk ends early, once", "400\r\nabc"),
        once("chunk-without-end", "The last chunk is missing, once", "3\r\nabc\r\n"),
        always("chunk-of-no-number", "The size of a chunk is no number", "zz\r\nabc\r\n0\r\n\r\n"),
        always(
            "chunk-too-large",
            "The size of a chunk is more than any counter holds",
            "fffffffffffffffff\r\nabc",
        ),
        always(
            "chunk-extensions",
            "A chunk has a megabyte of extensions",
            &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x=y;".repeat(1 << 18)),
        ),
        answered(
            &["H09"],
            "trailers-for-ever",
            "There are megabytes of trailers behind a layer",
            trailers,
        ),
    ]
}
