//! Schemes of a caller's own, the steps of logging in on their own, and what an identity token goes through.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use registry_authn::{Authenticator, Credential, Keychain, Resource, Scopes, Secret};
use registry_faults::origin::{End, Reply, Script, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::header::HeaderName;
use registry_transport::scheme::{Answer, Basic, Next, Scheme, Session};
use registry_transport::{Error, ErrorKind, Method, Request, Token};

use crate::common::{PASSWORD, USER, World, printed};

const TAGS: &str = "/v2/real/app/tags/list";
const KEY: HeaderName = HeaderName::from_static("x-key");
const TOKEN: &str = "canary-token.1.7265706f7369746f72793a7265616c2f6170703a70756c6c";

fn stocked() -> Registry {
    Registry::new().with_image("real/app", "v1", &registry_faults::content::Image::small())
}

fn guarded(access: Access) -> Script {
    Script::registry(stocked().with_access(access))
}

fn anonymous() -> Access {
    Access::Bearer { realm: "http://{A}/token".into(), login: None, uses: None }
}

fn given(reply: Reply) -> Script {
    guarded(anonymous()).rule(on("POST", "/token").always(reply))
}

/// Shows a header, and asks for another go whatever the answer is.
#[derive(Debug)]
struct Stubborn;

#[async_trait]
impl Scheme for Stubborn {
    async fn authorize(&self, session: &mut Session<'_>) -> Result<(), Error> {
        assert_eq!(session.method(), Method::GET);
        session.secret_header(KEY, "canary-header")
    }

    async fn answered(&self, _: &mut Session<'_>, _: &Answer) -> Result<Next, Error> {
        Ok(Next::Resend)
    }
}

#[tokio::test]
async fn a_challenge_of_a_name_is_answered_by_the_callers_scheme_and_its_header_stays_at_home() {
    let challenge =
        Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\", Sesame realm=\"y\"");
    let away = Reply::new(307).header("Location", "http://{B}/blob");
    let script = Script::new()
        .rule(on("*", "*").without_header("x-key").always(challenge))
        .rule(on("*", "*").with_header("x-key").always(away));
    let storage = Script::new().rule(on("*", "*").always(Reply::new(200)));
    let world = World::with(
        [("A", script), ("B", storage)],
        Credential::basic(USER, PASSWORD),
        |builder| builder.scheme("SESAME", Arc::new(Stubborn)),
    );
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!((world.count("A"), world.count("B")), (2, 1));
    world.transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!((world.count("A"), world.count("B")), (3, 2));
    world.assert_nothing_leaked();
    assert_eq!(world.log("A").leaks(&[PASSWORD]), []);
}

#[tokio::test]
async fn a_scheme_that_is_never_satisfied_gets_one_resend() {
    for (status, want) in [(200, Ok(200)), (401, Err(ErrorKind::Unauthorized))] {
        let script = Script::new().rule(on("*", "*").always(Reply::new(status)));
        let world = World::new([("A", script)]);
        let transport = registry_transport::Transport::builder()
            .scheme_for(world.registry(), Arc::new(Stubborn))
            .build()
            .unwrap();
        let answer = transport.send(world.get(TAGS)).await;
        let answer = answer.map(|answer| answer.status().as_u16()).map_err(|error| error.kind());
        assert_eq!((answer, world.count("A")), (want, 2));
    }
}

#[tokio::test]
async fn basic_can_be_set_for_a_registry_and_is_shown_at_once() {
    let access = Access::Basic { user: USER.into(), password: PASSWORD.into() };
    let world = World::logged_in([("A", guarded(access))]);
    let keychain =
        registry_authn::Fixed::for_registry(world.registry(), Credential::basic(USER, PASSWORD));
    let transport = registry_transport::Transport::builder()
        .keychain(Arc::new(keychain))
        .scheme_for(world.registry(), Arc::new(Basic))
        .build()
        .unwrap();
    transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.count("A"), 1);
}

