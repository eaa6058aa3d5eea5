//! Upload sessions of which the registry says strange things, and bodies that it does not take.

use super::{UPLOADS, basic, bearer};
use crate::content::{Blob, Image, sha256};
use crate::origin::{End, Reply, Rule, Script, on};
use crate::registry::Registry;
use crate::scenario::{Action, Certificate, Class, Entry, Expect, Scenario};
use crate::tls::Valid;

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = in_pieces();
    all.extend(refused_bodies());
    all.extend(locations());
    all.extend(begun());
    all.extend(sources());
    all.extend(by_sha512());
    all
}

fn push(ids: &'static [&'static str], name: &'static str, title: &'static str) -> Scenario {
    Scenario::new(ids, name, title).asked_to(Action::Push)
}

/// Takes bytes only by PATCH: a PUT with a body is too large for it.
fn pieces_only(rules: impl IntoIterator<Item = Rule>) -> Script {
    let whole = on("PUT", UPLOADS).with_header("content-type").always(Reply::new(413));
    rules.into_iter().fold(Script::registry(Registry::new()), Script::rule).rule(whole)
}

fn patch(reply: Reply) -> [Rule; 1] {
    [on("PATCH", UPLOADS).times(1, reply)]
}

fn in_pieces() -> Vec<Scenario> {
    let status = |range: &str| Reply::new(416).header("Range", range).header("Location", "{path}");
    let odd = |name, title, range: &str| {
        let reply = Reply::registry().header("Range", range);
        push(&["U08"], name, title).at("A", pieces_only([on("PATCH", UPLOADS).always(reply)]))
    };
    let mut all = vec![
        push(&["U05"], "session-ahead", "416 names an offset that the piece before it had reached")
            .at("A", pieces_only(patch(Reply::registry().status(416))))
            .requests("A", "POST", UPLOADS, 3..=3),
        push(&["U05"], "session-behind", "416 wants the second piece from an earlier byte on").at(
            "A",
            pieces_only([on("PATCH", UPLOADS)
                .times(1, Reply::registry())
                .times(1, status("0-99"))]),
        ),
        push(&["U05"], "session-beyond", "416 names an offset that nothing ever reached, once")
            .at("A", pieces_only(patch(status("0-99999999"))))
            .requests("A", "DELETE", UPLOADS, 1..=1),
        push(&["U06"], "session-of-no-byte-or-one", "416 says 0-0, once")
            .at("A", pieces_only(patch(status("0-0"))))
            .requests("A", "POST", UPLOADS, 4..=4),
        push(&["U07"], "session-stands-still", "Every piece is accepted, and none arrives")
            .at(
                "A",
                pieces_only([on("PATCH", UPLOADS)
                    .always(Reply::new(202).header("Range", "0-0").header("Location", "{path}"))]),
            )
            .expecting(Expect::Failure(&[]))
            .requests("A", "PATCH", UPLOADS, 1..=10)
            .requests("A", "POST", UPLOADS, 1..=5),
        push(&["U08"], "range-missing", "Nothing says where an upload session stands").at(
            "A",
            pieces_only([on("PATCH", UPLOADS).always(Reply::registry().without_header("range"))]),
        ),
        odd("range-of-too-many-dashes", "An upload session stands at 0--1", "0--1"),
        odd("range-backwards", "An upload session stands at 9-0", "9-0"),
        odd("range-of-2-to-the-64", "An upload session ends beyond 2^64", "0-18446744073709551615"),
        odd("range-of-words", "An upload session stands at garbage", "all of it"),
    ];
    all.push(
        push(&["U01", "U04"], "session-lost-in-pieces", "A session is unknown at its second piece")
            .at(
                "A",
                pieces_only([on("PATCH", UPLOADS)
                    .times(1, Reply::registry())
                    .times(1, Reply::new(404))]),
            )
            .requests("A", "POST", UPLOADS, 4..=4),
    );
    all
}

