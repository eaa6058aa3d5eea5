//! Mirrors (R14; network-policy, "Mirrors").

use registry_authn::{Resource, Scopes};
use registry_faults::content::{Image, sha256};
use registry_faults::origin::{End, Reply, Script, Stage, on};
use registry_faults::peers::{Kind, Server};
use registry_faults::registry::{Access, Registry};
use registry_name::Repository;
use registry_transport::{
    Body, Error, ErrorKind, Host, Method, Mirror, Request, Response, Transport,
};

use crate::{hosts, told, transport};

/// Nobody has this name: what is answered comes from a mirror.
const UPSTREAM: &str = "registry.nowhere.invalid";

fn image() -> Image {
    Image::small()
}

fn with_image() -> Registry {
    Registry::new().with_image("real/app", "v1", &image())
}

fn mirror(stage: &Stage, origin: &str) -> Mirror {
    Mirror::new(stage.origin(origin).unwrap().url().parse().unwrap())
}

async fn manifest(transport: &Transport, upstream: &str, which: &str) -> Result<Response, Error> {
    let repository: Repository = format!("{upstream}/real/app").parse().unwrap();
    let path = format!("/v2/real/app/manifests/{which}");
    let request = Request::new(Method::GET, &repository.registry(), path)
        .scopes(Scopes::pull(&repository))
        .resource(Resource::Repository(repository));
    transport.send(request).await
}

#[tokio::test]
async fn r14_each_mirror_is_asked_with_its_own_credential_and_then_the_registry_with_its() {
    let guarded = |password: &str, registry: Registry| {
        let access = Access::bearer("http://{A}/token", "user", password);
        Script::registry(registry.with_access(access))
    };
    // A and B are mirrors without the image, C is the registry.
    let access = Access::Basic { user: "user".into(), password: "canary-b".into() };
    let stage =
        Stage::start([
            ("A", guarded("canary-a", Registry::new())),
            ("B", Script::registry(Registry::new().with_access(access))),
            (
                "C",
                Script::registry(with_image().with_access(Access::Basic {
                    user: "user".into(),
                    password: "canary-c".into(),
                })),
            ),
        ])
        .unwrap();
    let at = |name: &str| stage.origin(name).unwrap().host().to_owned();
    let host = Host::new().mirror(mirror(&stage, "A").ns(true)).mirror(mirror(&stage, "B"));
    let logins = [(at("A"), "canary-a"), (at("B"), "canary-b"), (at("C"), "canary-c")];
    let logins: Vec<_> = logins.iter().map(|(name, password)| (name.as_str(), *password)).collect();
    let transport = transport(hosts(&at("C"), host), &logins);
    let answer = manifest(&transport, &at("C"), "v1").await.unwrap();
    assert!(answer.is_from_home() && !answer.is_from_mirror());
    for (origin, own) in [("A", "canary-a"), ("B", "canary-b"), ("C", "canary-c")] {
        let log = stage.origin(origin).unwrap().log();
        let foreign: Vec<_> =
            ["canary-a", "canary-b", "canary-c"].into_iter().filter(|name| *name != own).collect();
        assert_eq!(log.leaks(&foreign), [], "{origin}");
        assert_ne!(log.leaks(&[own]), [], "{origin}");
    }
    let asked = stage.origin("A").unwrap().log();
    let first = asked.requests("GET", "/v2/*").next().unwrap();
    assert!(
        first.request.target.ends_with(&format!("?ns={}", at("C").replace(':', "%3A"))),
        "{first:?}"
    );
}

