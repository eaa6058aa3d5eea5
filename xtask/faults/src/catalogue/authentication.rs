//! The 401 dance, its variations, and dances that never end.

use super::{basic, bearer, stocked};
use crate::origin::{Reply, Script, on};
use crate::registry::{Access, Registry};
use crate::scenario::{Action, Class, Expect, PASSWORD, Scenario, USER};

const DENIED: Expect = Expect::Failure(&[Class::Denied]);

pub(super) fn scenarios() -> Vec<Scenario> {
    let token_server = || Script::registry(Registry::new().with_access(bearer("http://{T}/token")));
    let guarded = |access: Access| Script::registry(stocked().with_access(access));
    let empty = |access: Access| Script::registry(Registry::new().with_access(access));
    vec![
        Scenario::new(&["A03"], "dance-basic", "The registry asks for Basic")
            .at("A", guarded(basic()))
            .logged_in(),
        Scenario::new(&["A03"], "dance-bearer", "The registry asks for a token of its token server")
            .at("A", guarded(bearer("http://{T}/token")))
            .at("T", token_server())
            .logged_in()
            .requests("T", "*", "/token", 1..=2),
        Scenario::new(&["A19"], "dance-bearer-push", "A push gets a token that may push")
            .at("A", empty(bearer("http://{T}/token")))
            .at("T", token_server())
            .logged_in()
            .asked_to(Action::Push)
            .requests("T", "*", "/token", 1..=4),
        Scenario::new(&["A06"], "realm-on-the-registry", "The token server is the registry itself")
            .at("A", guarded(bearer("http://{A}/token")))
            .logged_in(),
        Scenario::new(&["A03"], "two-challenges", "A challenge that nobody knows stands before Bearer")
            .at("A", guarded(bearer("http://{A}/token")).rule(
                on("GET", "/v2/*").without_header("authorization").always(
                    Reply::new(401).header(
                        "WWW-Authenticate",
                        "Negotiate, Bearer realm=\"http://{A}/token\",service=\"registry.test\",scope=\"repository:real/app:pull\"",
                    ),
                ),
            ))
            .logged_in(),
        Scenario::new(&["A15", "A16"], "token-expires", "The first token is refused in the middle of a pull")
            .at("A", guarded(bearer("http://{T}/token").expiring_after(2)))
            .at("T", token_server())
            .logged_in()
            .requests("T", "*", "/token", 2..=3),
        Scenario::new(&["A15"], "token-expires-in-push", "The first token is refused in the middle of a push")
            .at("A", empty(bearer("http://{T}/token").expiring_after(3)))
            .at("T", token_server())
            .logged_in()
            .asked_to(Action::Push)
            .requests("T", "*", "/token", 2..=6),
        Scenario::new(&["A01"], "unauthorized-for-ever", "Every request is answered with 401 and a new challenge")
            .with_rules([on("*", "/v2/*").always(Reply::new(401).header(
                "WWW-Authenticate",
                "Bearer realm=\"http://{T}/token\",service=\"s{visit}\",scope=\"repository:real/app:pull\"",
            ))])
            .at("T", token_server())
            .logged_in()
            .asked_to(Action::Digest)
            .expecting(DENIED)
            .requests("A", "*", "*", 1..=8)
            .requests("T", "*", "*", 1..=6),
        Scenario::new(&["A02"], "unauthorized-without-challenge", "401 without a challenge")
            .with_rules([on("*", "/v2/*").always(Reply::new(401))])
            .logged_in()
            .asked_to(Action::Digest)
            .expecting(DENIED)
            .requests("A", "*", "*", 1..=6),
        Scenario::new(&["A24"], "wrong-password", "The token server refuses the password")
            .at("A", guarded(bearer("http://{T}/token")))
            .at("T", Script::registry(
                Registry::new().with_access(Access::bearer("http://{T}/token", USER, "another")),
            ))
            .logged_in()
            .expecting(DENIED)
            .requests("T", "*", "*", 1..=2),
        Scenario::new(&["A10"], "token-server-busy", "The token server answers 503 twice")
            .at("A", guarded(bearer("http://{T}/token")))
            .at("T", token_server().rule(on("*", "/token").times(2, Reply::new(503))))
            .logged_in()
            .requests("T", "*", "*", 3..=6),
        Scenario::new(&["M18"], "token-endless", "The token server's answer has no end")
            .at("A", guarded(bearer("http://{T}/token")))
            .at("T", Script::new().rule(
                on("*", "/token").always(Reply::new(200).endless(&b"{\"token\":\""[..], &b"x"[..])),
            ))
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .sent("T", "*", "*", 24 * 1024 * 1024),
        Scenario::new(&["A22"], "forbidden", "The registry says 403 and why")
            .with_rules([on("*", "*/manifests/*").always(Reply::new(403).text(
                r#"{"errors":[{"code":"DENIED","message":"you may not"}]}"#,
            ))])
            .logged_in()
            .expecting(DENIED)
            .requests("A", "*", "*/manifests/*", 1..=2),
        Scenario::new(&["A25", "X04"], "secrets-stay-out-of-messages", "Password and token are refused; no message shows them")
            .at("A", guarded(Access::Basic { user: USER.to_owned(), password: format!("not {PASSWORD}") }))
            .logged_in()
            .expecting(DENIED)
            .requests("A", "*", "*", 1..=6),
    ]
}