#[tokio::test]
async fn the_steps_lead_to_a_transport_that_shows_a_token_at_once() {
    let access = Access::bearer("http://{A}/token", USER, PASSWORD);
    let world = World::new([("A", guarded(access))]);
    let scopes = Scopes::pull(&world.repository());
    let registry = world.registry();
    let ping = world.transport.ping(&registry).await.unwrap();
    let challenge = ping.challenge().unwrap();
    assert!(challenge.insecure());

    let me = Credential::basic(USER, PASSWORD);
    let token = world.transport.exchange(&registry, challenge, &me, &scopes).await.unwrap();
    assert!(token.secret().is_some() && token.expires_in == Some(300));
    let transport = world.transport.from_token(&registry, challenge, &token);
    let before = world.count("A");
    transport.send(world.get(TAGS)).await.unwrap();
    assert_eq!(world.count("A"), before + 1);
    // It stays with its own transport.
    assert_eq!(
        world.transport.send(world.get(TAGS)).await.unwrap_err().kind(),
        ErrorKind::TokenRefused
    );

    let stranger = Credential::basic(USER, "wrong");
    let error = world.transport.exchange(&registry, challenge, &stranger, &scopes).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TokenRefused);
}

#[tokio::test]
async fn a_given_token_that_is_refused_gives_way_to_the_challenge() {
    let world =
        World::logged_in([("A", guarded(Access::bearer("http://{A}/token", USER, PASSWORD)))]);
    let ping = world.transport.ping(&world.registry()).await.unwrap();
    let stale = Token::new("canary-token.stale");
    let transport =
        world.transport.from_token(&world.registry(), ping.challenge().unwrap(), &stale);
    for _ in 0..2 {
        transport.send(world.get(TAGS)).await.unwrap();
    }
    let statuses: Vec<_> = world.log("A").requests("GET", TAGS).map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
}

#[tokio::test]
async fn a08_a_credential_is_not_exchanged_at_a_realm_that_is_not_trusted() {
    let world = World::new([("A", guarded(anonymous()))]);
    let line = format!("Bearer realm=\"http://localhost:{}/token\"", 1);
    let [challenge] = &registry_transport::Challenge::parse_all([line.as_bytes()])[..] else {
        panic!("one challenge")
    };
    let me = Credential::basic(USER, PASSWORD);
    let error = world
        .transport
        .exchange(&world.registry(), challenge, &me, &Scopes::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.hint().unwrap().contains("localhost"), "{:?}", error.hint());
    assert_eq!(world.count("A"), 0);
}

#[tokio::test]
async fn a_password_is_exchanged_for_an_identity_token() {
    let answer = Reply::new(200).text(format!(
        r#"{{"access_token":"{TOKEN}","refresh_token":"canary-token-of-identity"}}"#
    ));
    for refusal in [None, Some(404), Some(405), Some(400)] {
        let post = refusal.map_or(answer.clone(), Reply::new);
        let script = given(post).rule(on("GET", "/token").always(answer.clone()));
        let world = World::new([("A", script)]);
        let registry = world.registry();
        let ping = world.transport.ping(&registry).await.unwrap();
        let me = Credential::basic(USER, PASSWORD);
        let token = world
            .transport
            .exchange_offline(&registry, ping.challenge().unwrap(), &me, &Scopes::new())
            .await
            .unwrap();
        assert_eq!(token.refresh_token, Some(Secret::new("canary-token-of-identity")));
        let log = world.log("A");
        let form = log.requests("POST", "/token").next().unwrap();
        assert_eq!(form.request.header("authorization"), None);
        assert_eq!(
            String::from_utf8_lossy(&form.request.body),
            "grant_type=password&username=canary-user&password=canary-password&access_type=offline\
             &client_id=registry-transport&service=registry.test"
        );
        let by_get: Vec<_> = log.requests("GET", "/token").collect();
        assert_eq!(by_get.len(), usize::from(refusal.is_some()));
        for seen in by_get {
            assert_eq!(seen.request.parameter("offline_token").as_deref(), Some("true"));
        }

        // What it gave is enough to go on with when the token has ended.
        let mut stale = token;
        (stale.token, stale.access_token) = (None, None);
        let transport = world.transport.from_token(&registry, ping.challenge().unwrap(), &stale);
        transport.send(world.get(TAGS)).await.unwrap();
        if refusal.is_none() {
            let log = world.log("A");
            let form = log.requests("POST", "/token").last().unwrap();
            let form = String::from_utf8_lossy(&form.request.body).into_owned();
            assert!(form.contains("refresh_token=canary-token-of-identity"), "{form}");
        }
    }
}

/// A store whose identity token is replaced by somebody else each time it is read.
#[derive(Debug)]
struct Rotating(Mutex<u32>);

