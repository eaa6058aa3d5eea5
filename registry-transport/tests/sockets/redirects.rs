//! Redirects, `Location` and `Link`: where a server may send us, and what goes along.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use registry_authn::Credential;
use registry_faults::origin::{Reply, Script, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::{Body, Builder, ErrorKind, Host, Hosts, Method, Request, header};

use crate::common::{PASSWORD, USER, World};

const BLOB: &str = "/v2/real/app/blobs/x";

fn guarded(access: Access) -> Script {
    Script::registry(Registry::new().with_access(access))
}

fn basic() -> Script {
    guarded(Access::Basic { user: USER.into(), password: PASSWORD.into() })
}

/// A request with every kind of secret that a caller can attach.
fn with_secrets(request: Request) -> Request {
    request
        .secret_header(header::HeaderName::from_static("x-api-key"), "canary-header")
        .header(header::COOKIE, "session=canary-header")
        .header(header::HeaderName::from_static("x-custom"), "canary-header")
}

#[tokio::test]
async fn r01_a_redirect_to_another_origin_is_followed_without_any_secret() {
    for access in [basic(), guarded(Access::bearer("http://{A}/token", USER, PASSWORD))] {
        let away = Reply::new(307).header("Location", "http://{B}/store?X-Amz-Signature=abc");
        let script = access.rule(on("GET", BLOB).with_header("authorization").always(away));
        let store = Script::new().rule(on("GET", "/store").always(Reply::new(200).text("layer")));
        let world = World::logged_in([("A", script), ("B", store)]);
        let request =
            with_secrets(world.get(BLOB)).accept(&["application/octet-stream"]).range_from(0);
        let mut answer = world.transport.send(request).await.unwrap();
        assert_eq!(answer.bytes(100).await.unwrap(), "layer");
        assert!(!answer.is_from_home());
        world.assert_nothing_leaked();
        // and what is no secret arrives
        let log = world.log("B");
        let seen = &log.seen[0].request;
        assert_eq!(seen.header("range"), Some("bytes=0-"));
        assert_eq!(seen.header("accept"), Some("application/octet-stream"));
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        assert!(seen.header("user-agent").unwrap().starts_with("registry-transport/"));
        assert_eq!(seen.header("referer"), None);
        // at home the secrets were there
        assert_ne!(world.log("A").leaks(&["canary-header"]), []);
    }
}

#[tokio::test]
async fn r02_another_name_for_the_same_address_is_another_origin() {
    let world = World::logged_in([("A", basic()), ("B", Script::new())]);
    let (_, port) = world.stage.host().split_once(':').unwrap();
    let url = format!("http://localhost:{port}{BLOB}").parse().unwrap();
    let error = world.transport.send(with_secrets(world.get(BLOB)).to(url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(world.log("A").leaks(&[PASSWORD, "canary-header"]), []);
}

#[tokio::test]
async fn secrets_do_not_come_back_when_a_redirect_leads_home_again() {
    let there = Reply::new(307).header("Location", "http://{B}/bounce");
    let back = Reply::new(307).header("Location", "http://{A}/v2/back");
    let world = World::logged_in([
        ("A", basic().rule(on("GET", BLOB).with_header("authorization").always(there))),
        ("B", Script::new().rule(on("GET", "/bounce").always(back))),
    ]);
    world.transport.send(with_secrets(world.get(BLOB))).await.unwrap_err();
    world.assert_nothing_leaked();
    let log = world.log("A");
    let came_back: Vec<_> = log.requests("GET", "/v2/back").collect();
    assert!(!came_back.is_empty());
    for seen in came_back {
        assert_eq!(seen.request.header("authorization"), None);
        assert_eq!(seen.request.header("cookie"), None);
    }
}

#[tokio::test]
async fn r05_a_redirect_loop_ends_after_ten_hops() {
    for target in ["{target}", "/v2/real/app/blobs/{visit}", "http://{B}{path}x"] {
        let around = Reply::new(307).header("Location", target);
        let back = Reply::new(307).header("Location", "http://{A}{path}x");
        let world = World::new([
            ("A", Script::new().rule(on("GET", "*").always(around))),
            ("B", Script::new().rule(on("GET", "*").always(back))),
        ]);
        let error = world.transport.send(world.get(BLOB)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("more than 10 redirects"), "{error}");
        assert_eq!(world.count("A") + world.count("B"), 11);
    }
}

#[tokio::test]
async fn r08_a_redirect_never_turns_an_upload_into_a_get() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for status in [301, 302, 303] {
            let away = Reply::new(status).header("Location", "/v2/elsewhere");
            let world = World::new([("A", Script::new().rule(on("*", "/v2/x").always(away)))]);
            let request = world.request(method.clone(), "/v2/x").body(Body::bytes("content"));
            let error = world.transport.send(request).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{method} {status}: {error}");
            assert_eq!(world.count("A"), 1);
        }
    }
}

#[tokio::test]
async fn u11_where_a_host_is_strict_no_upload_goes_to_another_origin() {
    let there = Reply::new(202).header("Location", "http://{B}/session");
    let away = || Reply::new(307).header("Location", "http://{B}{path}");
    let script = || {
        Script::new()
            .rule(on("POST", "/v2/begin").always(there.clone()))
            .rule(on("*", "/v2/x").always(away()))
    };
    let store = || Script::new().rule(on("*", "*").always(Reply::new(201)));
    let world = |host: Host| {
        let scripts = [("A", script()), ("B", store())];
        World::with(scripts, Credential::Anonymous, |builder: Builder| {
            builder.hosts(Hosts::default().fallback(host))
        })
    };
    let writes = async |world: &World| {
        let begun = world.transport.send(world.request(Method::POST, "/v2/begin")).await.unwrap();
        let session = world.request(Method::PUT, "/v2/x").to(begun.location().unwrap());
        let writes =
            [session, world.request(Method::PUT, "/v2/x"), world.request(Method::DELETE, "/v2/x")];
        let mut sent = Vec::new();
        for request in writes {
            sent.push(world.transport.send(request.body(Body::bytes("layer"))).await.map(drop));
        }
        sent
    };
    let strict = world(Host::new().strict_uploads());
    for sent in writes(&strict).await {
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        // Both origins, since a proxy that misnames its own is the common cause.
        for name in ["A", "B"] {
            let host = strict.stage.origin(name).unwrap().host();
            assert!(error.to_string().contains(host), "{host}: {error}");
        }
        assert!(error.hint().unwrap().contains("strict-uploads"), "{error:?}");
    }
    assert_eq!(strict.count("B"), 0);
    // What is read may come from anywhere.
    strict.transport.send(strict.get("/v2/x")).await.unwrap();
    assert_eq!(strict.count("B"), 1);
    let usual = world(Host::new());
    assert!(writes(&usual).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn r09_a_307_sends_the_whole_body_again_from_a_fresh_stream() {
    const SIZE: usize = 300 << 10;
    for status in [307, 308] {
        let away = Reply::new(status).header("Location", "http://{B}/upload");
        let world = World::logged_in([
            ("A", basic().rule(on("PUT", "*").with_header("authorization").always(away))),
            ("B", Script::new().rule(on("PUT", "/upload").always(Reply::new(201)))),
        ]);
        let piece = Bytes::from(vec![7; SIZE / 3]);
        let open = move || -> registry_transport::ByteStream {
            Box::pin(stream::iter([Ok(piece.clone()), Ok(piece.clone()), Ok(piece.clone())]))
        };
        let request = with_secrets(world.request(Method::PUT, BLOB))
            .body(Body::stream(SIZE as u64, Arc::new(open)))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .expect(&[201]);
        world.transport.send(request).await.unwrap();
        world.assert_nothing_leaked();
        let log = world.log("B");
        assert_eq!(log.seen.len(), 1);
        assert_eq!(log.seen[0].request.body_length, SIZE as u64);
        assert_eq!(log.seen[0].request.header("content-length"), Some("307200"));
        assert_eq!(log.seen[0].request.header("content-type"), Some("application/octet-stream"));
    }
}

#[tokio::test]
async fn r11_a_redirect_target_that_wants_a_login_does_not_get_ours() {
    for challenge in ["Basic realm=\"store\"", "Bearer realm=\"http://{B}/token\""] {
        let away = Reply::new(307).header("Location", "http://{B}/store");
        let refuse = Reply::new(401).header("WWW-Authenticate", challenge);
        let world = World::logged_in([
            ("A", basic().rule(on("GET", BLOB).with_header("authorization").always(away))),
            ("B", Script::new().rule(on("*", "*").always(refuse))),
        ]);
        // The second time it is known from the start what the registry wants, and not what the store wants.
        for asked in [1, 2] {
            let error = world.transport.send(with_secrets(world.get(BLOB))).await.unwrap_err();
            assert_eq!((error.kind(), world.count("B")), (ErrorKind::Unauthorized, asked));
            world.assert_nothing_leaked();
        }
        world.transport.send(world.get("/v2/")).await.unwrap();
    }
}

#[tokio::test]
async fn r12_the_body_of_a_redirect_is_not_read() {
    let away = Reply::new(307).header("Location", "/v2/there").endless(&b""[..], &b"x"[..]);
    let there = Reply::new(200).text("here");
    let world = World::new([(
        "A",
        Script::new().rule(on("GET", BLOB).always(away)).rule(on("GET", "/v2/there").always(there)),
    )]);
    let mut answer = world.transport.send(world.get(BLOB)).await.unwrap();
    assert_eq!(answer.bytes(100).await.unwrap(), "here");
    assert!(world.log("A").seen[0].sent < 16 << 20);
    assert_eq!(world.transport.counters().redirects, 1);
}

#[tokio::test]
async fn u11_an_upload_location_at_another_origin_is_used_without_secrets() {
    let start = Reply::new(202).header("Location", "http://{B}/session?_state=abc%2Fd&x=1");
    let world = World::logged_in([
        ("A", basic().rule(on("POST", "*").with_header("authorization").always(start))),
        ("B", Script::new().rule(on("PUT", "/session").always(Reply::new(201)))),
    ]);
    let post = with_secrets(world.request(Method::POST, "/v2/real/app/blobs/uploads/"));
    let answer = world.transport.send(post).await.unwrap();
    let location = answer.location().unwrap();
    assert_eq!(location.query(), Some("_state=abc%2Fd&x=1"));
    let put = with_secrets(world.request(Method::PUT, "")).to(location).body(Body::bytes("blob"));
    world.transport.send(put).await.unwrap();
    assert_eq!(world.log("B").seen[0].request.target, "/session?_state=abc%2Fd&x=1");
    world.assert_nothing_leaked();
}

#[tokio::test]
async fn u10_a_location_that_cannot_be_used_is_a_typed_error() {
    let long = format!("/{}", "x".repeat(64 << 10));
    for (location, want) in [
        (None, ErrorKind::Protocol),
        (Some("http://[half/"), ErrorKind::Protocol),
        (Some(long.as_str()), ErrorKind::Protocol),
        (Some("ftp://127.0.0.1/x"), ErrorKind::Refused),
        (Some("file:///etc/passwd"), ErrorKind::Refused),
        (Some("http://u:p@127.0.0.1/"), ErrorKind::Refused),
    ] {
        let reply = match location {
            Some(location) => Reply::new(202).header("Location", location),
            None => Reply::new(202),
        };
        let world = World::new([("A", Script::new().rule(on("POST", "*").always(reply)))]);
        let answer = world.transport.send(world.request(Method::POST, "/v2/x")).await.unwrap();
        assert_eq!(answer.location().unwrap_err().kind(), want, "{location:.40?}");
    }
}

#[tokio::test]
async fn l03_the_next_page_is_at_the_registry_or_nowhere() {
    for (link, want) in [
        (
            "</v2/real/app/tags/list?n=1&last=a,b>; rel=\"next\"",
            Ok(Some("/v2/real/app/tags/list?n=1&last=a,b")),
        ),
        ("<http://{A}/v2/x>; rel=next", Ok(Some("/v2/x"))),
        ("<?last=z>", Ok(Some("/v2/real/app/tags/list?last=z"))),
        ("</v2/x>; rel=prev", Ok(None)),
        ("<http://{B}/v2/x>; rel=next", Err(ErrorKind::Refused)),
        ("<//{B}/v2/x>; rel=next", Err(ErrorKind::Refused)),
        ("<https://{A}/v2/x>; rel=next", Err(ErrorKind::Refused)),
        ("<file:///v2/x>; rel=next", Err(ErrorKind::Refused)),
        ("/v2/x; rel=next", Err(ErrorKind::Protocol)),
    ] {
        let page = Reply::new(200).header("Link", link);
        let world = World::new([
            ("A", Script::new().rule(on("GET", "*").always(page))),
            ("B", Script::new()),
        ]);
        let answer = world.transport.send(world.get("/v2/real/app/tags/list")).await.unwrap();
        let next = answer.next_link().map_err(|error| error.kind());
        let host = format!("http://{}", world.stage.host());
        let want = want.map(|path| path.map(|path| format!("{host}{path}").parse().unwrap()));
        assert_eq!(next, want, "{link}");
    }
}
