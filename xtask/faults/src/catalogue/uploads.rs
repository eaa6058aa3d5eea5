//! Uploads that are sent elsewhere, lost, or answered by silence.

use super::{UPLOADS, basic, bearer};
use crate::content::{Image, sha256};
use crate::origin::{End, Reply, Script, on};
use crate::registry::{Access, Registry};
use crate::scenario::{Action, Expect, Scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let push = |ids, name, title| Scenario::new(ids, name, title).asked_to(Action::Push);
    let empty = || Script::registry(Registry::new());
    let image = Image::small();
    vec![
        push(&["P09"], "push", "A push to a registry that behaves").at("A", empty()),
        elsewhere("upload-elsewhere-basic", "Uploads go to another origin; the password stays at home", basic()),
        elsewhere(
            "upload-elsewhere-bearer",
            "Uploads go to another origin; the token stays at home",
            bearer("http://{A}/token"),
        ),
        push(&["U01"], "upload-cut", "The connection is reset in the middle of a layer, once")
            .at("A", empty()
                .rule(on("PATCH", UPLOADS).times(1, Reply::new(500).reading_only(10_000).unsaid(End::Rst)))
                .rule(on("PUT", UPLOADS).times(1, Reply::new(500).reading_only(10_000).unsaid(End::Rst)))),
        push(&["U02"], "commit-unanswered", "A layer's commit is done, and its answer lost")
            .at("A", empty().rule(on("PUT", UPLOADS).times(1, Reply::registry().unsaid(End::Rst))))
            .requests("A", "PUT", UPLOADS, 1..=5),
        push(&["U02"], "commit-bad-gateway", "A layer's commit is done, and its answer replaced by 502")
            .at("A", empty().rule(on("PUT", UPLOADS).times(1, Reply::registry().status(502))))
            .requests("A", "PUT", UPLOADS, 1..=5),
        push(&["U04"], "session-lost", "An upload session is unknown when it is used, once")
            .at("A", empty()
                .rule(on("PATCH", UPLOADS).times(1, Reply::new(404)))
                .rule(on("PUT", UPLOADS).times(1, Reply::new(404)))),
        push(&["U15"], "no-patch", "PATCH is not allowed")
            .at("A", empty().rule(on("PATCH", "*").always(Reply::new(405)))),
        push(&["U16"], "chunks-of-nine-exabytes", "The registry wants chunks that nobody can hold")
            .at("A", empty().rule(on("POST", UPLOADS).always(
                Reply::registry().header("OCI-Chunk-Min-Length", "9000000000000000000"),
            ))),
        push(&["P03"], "no-mounts", "A request to mount is an error")
            .at("A", empty().rule(on("POST", "*/blobs/uploads/?*mount=*").always(Reply::new(405)))),
        push(&["U10"], "upload-without-location", "An upload begins without a Location")
            .at("A", empty().rule(on("POST", UPLOADS).always(Reply::new(202).header("Range", "0-0"))))
            .expecting(Expect::Failure(&[])),
        push(&["U10"], "upload-to-file", "An upload's Location is a file: URL")
            .at("A", empty().rule(
                on("POST", UPLOADS).always(Reply::new(202).header("Location", "file:///etc/passwd")),
            ))
            .expecting(Expect::Failure(&[])),
        push(&["P05"], "blob-unknown", "The manifest is refused because a blob is unknown, once")
            .at("A", empty().rule(on("PUT", "*/manifests/*").times(1, Reply::new(400).text(
                r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#,
            )))),
        push(&["P08"], "manifest-refused", "The manifest is refused for good")
            .at("A", empty().rule(on("PUT", "*/manifests/*").always(Reply::new(400).text(
                r#"{"errors":[{"code":"MANIFEST_INVALID","message":"we do not like it"}]}"#,
            ))))
            .expecting(Expect::Failure(&[]))
            .requests("A", "PUT", "*/manifests/*", 1..=2),
        push(&["P08"], "tag-immutable", "The tag may not be written")
            .at("A", empty().rule(on("PUT", "*/manifests/*").always(Reply::new(409).text(
                r#"{"errors":[{"code":"TAG_INVALID","message":"this tag is immutable"}]}"#,
            ))))
            .expecting(Expect::Failure(&[]))
            .requests("A", "PUT", "*/manifests/*", 1..=1),
        push(&["P08"], "manifest-too-large", "The manifest is too large")
            .at("A", empty().rule(on("PUT", "*/manifests/*").always(Reply::new(413))))
            .expecting(Expect::Failure(&[]))
            .requests("A", "PUT", "*/manifests/*", 1..=1),
        push(&["P07"], "tag-bad-gateway-unwritten", "The tag is not written, once, and 502 says so")
            .at("A", empty().rule(on("PUT", "*/manifests/*").times(1, Reply::new(502))))
            .requests("A", "PUT", "*/manifests/*", 2..=2),
        push(&["P07"], "tag-taken", "The tag's answer is lost, and somebody else writes it")
            .at("A", empty()
                .rule(on("HEAD", "*/manifests/v1").times(1, Reply::registry()).always(
                    Reply::new(200)
                        .header("Content-Type", crate::content::MANIFEST)
                        .header("Docker-Content-Digest", sha256(b"somebody else's"))
                        .length(crate::origin::Length::Claimed(100)),
                ))
                .rule(on("PUT", "*/manifests/*").always(Reply::new(502))))
            .expecting(Expect::Failure(&[]))
            .requests("A", "PUT", "*/manifests/*", 1..=1),
        push(&["P07"], "tag-bad-gateway", "The tag is written, and the answer replaced by 502")
            .at("A", empty().rule(on("PUT", "*/manifests/*").times(1, Reply::registry().status(502))))
            .requests("A", "PUT", "*/manifests/*", 1..=3)
            .with_image(image),
    ]
}

/// `B` takes whatever comes, as an object store does behind signed addresses.
fn elsewhere(name: &'static str, title: &'static str, access: Access) -> Scenario {
    let digest = Image::small().manifest.digest;
    // Without credentials the registry's own 401 comes first.
    let begin = on("POST", UPLOADS).with_header("authorization").always(
        Reply::new(202)
            .header("Location", "http://{B}/session/{visit}?state=a%2Fb")
            .header("Range", "0-0"),
    );
    let manifest = on("PUT", "*/manifests/*").with_header("authorization").always(
        Reply::new(201).header("Location", "{path}").header("Docker-Content-Digest", &digest),
    );
    let store =
        Script::new()
            .rule(on("PATCH", "/session/*").always(
                Reply::new(202).header("Location", "{target}").header("Range", "0-{body-end}"),
            ))
            .rule(on("PUT", "/session/*").always(Reply::new(201).header("Location", "/stored")));
    Scenario::new(&["U11"], name, title)
        .asked_to(Action::Push)
        .at("A", Script::registry(Registry::new().with_access(access)).rule(begin).rule(manifest))
        .at("B", store)
        .logged_in()
        .expecting(Expect::Accepted)
        .requests("B", "PUT", "/session/*", 3..=3)
        .requests("B", "*", &format!("*{}*", sha256(b"never asked for")), 0..=0)
}
