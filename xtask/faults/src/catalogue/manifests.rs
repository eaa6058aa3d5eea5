//! Manifests and error bodies that are too long, or something else.

use crate::content::Image;
use crate::origin::{Length, Reply, Rule, on};
use crate::scenario::{Class, Expect, Scenario};

const ANY: Expect = Expect::Failure(&[]);
const PATH: &str = "*/manifests/*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let manifest = Image::small().manifest;
    let media_type = manifest.media_type.as_str();
    vec![
        Scenario::new(&["M01"], "manifest-claims-4-gib", "A manifest announces 4 GiB")
            .with_rules([every(
                Reply::new(200).header("Content-Type", media_type).length(Length::Claimed(4 << 30)),
            )])
            .expecting(ANY),
        Scenario::new(&["M02"], "manifest-endless", "A manifest goes on with spaces for ever")
            .with_rules([every(
                Reply::new(200)
                    .header("Content-Type", media_type)
                    .endless(manifest.bytes.clone(), &b" "[..]),
            )])
            .expecting(ANY)
            .sent("A", "GET", PATH, 24 * 1024 * 1024),
        Scenario::new(&["M03"], "error-body-endless", "A 404 has a body without an end")
            .with_rules([every(Reply::new(404).endless(&b""[..], &b"e"[..]))])
            .expecting(Expect::Failure(&[Class::NotFound]))
            .sent("A", "GET", PATH, 24 * 1024 * 1024),
        Scenario::new(&["M06"], "manifest-is-html", "A manifest's address answers with a web page")
            .with_rules([every(
                Reply::new(200)
                    .header("Content-Type", "text/html")
                    .text("<html><body>Please log in</body></html>"),
            )])
            .expecting(ANY),
        Scenario::new(
            &["M06"],
            "manifest-is-error",
            "A manifest's address answers 200 with an error document",
        )
        .with_rules([every(
            Reply::new(200)
                .header("Content-Type", "application/json")
                .text(r#"{"errors":[{"code":"UNKNOWN","message":"something broke"}]}"#),
        )])
        .expecting(ANY),
        Scenario::new(&["M07"], "manifest-nested", "A manifest is 100 000 brackets deep")
            .with_rules([every(
                Reply::new(200).header("Content-Type", media_type).body("[".repeat(100_000)),
            )])
            .expecting(ANY),
        Scenario::new(
            &["M13"],
            "manifest-with-parameters",
            "A manifest's Content-Type has parameters and capitals",
        )
        .with_rules([on("*", PATH).always(
            Reply::registry().header(
                "Content-Type",
                "Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8",
            ),
        )]),
    ]
}

/// GET and HEAD alike.
fn every(reply: Reply) -> Rule {
    on("*", PATH).always(reply)
}