fn refused_bodies() -> Vec<Scenario> {
    let empty = || Script::registry(Registry::new());
    let begun = |reply: Reply| reply.reading_only(1000).then(End::Fin);
    let denied = r#"{"errors":[{"code":"DENIED","message":"the quota is used up"}]}"#;
    let mut silent =
        push(&["U19"], "commit-never-answered", "A layer is taken, and never answered").at(
            "A",
            empty().rule(on("PUT", UPLOADS).times(1, Reply::registry().unsaid(End::Hold))),
        );
    // The default deadline for a commit is 120 s.
    silent.deadline *= 4;
    let mut stuck = push(&["U18"], "upload-not-read", "A layer is not read any further, once").at(
        "A",
        empty().rule(
            on("PUT", UPLOADS).times(1, Reply::new(500).reading_only(1000).unsaid(End::Stall)),
        ),
    );
    // The default deadline for a body that nobody takes is 60 s.
    stuck.deadline *= 4;
    vec![
        silent,
        stuck,
        push(&["U17"], "413-in-flight", "413 while the body is in flight: smaller pieces")
            .at(
                "A",
                empty().rule(
                    on("PUT", UPLOADS).with_header("content-type").always(begun(Reply::new(413))),
                ),
            )
            .requests("A", "PATCH", UPLOADS, 2..=4),
        push(&["U17"], "403-in-flight", "403 while the body is in flight")
            .at("A", empty().rule(on("PUT", UPLOADS).always(begun(Reply::new(403)).text(denied))))
            .expecting(Expect::Failure(&[Class::Denied]))
            .requests("A", "PUT", UPLOADS, 1..=1)
            .requests("A", "DELETE", UPLOADS, 1..=1),
        push(&["U17"], "401-in-flight", "401 while the body is in flight: a new token")
            .at(
                "A",
                Script::registry(Registry::new().with_access(bearer("http://{A}/token")))
                    .rule(on("PUT", UPLOADS).with_header("authorization").times(
                    1,
                    begun(Reply::new(401).header(
                        "WWW-Authenticate",
                        r#"Bearer realm="http://{A}/token",service="test",error="invalid_token""#,
                    )),
                )),
            )
            .logged_in(),
        push(&["U15"], "no-patch-and-cut", "PATCH is not allowed, and a body is cut").at(
            "A",
            empty().rule(on("PATCH", UPLOADS).always(Reply::new(405))).rule(
                on("PUT", UPLOADS).times(1, Reply::new(500).reading_only(10_000).unsaid(End::Rst)),
            ),
        ),
        push(
            &["U15"],
            "neither-whole-nor-in-pieces",
            "Bodies are too large, and PATCH is not allowed",
        )
        .at("A", pieces_only([on("PATCH", UPLOADS).always(Reply::new(405))]))
        .expecting(Expect::Failure(&[]))
        .requests("A", "*", UPLOADS, 1..=20),
        push(&["U01", "U02"], "every-upload-cut", "Every layer is cut, every time")
            .at(
                "A",
                empty()
                    .rule(
                        on("PATCH", UPLOADS)
                            .always(Reply::new(500).reading_only(10_000).unsaid(End::Rst)),
                    )
                    .rule(
                        on("PUT", UPLOADS)
                            .always(Reply::new(500).reading_only(10_000).unsaid(End::Rst)),
                    ),
            )
            .expecting(Expect::Failure(&[]))
            .requests("A", "POST", UPLOADS, 1..=6),
    ]
}

fn locations() -> Vec<Scenario> {
    // The bytes of the query travel as they came, and the digest follows them.
    let kept = |path: &str| {
        let state = "_state=a%2Fb%3D%3D&x=%7e+y";
        let digest = Image::small().manifest.digest;
        Script::registry(Registry::new())
            .rule(
                on("POST", UPLOADS)
                    .always(Reply::new(202).header("Location", format!("{path}?{state}"))),
            )
            .rule(
                on("PUT", format!("/v2/real/app/blobs/uploads/s1?{state}&digest=sha256*"))
                    .always(Reply::new(201)),
            )
            .rule(
                on("PUT", "*/manifests/*")
                    .always(Reply::new(201).header("Docker-Content-Digest", digest)),
            )
    };
    let empty = || Script::registry(Registry::new());
    let at = |name, title, path: &str| {
        push(&["U09"], name, title).at("A", kept(path)).expecting(Expect::Accepted).requests(
            "A",
            "PUT",
            "*/uploads/s1",
            3..=3,
        )
    };
    vec![
        at("location-relative", "An upload's Location is relative", "s1"),
        at("location-with-path", "An upload's Location is a path", "/v2/real/app/blobs/uploads/s1"),
        at(
            "location-with-host",
            "An upload's Location is a whole URL",
            "http://{A}/v2/real/app/blobs/uploads/s1",
        ),
        at("location-with-dots", "An upload's Location climbs", "../uploads/./s1"),
        push(&["U11", "U17"], "upload-elsewhere-denied", "Another origin refuses the upload")
            .at(
                "A",
                Script::registry(Registry::new().with_access(basic())).rule(
                    on("POST", UPLOADS)
                        .with_header("authorization")
                        .always(Reply::new(202).header("Location", "http://{B}/session?state=1")),
                ),
            )
            .at("B", Script::new().rule(on("PUT", "/session").always(Reply::new(403))))
            .logged_in()
            .expecting(Expect::Failure(&[Class::Denied])),
        push(
            &["U12"],
            "upload-without-tls",
            "An upload's Location is not over TLS, as the registry is",
        )
        .through(Entry::Tls(Certificate::Signed(Valid::Now)))
        .at(
            "A",
            empty().rule(
                on("POST", UPLOADS)
                    .always(Reply::new(202).header("Location", "http://{B}/session?state=1")),
            ),
        )
        .at("B", Script::new())
        .expecting(Expect::Failure(&[]))
        .requests("B", "*", "*", 0..=0),
    ]
}

