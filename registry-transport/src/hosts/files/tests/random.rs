//! No text makes a reader panic, and what is read can be explained.

use std::path::Path;

use proptest::prelude::*;

use super::super::{certs, containerd, own, registries};

/// Pieces of which files of all kinds are made.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "\n",
    "\n",
    " = ",
    "\"",
    "'",
    "{",
    "}",
    ",",
    ".",
    "#",
    "true",
    "false",
    "1",
    "-1",
    "1.5",
    "1979-05-27",
    "registry",
    "registries",
    "host",
    "mirror",
    "server",
    "capabilities",
    "\"pull\"",
    "ca",
    "client",
    "header",
    "headers",
    "skip_verify",
    "override_path",
    "dial_timeout",
    "\"1s\"",
    "endpoint",
    "proxy",
    "prefix",
    "location",
    "insecure",
    "blocked",
    "strict-uploads",
    "aliases",
    "rewrite",
    "search",
    "block",
    "ns",
    "resolve",
    "unqualified-search-registries",
    "mirror-by-digest-only",
    "pull-from-mirror",
    "\"https://a.example\"",
    "\"a.example\"",
    "\"*.a.example\"",
    "\"a.example/b\"",
    "\"\"",
    "\"docker.io\"",
    "[\"a\", \"b\"]",
    "[[\"a\", \"b\"]]",
    "x",
    "é",
    "\u{feff}",
    "\u{0}",
];

fn toml_like() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(PIECES), 0..60)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

/// A line of `KEY = VALUE` below a table that expects it.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let tables = prop::sample::select(
        &[
            "[registry.\"a.example\"]",
            "[[registry.\"a.example\".mirror]]",
            "[[rewrite]]",
            "[aliases]",
            "[[registry]]",
            "[[registry]]\n[[registry.mirror]]",
            "[registries.insecure]",
            "[host.\"https://a.example\"]",
            "[header]",
            "",
        ][..],
    );
    let piece = || prop::sample::select(PIECES);
    let lines = prop::collection::vec((piece(), piece()), 0..6);
    prop::collection::vec((tables, lines), 0..4).prop_map(|tables| {
        let mut text = String::new();
        for (table, lines) in tables {
            text += &[table, "\n"].concat();
            for (key, value) in lines {
                text += &[key, " = ", value, "\n"].concat();
            }
        }
        text.into_bytes()
    })
}

fn read_all(bytes: &[u8]) {
    let file = Path::new("/etc/x");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let faults = [
        own::parse(file, bytes).err(),
        containerd::parse(file, bytes).err(),
        registries::parse(file, bytes, false).err(),
        registries::parse(file, bytes, true).err(),
    ];
    for fault in faults.into_iter().flatten() {
        let line = fault.line().expect("every fault of a text has a line");
        assert!(line >= 1 && line as usize <= lines, "{fault}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn any_pieces_of_toml_are_read_or_refused(bytes in toml_like()) {
        read_all(&bytes);
    }

    #[test]
    fn any_lines_in_tables_are_read_or_refused(bytes in nearly_right()) {
        read_all(&bytes);
    }

    #[test]
    fn any_names_in_a_directory_are_sorted_or_refused(
        names in prop::collection::vec("[a-c.]{0,3}(\\.crt|\\.cert|\\.key|)", 0..6)
    ) {
        let paths: Vec<_> = names.iter().map(|name| Path::new("/d").join(name)).collect();
        let _ = certs::sort(Path::new("/d"), &paths);
    }

    #[test]
    fn a_short_name_is_the_beginning_of_its_image(image in "[a-z0-9.:/@]{0,20}") {
        if let Some(name) = super::super::alias::short(&image) {
            prop_assert!(image.starts_with(name) && !name.is_empty());
        }
    }
}
