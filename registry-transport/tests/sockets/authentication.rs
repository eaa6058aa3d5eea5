//! The 401 dance: what is sent, how often, and what it ends in.

use registry_authn::{Credential, Scopes, Secret};
use registry_faults::origin::{Reply, Script, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::{ErrorKind, Hosts, Method};

use crate::common::{CANARIES, PASSWORD, USER, World, printed};

const TAGS: &str = "/v2/real/app/tags/list";

fn guarded(access: Access) -> Script {
    let image = registry_faults::content::Image::small();
    Script::registry(Registry::new().with_image("real/app", "v1", &image).with_access(access))
}

fn basic() -> Access {
    Access::Basic { user: USER.into(), password: PASSWORD.into() }
}

fn anonymous(realm: &str) -> Access {
    Access::Bearer { realm: realm.into(), login: None, uses: None }
}

fn token_server(access: Access) -> Script {
    Script::registry(Registry::new().with_access(access))
}

#[tokio::test]
async fn basic_is_asked_for_once_and_then_attached_at_once() {
    let world = World::logged_in([("A", guarded(basic()))]);
    for _ in 0..3 {
        let mut tags = world.transport.send(world.get(TAGS)).await.unwrap();
        let list: serde_json::Value = tags.json(1 << 20).await.unwrap();
        assert_eq!(list["tags"], serde_json::json!(["v1"]));
    }
    let statuses: Vec<_> = world.log("A").seen.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 200, 200, 200]);
}

#[tokio::test]
async fn a03_bearer_is_answered_with_a_token_for_the_scopes_of_the_request() {
    for access in
        [anonymous("http://{T}/token"), Access::bearer("http://{T}/token", USER, PASSWORD)]
    {
        let world = World::logged_in([("A", guarded(access.clone())), ("T", token_server(access))]);
        for _ in 0..2 {
            world.transport.send(world.get(TAGS)).await.unwrap().discard().await;
        }
        let statuses: Vec<_> = world.log("A").seen.iter().map(|seen| seen.status).collect();
        assert_eq!(statuses, [401, 200, 200]);
        let asked = world.log("T");
        assert_eq!(asked.seen.len(), 1);
        let request = &asked.seen[0].request;
        assert_eq!(request.parameter("service").as_deref(), Some("registry.test"));
        assert_eq!(request.parameter("scope").as_deref(), Some("repository:real/app:pull"));
        // The password went to the token endpoint, and only there.
        assert_eq!(world.log("A").leaks(&[PASSWORD]), []);
        assert_eq!(world.transport.counters().token_requests, 1);
        assert!(world.events.lock().unwrap().iter().any(|event| event.contains("TokenFetched")));
    }
}

#[tokio::test]
async fn a06_a_realm_may_be_relative_to_the_url_that_was_challenged() {
    let world = World::logged_in([("A", guarded(Access::bearer("/token", USER, PASSWORD)))]);
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.log("A").count("GET", "/token"), 1);
}

#[tokio::test]
async fn a02_a_401_without_a_challenge_is_an_error_of_its_own() {
    let script = Script::new().rule(on("*", "*").always(Reply::new(401)));
    let world = World::logged_in([("A", script)]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoChallenge);
    assert_eq!(world.count("A"), 1);
}