#[tokio::test]
async fn a_mirror_that_fails_is_passed_by_after_two_attempts_and_told_when_all_fail() {
    for (reply, tries) in [
        (Reply::new(503), 2),
        (Reply::new(404), 1),
        (Reply::new(403), 1),
        (Reply::new(401), 1),
        (Reply::new(429).header("Retry-After", "7200"), 1),
        (Reply::new(200).unsaid(End::Rst), 3),
    ] {
        let broken = Script::new().rule(on("GET", "/v2/real/*").always(reply.clone()));
        let stage = Stage::start([("A", broken), ("B", Script::registry(with_image()))]).unwrap();
        let host = Host::new().mirror(mirror(&stage, "A")).mirror(mirror(&stage, "B"));
        let transport = transport(hosts(UPSTREAM, host), &[]);
        let answer = manifest(&transport, UPSTREAM, "v1").await.unwrap();
        assert!(answer.is_from_mirror());
        let asked = stage.origin("A").unwrap().log().count("GET", "*");
        assert!((1..=tries).contains(&asked), "{reply:?}: {asked}");
    }
    let stage = Stage::start([("A", Script::new()), ("B", Script::new())]).unwrap();
    let host = Host::new().mirror(mirror(&stage, "A")).mirror(mirror(&stage, "B"));
    let error = manifest(&transport(hosts(UPSTREAM, host), &[]), UPSTREAM, "v1").await.unwrap_err();
    let told = told(&error);
    for place in [UPSTREAM, stage.host(), stage.origin("B").unwrap().host()] {
        assert!(told.contains(place), "{told}");
    }
    assert_eq!(error.tried().len(), 2);
    assert_eq!(error.tried()[0].kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_mirror_that_refuses_its_own_credential_ends_the_request() {
    let access = Access::Basic { user: "user".into(), password: "right".into() };
    let script = Script::registry(with_image().with_access(access));
    let stage = Stage::start([("A", script), ("B", Script::registry(with_image()))]).unwrap();
    let upstream = stage.origin("B").unwrap().host();
    let hosts = hosts(upstream, Host::new().mirror(mirror(&stage, "A")));
    let wrong = transport(hosts.clone(), &[(stage.host(), "wrong")]);
    let error = manifest(&wrong, upstream, "v1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", told(&error));
    // Without one it was only worth a try.
    manifest(&transport(hosts, &[]), upstream, "v1").await.unwrap();
}

#[tokio::test]
async fn a_distrusted_mirror_is_not_asked_again() {
    let stage = Stage::start([
        ("A", Script::registry(with_image())),
        ("B", Script::registry(with_image())),
    ])
    .unwrap();
    let upstream = stage.origin("B").unwrap().host();
    let transport = transport(hosts(upstream, Host::new().mirror(mirror(&stage, "A"))), &[]);
    let answer = manifest(&transport, upstream, "v1").await.unwrap();
    assert!(answer.is_from_mirror());
    answer.distrust();
    for _ in 0..3 {
        assert!(!manifest(&transport, upstream, "v1").await.unwrap().is_from_mirror());
    }
    assert_eq!(stage.log().seen.len(), 1);
}

#[tokio::test]
async fn a_registry_read_from_another_location_is_written_under_its_own_name() {
    let stage =
        Stage::start([("A", Script::registry(with_image())), ("B", Script::new())]).unwrap();
    let upstream = stage.origin("B").unwrap().host();
    let location = format!("{}/real", stage.host()).parse().unwrap();
    let moved = registry_transport::Hosts::default()
        .host(format!("{upstream}/real").parse().unwrap(), Host::new().location(location));
    let transport = transport(moved, &[]);
    manifest(&transport, upstream, "v1").await.unwrap();
    let registry = crate::registry(upstream);
    let put = Request::new(Method::PUT, &registry, "/v2/real/app/manifests/v2")
        .header(registry_transport::header::CONTENT_TYPE, "application/vnd.oci.image.index.v1+json")
        .body(Body::bytes("{}"));
    transport.send(put).await.unwrap();
    assert_eq!(stage.log().count("PUT", "*"), 0);
    assert_eq!(stage.origin("B").unwrap().log().count("GET", "*"), 0);
}

#[tokio::test]
async fn a_real_registry_serves_as_a_mirror() {
    let server = match Server::start(Kind::DockerRegistry) {
        Ok(server) => server,
        Err(reason) => return registry_faults::skip!("a mirror that is a real registry: {reason}"),
    };
    let mirror = Mirror::new(format!("http://{}", server.host()).parse().unwrap());
    let transport = transport(hosts(UPSTREAM, Host::new().mirror(mirror)), &[]);
    // Filled under its own name, read under the registry's.
    let content = "content of a blob";
    let digest = sha256(content.as_bytes());
    let own = crate::registry(&server.host());
    let start = Request::new(Method::POST, &own, "/v2/real/app/blobs/uploads/");
    let mut at = transport.send(start).await.unwrap().location().unwrap();
    at.query_pairs_mut().append_pair("digest", &digest);
    let put = Request::new(Method::PUT, &own, "").to(at).body(Body::bytes(content));
    transport.send(put).await.unwrap();
    let path = format!("/v2/real/app/blobs/{digest}");
    let request = Request::new(Method::GET, &crate::registry(UPSTREAM), path);
    let mut answer = transport.send(request).await.unwrap();
    assert!(answer.is_from_mirror());
    assert_eq!(answer.bytes(1 << 10).await.unwrap(), content);
}