fn begun() -> Vec<Scenario> {
    let claims = |status| {
        Script::registry(Registry::new()).rule(on("POST", UPLOADS).always(Reply::new(status)))
    };
    let mount = || on("POST", "*/blobs/uploads/?*mount=*");
    let empty = || Script::registry(Registry::new());
    let layer = Image::small().last_layer().clone();
    let says = |reply: Reply| empty().rule(mount().always(reply));
    vec![
        push(&["U13"], "begins-with-200", "POST of an upload is answered with 200")
            .at("A", claims(200))
            .expecting(Expect::Failure(&[])),
        push(&["U13"], "begins-with-204", "POST of an upload is answered with 204")
            .at("A", claims(204))
            .expecting(Expect::Failure(&[])),
        push(
            &["U13"],
            "begins-with-202-alone",
            "POST of an upload is answered with 202 and nothing",
        )
        .at("A", claims(202))
        .expecting(Expect::Failure(&[])),
        push(&["U13"], "claims-to-have-it", "Every POST of an upload is answered with 201")
            .at("A", claims(201))
            .expecting(Expect::Failure(&[])),
        push(&["P01"], "mounts-something-else", "A mount is answered with another digest")
            .at("A", says(Reply::new(201).header("Docker-Content-Digest", sha256(b"else"))))
            .requests("A", "HEAD", "*/blobs/*", 1..=3),
        push(&["P02"], "mount-begins-an-upload", "What cannot be mounted is an upload begun")
            .at("A", empty())
            .requests("A", "POST", UPLOADS, 3..=3),
        push(
            &["E08"],
            "repository-missing",
            "The repository has to be made before it is pushed to",
        )
        .at(
            "A",
            empty().rule(on("POST", UPLOADS).always(Reply::new(404).text(
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist"}]}"#,
            ))),
        )
        .expecting(Expect::Failure(&[Class::NotFound]))
        // Side by side, two small blobs begin once, and the larger one asks before it does.
        .requests("A", "POST", UPLOADS, 1..=4),
        push(&["P03"], "mounts-denied", "A request to mount is denied")
            .at("A", says(Reply::new(403)))
            .requests("A", "POST", UPLOADS, 4..=4),
        push(&["P03"], "mounts-break", "A request to mount breaks the registry")
            .at("A", says(Reply::new(500))),
        push(
            &["P01", "P04"],
            "mounted-and-not-there",
            "A mount is accepted, and the blob is not there",
        )
        .at("A", says(Reply::new(201))),
        push(&["P06"], "phantom-blob", "A mount and HEAD say that a layer is there, and it is not")
            .at(
                "A",
                says(Reply::new(201)).rule(
                    on("HEAD", format!("*/blobs/{}", layer.digest))
                        .always(Reply::new(200).body(layer.bytes)),
                ),
            ),
    ]
}

/// Layers that are not what they were when their manifest was made.
fn sources() -> Vec<Scenario> {
    let changed = |name, title, change: fn(&mut Vec<u8>)| {
        let mut image = Image::small();
        if let Some(layer) = image.layers.last_mut() {
            let mut bytes = layer.bytes.to_vec();
            change(&mut bytes);
            layer.bytes = bytes.into();
        }
        push(&["U20"], name, title)
            .with_image(image)
            .at("A", Script::registry(Registry::new()))
            .expecting(Expect::Failure(&[Class::Integrity]))
            .requests("A", "PUT", "*/manifests/*", 0..=0)
    };
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(150_000);
    vec![
        changed("layer-shrunk", "A layer's file has become shorter", cut),
        changed("layer-grown", "A layer's file has become longer", |bytes| bytes.extend(b"more")),
        changed("layer-changed", "A byte of a layer's file is another one", |bytes| bytes[77] ^= 1)
            .requests("A", "DELETE", UPLOADS, 1..=9),
    ]
}

/// An image whose configuration and layers have no other name than their sha512.
fn by_sha512() -> Vec<Scenario> {
    let Image { config, layers, .. } = Image::small();
    let image = Image::of(config.by_sha512(), layers.into_iter().map(Blob::by_sha512).collect());
    let announced = on("POST", "*/blobs/uploads/?*digest-algorithm=sha512*");
    let refusal = Reply::new(400)
        .text(r#"{"errors":[{"code":"UNSUPPORTED","message":"sha256 is what we know"}]}"#);
    vec![
        push(&["U22"], "push-by-sha512", "Only uploads that announce sha512 are begun")
            .with_image(image.clone())
            .at(
                "A",
                Script::registry(Registry::new())
                    .rule(announced.always(Reply::registry()))
                    .rule(on("POST", UPLOADS).always(Reply::new(400))),
            ),
        push(&["U22"], "push-by-sha512-refused", "No commit is taken that names a blob by sha512")
            .with_image(image)
            .at(
                "A",
                Script::registry(Registry::new())
                    .rule(on("POST", "*/blobs/uploads/?digest=*").always(Reply::new(404)))
                    .rule(on("PUT", UPLOADS).always(refusal)),
            )
            .expecting(Expect::Failure(&[Class::Other]))
            .requests("A", "PUT", "*/manifests/*", 0..=0),
    ]
}