#[tokio::test]
async fn a01_a_registry_that_is_never_satisfied_sees_three_requests_at_most() {
    for header in [
        "Basic realm=\"{visit}\"",
        "Bearer realm=\"/token\",service=\"{visit}\",scope=\"repository:real/app:pull,push repository:n{visit}:pull\"",
        "Bearer realm=\"/token\",scope=\"repository:real/app:pull,more{visit}\"",
    ] {
        let refusal = Reply::new(401)
            .header("WWW-Authenticate", header)
            .text(r#"{"errors":[{"code":"UNAUTHORIZED","message":"not today"}]}"#);
        let script =
            token_server(anonymous("http://{A}/token")).rule(on("*", "/v2/*").always(refusal));
        let world = World::logged_in([("A", script)]);
        let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        assert!(error.to_string().contains("not today"), "{error}");
        assert!(world.log("A").count("GET", TAGS) <= 3);
        assert!(
            !CANARIES.iter().any(|canary| printed(&error).contains(canary)),
            "{}",
            printed(&error)
        );
        // and the next request does not begin a longer dance either
        world.transport.send(world.get(TAGS)).await.unwrap_err();
        assert!(world.log("A").count("GET", TAGS) <= 6);
    }
}

#[tokio::test]
async fn a24_a_wrong_password_is_sent_once() {
    let right = Access::bearer("http://{T}/token", USER, "another password");
    let world = World::logged_in([("A", guarded(right.clone())), ("T", token_server(right))]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused, "{error}");
    assert_eq!((world.count("A"), world.count("T")), (1, 1));
    assert!(error.to_string().contains("token endpoint"), "{error}");
    assert!(!error.is_retryable());
    assert!(!printed(&error).contains(PASSWORD));
}

#[tokio::test]
async fn a_wrong_basic_password_is_sent_once_and_without_one_nothing_is_sent_twice() {
    let right = Access::Basic { user: USER.into(), password: "another password".into() };
    let world = World::logged_in([("A", guarded(right.clone()))]);
    for requests in [2, 3] {
        let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert_eq!(world.count("A"), requests);
    }
    let world = World::new([("A", guarded(right))]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("A")), (ErrorKind::Unauthorized, 1));
    assert!(error.hint().unwrap().contains("log in"));
}

#[tokio::test]
async fn a08_a_credential_is_not_sent_to_a_token_endpoint_of_somebody_else() {
    // `localhost` is another host than `127.0.0.1`, whatever it resolves to.
    let scripts = |login: bool| {
        let access = if login {
            Access::bearer("http://{T}/token", USER, PASSWORD)
        } else {
            anonymous("http://{T}/token")
        };
        let realm = "Bearer realm=\"http://localhost:{port}/token\",service=\"registry.test\"";
        (access, realm)
    };
    for login in [false, true] {
        let (access, realm) = scripts(login);
        let other = registry_faults::origin::Stage::single(token_server(access.clone())).unwrap();
        let port = other.host().rsplit_once(':').unwrap().1.to_owned();
        let challenge = Reply::new(401).header("WWW-Authenticate", realm.replace("{port}", &port));
        let script = guarded(access)
            .rule(on("*", "/v2/*").without_header("authorization").always(challenge));
        let world = World::logged_in([("A", script.clone())]);
        let answer = world.transport.send(world.get(TAGS)).await;
        assert_eq!(other.log().count("GET", "/token"), 1);
        assert_eq!(other.log().leaks(&CANARIES), []);
        if login {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TokenRefused);
            assert!(error.hint().unwrap().contains("localhost"), "{:?}", error.hint());
            assert_eq!(error.untrusted_realm(), Some((&world.registry(), "localhost")));
        } else {
            assert!(answer.unwrap().status().is_success());
        }

        // The same host, when it is trusted for this registry.
        let trusting =
            World::with([("A", script)], Credential::basic(USER, PASSWORD), |builder| builder);
        let hosts = Hosts::default().trust_realm(trusting.registry(), "localhost");
        let keychain = registry_authn::Fixed::for_registry(
            trusting.registry(),
            Credential::basic(USER, PASSWORD),
        );
        let transport = registry_transport::Transport::builder()
            .hosts(hosts)
            .keychain(std::sync::Arc::new(keychain))
            .build()
            .unwrap();
        transport.send(trusting.get(TAGS)).await.unwrap();
        assert_ne!(other.log().leaks(&[PASSWORD]), []);
    }
}

#[tokio::test]
async fn a09_a_realm_that_is_no_http_url_is_not_asked() {
    for realm in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/"] {
        let world = World::logged_in([("A", guarded(Access::bearer(realm, USER, PASSWORD)))]);
        let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{realm}: {error}");
        assert_eq!(world.count("A"), 1);
        assert!(!printed(&error).contains("user:pw"), "{}", printed(&error));
    }
}

