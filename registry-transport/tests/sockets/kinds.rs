//! Every way in which a registry fails is a kind of its own.

use std::collections::BTreeMap;

use registry_faults::origin::{End, Reply, Rule, Script, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::{Error, ErrorKind};

use crate::common::{PASSWORD, USER, World};

const PATH: &str = "/v2/real/app/tags/list";

/// A registry that wants a token for this password, and answers like this to whoever has one.
fn guarded(password: &str, with_token: Option<Reply>) -> Script {
    let image = registry_faults::content::Image::small();
    let access = Access::bearer("http://{A}/token", USER, password);
    let registry = Registry::new().with_image("real/app", "v1", &image).with_access(access);
    let rule = |reply| on("*", PATH).with_header("authorization").always(reply);
    with_token.map(rule).into_iter().fold(Script::registry(registry), Script::rule)
}

fn open(reply: Reply) -> Script {
    let rule: Rule = on("*", PATH).always(reply);
    Script::new().rule(rule)
}

async fn failure(script: Script) -> Error {
    let world = World::logged_in([("A", script)]);
    let answer = world.transport.send(world.get(PATH)).await;
    match answer {
        Ok(mut answer) => answer.bytes(1 << 10).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn every_way_to_fail_is_a_kind_of_its_own() {
    let challenge = "Bearer realm=\"http://{A}/token\",service=\"registry.test\",scope=\"repository:real/app:pull\"";
    let again = Reply::new(401).header("WWW-Authenticate", challenge);
    let body = |status| Reply::new(status).text("sixteen bytes...");
    let cases = [
        ("there is none", open(Reply::new(404)), ErrorKind::NotFound),
        ("401 without a challenge", open(Reply::new(401)), ErrorKind::NoChallenge),
        ("the token was refused", guarded("another", None), ErrorKind::TokenRefused),
        ("granted, and not enough", guarded(PASSWORD, Some(again)), ErrorKind::Unauthorized),
        ("granted, and denied", guarded(PASSWORD, Some(Reply::new(403))), ErrorKind::Denied),
        ("too many", open(Reply::new(429).header("Retry-After", "7200")), ErrorKind::RateLimited),
        ("in the way", open(Reply::new(409)), ErrorKind::Conflict),
        ("not offered", open(Reply::new(405)), ErrorKind::Unsupported),
        ("too large", open(Reply::new(413)), ErrorKind::TooLarge),
        ("no such range", open(Reply::new(416)), ErrorKind::Range),
        ("not accepted", open(Reply::new(400)), ErrorKind::Rejected),
        ("the server fails", open(Reply::new(500)), ErrorKind::Unavailable),
        ("who knows", open(Reply::new(418)), ErrorKind::UnexpectedStatus),
        ("it breaks", open(Reply::new(200).unsaid(End::Rst)), ErrorKind::Network),
        ("no HTTP", open(Reply::raw("SSH-2.0-x\r\n")), ErrorKind::Protocol),
        (
            "no place to go",
            open(Reply::new(307).header("Location", "ftp://127.0.0.1/x")),
            ErrorKind::Refused,
        ),
        ("it breaks off", open(body(200).cut(5, End::Rst)), ErrorKind::Interrupted),
        ("it stops", open(body(200).cut(5, End::Hold)), ErrorKind::Timeout),
    ];
    let mut kinds = BTreeMap::new();
    for (name, script, kind) in cases {
        let error = failure(script).await;
        assert_eq!(error.kind(), kind, "{name}: {error}");
        let other = kinds.insert(format!("{kind:?}"), name);
        assert_eq!(other, None, "{name}");
    }
}
