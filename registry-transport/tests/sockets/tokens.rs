//! Tokens over time and among many callers.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use registry_authn::{Credential, Secret};
use registry_faults::origin::{Reply, Script, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::ErrorKind;

use crate::common::{PASSWORD, USER, World, printed};

const TAGS: &str = "/v2/real/app/tags/list";

fn access() -> Access {
    Access::bearer("http://{T}/token", USER, PASSWORD)
}

fn guarded(access: Access) -> Script {
    let image = registry_faults::content::Image::small();
    Script::registry(Registry::new().with_image("real/app", "v1", &image).with_access(access))
}

fn token_server() -> Script {
    Script::registry(Registry::new().with_access(access()))
}

#[tokio::test]
async fn a13_a_token_is_replaced_before_it_expires() {
    let world = World::logged_in([("A", guarded(access())), ("T", token_server())]);
    for (passed, fetched) in [(0, 1), (260, 1), (15, 2), (200, 2), (100, 3)] {
        // The stage's tokens live for 300 s.
        world.clock.advance(Duration::from_secs(passed));
        world.transport.send(world.get(TAGS)).await.unwrap().discard().await;
        assert_eq!(world.count("T"), fetched, "after {passed} s more");
    }
    assert_eq!(world.log("A").seen.iter().filter(|seen| seen.status == 401).count(), 1);
}

#[tokio::test]
async fn a15_a_token_that_is_refused_before_its_time_is_fetched_anew_once() {
    // 1 request is let through, then the first token is dead; later ones live.
    let world =
        World::logged_in([("A", guarded(access().expiring_after(1))), ("T", token_server())]);
    for _ in 0..4 {
        world.transport.send(world.get(TAGS)).await.unwrap().discard().await;
    }
    let statuses: Vec<_> = world.log("A").seen.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 200, 401, 200, 200, 200]);
    assert_eq!(world.count("T"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_ten_callers_make_one_token_request() {
    let world = World::logged_in([("A", guarded(access())), ("T", token_server())]);
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (transport, request) = (world.transport.clone(), world.get(TAGS));
            tokio::spawn(async move { transport.send(request).await.map(|answer| answer.status()) })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap().unwrap().is_success());
    }
    assert_eq!(world.count("T"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_ten_callers_make_one_token_request_even_when_the_first_goes_away() {
    let slow = Reply::registry().drip(8, Duration::from_millis(20));
    let slow = token_server().rule(on("GET", "/token").always(slow));
    let world = World::logged_in([("A", guarded(access())), ("T", slow)]);
    let first = tokio::spawn({
        let (transport, request) = (world.transport.clone(), world.get(TAGS));
        async move { transport.send(request).await.map(|_| ()) }
    });
    while world.count("T") < 1 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut others: Vec<_> =
        (0..9).map(|_| Box::pin(world.transport.send(world.get(TAGS)))).collect();
    // By now it is known that a token is needed: each of them gets as far as to wait for it.
    for other in &mut others {
        assert!(other.as_mut().now_or_never().is_none());
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled(), "the answer was still under way");
    for answer in join_all(others).await {
        assert!(answer.unwrap().status().is_success());
    }
    assert_eq!((world.count("T"), world.transport.counters().token_requests), (1, 1));
}

#[tokio::test]
async fn a10_a_token_endpoint_that_is_busy_is_asked_again_within_the_budget() {
    let busy = token_server().rule(on("*", "/token").times(2, Reply::new(503)));
    let world = World::logged_in([("A", guarded(access())), ("T", busy)]);
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.count("T"), 3);
    // Its 401 is not asked for again: what the registry wants is known by then.
    assert_eq!(world.count("A"), 2);

    let dead = token_server().rule(on("*", "/token").always(Reply::new(503)));
    let world = World::logged_in([("A", guarded(access())), ("T", dead)]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), world.count("T")), (ErrorKind::Unavailable, 3, 3));
    assert!(error.to_string().contains("token endpoint"), "{error}");
}