#[tokio::test]
async fn a19_a_token_that_allows_too_little_is_replaced_by_a_wider_one() {
    let world =
        World::logged_in([("A", guarded(Access::bearer("http://{A}/token", USER, PASSWORD)))]);
    world.transport.send(world.get(TAGS)).await.unwrap();
    // The caller says that it only pulls, and then starts an upload.
    let upload = world
        .request(Method::POST, "/v2/real/app/blobs/uploads/")
        .scopes(Scopes::pull(&world.repository()))
        .expect(&[202]);
    let answer = world.transport.send(upload).await.unwrap();
    assert!(answer.location().unwrap().path().starts_with("/v2/real/app/blobs/uploads/"));
    let scopes: Vec<_> = world
        .log("A")
        .requests("GET", "/token")
        .map(|seen| seen.request.parameter("scope").unwrap())
        .collect();
    assert_eq!(scopes, ["repository:real/app:pull", "repository:real/app:push,pull"]);
    // The wide token serves the narrow need as well.
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.log("A").count("GET", "/token"), 2);
}

#[tokio::test]
async fn a_registry_token_is_sent_as_it_is() {
    let secret = Credential::RegistryToken(Secret::new(
        "canary-token.0.7265706f7369746f72793a7265616c2f6170703a70756c6c",
    ));
    let world =
        World::with([("A", guarded(anonymous("http://{A}/token")))], secret, |builder| builder);
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.log("A").count("*", "/token"), 0);
}

/// A11
#[tokio::test]
async fn an_identity_token_is_exchanged_by_post_and_where_that_is_not_offered_by_get() {
    let token =
        r#"{"access_token":"canary-token.1.7265706f7369746f72793a7265616c2f6170703a70756c6c"}"#;
    for refusal in [None, Some(404), Some(405), Some(400), Some(401)] {
        let post = match refusal {
            None => Reply::new(200).text(token),
            Some(status) => Reply::new(status),
        };
        let script = guarded(anonymous("http://{A}/token"))
            .rule(on("POST", "/token").always(post))
            .rule(on("GET", "/token").always(Reply::new(200).text(token)));
        let identity = Credential::IdentityToken(Secret::new("canary+identity"));
        let world = World::with([("A", script)], identity, |builder| builder);
        world.transport.send(world.get(TAGS)).await.unwrap();
        let log = world.log("A");
        let form = log.requests("POST", "/token").next().unwrap();
        assert_eq!(form.request.header("authorization"), None);
        assert_eq!(
            String::from_utf8_lossy(&form.request.body),
            "grant_type=refresh_token&refresh_token=canary%2Bidentity&client_id=registry-transport\
             &service=registry.test&scope=repository%3Areal%2Fapp%3Apull"
        );
        assert_eq!(log.count("GET", "/token"), usize::from(refusal.is_some()));
    }
}

#[tokio::test]
async fn a22_a_403_is_final_and_says_why() {
    let script =
        Script::new().rule(on("*", "*").always(Reply::new(403).text(
            r#"{"errors":[{"code":"DENIED","message":"you may not","detail":"\u001b[2J"}]}"#,
        )));
    let world = World::logged_in([("A", script)]);
    let error = world.transport.send(world.get(TAGS)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(world.count("A"), 1);
    let host = world.stage.host();
    assert_eq!(
        error.to_string(),
        format!("GET http://{host}{TAGS}: 403 Forbidden: DENIED: you may not; \\u{{1b}}[2J")
    );
}

#[tokio::test]
async fn a_ping_says_what_a_registry_wants_to_see() {
    let world =
        World::logged_in([("A", guarded(Access::bearer("http://{A}/token", USER, PASSWORD)))]);
    let ping = world.transport.ping(&world.registry()).await.unwrap();
    assert!(!ping.anonymous && ping.insecure);
    let [challenge] = &ping.challenges[..] else { panic!("{ping:?}") };
    assert_eq!(challenge.scheme(), "bearer");
    assert_eq!(challenge.parameter("service"), Some("registry.test"));
    assert_eq!(world.count("A"), 1);
    assert_eq!(world.log("A").leaks(&CANARIES), []);
}