#[async_trait]
impl Keychain for Rotating {
    async fn resolve(
        &self,
        _: &Resource,
    ) -> Result<Option<Arc<dyn Authenticator>>, registry_authn::Error> {
        let mut reads = self.0.lock().unwrap();
        *reads += 1;
        Ok(Some(Arc::new(Credential::IdentityToken(Secret::new(format!("canary-token-{reads}"))))))
    }
}

#[tokio::test]
async fn an_identity_token_that_may_have_been_rotated_is_read_again_once() {
    let refusal = || Reply::new(400).text(r#"{"error":"invalid_grant"}"#);
    let token = || Reply::new(200).text(format!(r#"{{"access_token":"{TOKEN}"}}"#));
    for (lost, forms) in [(true, 3), (false, 1)] {
        let rule = if lost {
            let rule = on("POST", "/token").times(1, Reply::new(200).unsaid(End::Fin));
            rule.times(1, refusal()).always(token())
        } else {
            on("POST", "/token").always(refusal())
        };
        let script = guarded(anonymous()).rule(rule);
        let keychain = Arc::new(Rotating(Mutex::new(0)));
        let world = World::with([("A", script)], Credential::Anonymous, |it| it.keychain(keychain));
        let answer = world.transport.send(world.get(TAGS)).await;
        let log = world.log("A");
        let sent: Vec<_> = log
            .requests("POST", "/token")
            .map(|seen| String::from_utf8_lossy(&seen.request.body).contains("canary-token-2"))
            .collect();
        assert_eq!(sent.len(), forms, "{answer:?}");
        // It was understood: the same secret is not sent again in another form.
        assert_eq!(log.count("GET", "/token"), 0);
        if lost {
            assert!(answer.unwrap().status().is_success());
            assert_eq!(sent, [false, false, true]);
        } else {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TokenRefused);
            assert!(error.to_string().contains("invalid_grant"), "{error}");
            assert!(!printed(&error).contains("canary"), "{}", printed(&error));
        }
    }
}

#[tokio::test]
async fn an_identity_token_that_is_replaced_is_not_used_again() {
    let answer = Reply::new(200).text(format!(
        r#"{{"access_token":"{TOKEN}","refresh_token":"canary-token-next-{{visit}}","expires_in":0}}"#
    ));
    let identity = Credential::IdentityToken(Secret::new("canary-token-first"));
    let world = World::with([("A", given(answer))], identity, |builder| builder);
    for _ in 0..3 {
        world.transport.send(world.get(TAGS)).await.unwrap();
    }
    let log = world.log("A");
    let shown: Vec<_> = log
        .requests("POST", "/token")
        .map(|seen| {
            let body = String::from_utf8_lossy(&seen.request.body).into_owned();
            let token = body.split('&').find_map(|field| field.strip_prefix("refresh_token="));
            token.unwrap().to_owned()
        })
        .collect();
    assert_eq!(shown, ["canary-token-first", "canary-token-next-1", "canary-token-next-2"]);
}

#[tokio::test]
async fn a21_odd_names_and_passwords_are_sent_right_or_not_at_all() {
    for (user, password, header) in [
        ("canary-user", "", Some("Basic Y2FuYXJ5LXVzZXI6")),
        ("canary-üser", "pässwörd", Some("Basic Y2FuYXJ5LcO8c2VyOnDDpHNzd8O2cmQ=")),
        ("canary:user", "canary-password", None),
        ("canary-user", "canary\r\npassword", None),
    ] {
        let asks = Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\"");
        let script = Script::new()
            .rule(on("*", "*").without_header("authorization").always(asks))
            .rule(on("*", "*").with_header("authorization").always(Reply::new(200)));
        let credential = Credential::basic(user, password);
        let world = World::with([("A", script)], credential, |builder| builder);
        let request = Request::new(Method::GET, &world.registry(), "/v2/");
        let answer = world.transport.send(request).await;
        let log = world.log("A");
        if let Some(header) = header {
            assert!(answer.unwrap().status().is_success());
            assert_eq!(log.seen[1].request.header("authorization"), Some(header));
        } else {
            let error = answer.unwrap_err();
            assert_eq!((error.kind(), log.seen.len()), (ErrorKind::Credential, 1));
            assert!(!printed(&error).contains("canary"), "{}", printed(&error));
        }
    }
}