#[tokio::test]
async fn m18_a_token_answer_that_is_no_token_is_a_typed_error() {
    for reply in [
        Reply::new(200).text("{}"),
        Reply::new(200).text("null"),
        Reply::new(200).text("<html>"),
        Reply::new(200).endless(&b"{\"token\":\""[..], &b"x"[..]),
        Reply::new(200)
            .text("{\"token\":\"x\"}")
            .length(registry_faults::origin::Length::Claimed(1 << 32)),
    ] {
        let script = token_server().rule(on("*", "/token").always(reply));
        let world = World::logged_in([("A", guarded(access())), ("T", script)]);
        let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::TooLarge), "{error}");
        assert!(printed(&error).contains("/token"), "{error}");
        assert_eq!(world.count("T"), 1);
        assert!(world.log("T").seen[0].sent < 16 << 20);
    }
}

#[tokio::test]
async fn r10_a_token_endpoint_that_redirects_loses_the_password_on_the_way() {
    let away = token_server().rule(
        on("GET", "/token").always(Reply::new(307).header("Location", "http://{B}/token?{query}")),
    );
    let giving = Access::Bearer { realm: String::new(), login: None, uses: None };
    let world = World::logged_in([
        ("A", guarded(access())),
        ("B", Script::registry(Registry::new().with_access(giving))),
        ("T", away),
    ]);
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.log("B").count("GET", "/token"), 1);
    world.assert_nothing_leaked();

    let looping = token_server()
        .rule(on("GET", "/token").always(Reply::new(307).header("Location", "{target}")));
    let world = World::logged_in([("A", guarded(access())), ("T", looping)]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("T")), (ErrorKind::Protocol, 4), "{error}");
}

#[tokio::test]
async fn r10_an_identity_token_is_not_posted_to_where_a_token_endpoint_redirects() {
    let away = token_server()
        .rule(on("POST", "/token").always(Reply::new(307).header("Location", "http://{B}/token")));
    let identity = Credential::IdentityToken(Secret::new("canary-token-of-identity"));
    let scripts = [("A", guarded(access())), ("B", Script::new()), ("T", away)];
    let world = World::with(scripts, identity, |builder| builder);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("B")), (ErrorKind::Refused, 0), "{error}");
    assert!(!printed(&error).contains("canary"), "{}", printed(&error));
    world.assert_nothing_leaked();
}

#[cfg(feature = "token-cache")]
#[tokio::test]
async fn a_later_process_asks_with_the_token_of_an_earlier_one() {
    use registry_transport::{TokenCache, Transport};

    let world = World::new([("A", guarded(access())), ("T", token_server())]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let process = |password: &str| {
        let login = Credential::basic(USER, password);
        Transport::builder()
            .keychain(std::sync::Arc::new(registry_authn::Fixed::for_registry(
                world.registry(),
                login,
            )))
            .token_cache(TokenCache::at(&path))
            .build()
            .unwrap()
    };
    for (password, requests) in [(PASSWORD, 3), (PASSWORD, 1), ("wrong", 1), (PASSWORD, 1)] {
        let before = world.count("A") + world.count("T");
        process(password).send(world.get(TAGS)).await.ok();
        assert_eq!(world.count("A") + world.count("T") - before, requests, "{password}");
    }
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(!file.contains(USER) && !file.contains(PASSWORD), "{file}");

    // One that the registry does not take any more is replaced, for everybody.
    let text = file.replace("canary-token", "stale-token");
    std::fs::write(&path, text).unwrap();
    for requests in [3, 1] {
        let before = world.count("A") + world.count("T");
        process(PASSWORD).send(world.get(TAGS)).await.unwrap();
        assert_eq!(world.count("A") + world.count("T") - before, requests);
    }

    // A broken file costs two requests and nothing else.
    std::fs::write(&path, "{").unwrap();
    for requests in [3, 1] {
        let before = world.count("A") + world.count("T");
        process(PASSWORD).send(world.get(TAGS)).await.unwrap();
        assert_eq!(world.count("A") + world.count("T") - before, requests);
    }
}
