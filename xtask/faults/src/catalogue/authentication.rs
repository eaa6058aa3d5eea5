//! The 401 dance, its variations, and dances that never end.

use super::{basic, bearer, stocked};
use crate::origin::{Reply, Rule, Script, on};
use crate::registry::{Access, Registry};
use crate::scenario::{Action, Certificate, Class, Entry, Expect, PASSWORD, Scenario, USER};
use crate::tls::Valid;

/// Where most registries here issue their tokens: beside the content.
const REALM: &str = "http://{A}/token";

const DENIED: Expect = Expect::Failure(&[Class::Denied]);

/// A token of the stage that may pull `real/app`.
const PULL_TOKEN: &str = "canary-token.1.7265706f7369746f72793a7265616c2f6170703a70756c6c";

/// Whoever shows nothing is challenged like this.
fn challenged(header: &str) -> Rule {
    let challenge = Reply::new(401).header("WWW-Authenticate", header);
    on("*", "/v2/*").without_header("authorization").always(challenge)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let token_server = |realm| Script::registry(Registry::new().with_access(bearer(realm)));
    let guarded = |access: Access| Script::registry(stocked().with_access(access));
    let empty = |access: Access| Script::registry(Registry::new().with_access(access));
    vec![
        Scenario::new(&["A03"], "dance-basic", "The registry asks for Basic")
            .at("A", guarded(basic()))
            .logged_in(),
        Scenario::new(&["A03"], "dance-bearer", "The registry asks for a token")
            .at("A", guarded(bearer(REALM)))
            .logged_in()
            .requests("A", "*", "/token", 1..=2),
        Scenario::new(&["A08"], "realm-on-another-port", "The token server is at another port of the same host")
            .at("A", guarded(bearer("http://{T}/token")))
            .at("T", token_server("http://{T}/token"))
            .logged_in()
            .requests("T", "*", "/token", 1..=2),
        Scenario::new(&["A08"], "realm-on-another-host", "The token server is at another host, and wants the password")
            .at("A", guarded(bearer("http://localhost:{B.port}/token")))
            .at("B", token_server("http://{B}/token"))
            .logged_in()
            .expecting(DENIED)
            .requests("B", "*", "*", 0..=2),
        Scenario::new(&["A07"], "realm-without-tls", "The registry speaks TLS, and its token server does not")
            .through(Entry::Tls(Certificate::Signed(Valid::Now)))
            .at("A", guarded(bearer("http://{B}/token")))
            .at("B", token_server("http://{B}/token"))
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .requests("B", "*", "*", 0..=0),
        Scenario::new(&["A19"], "dance-bearer-push", "A push gets a token that may push")
            .at("A", empty(bearer(REALM)))
            .logged_in()
            .asked_to(Action::Push)
            .requests("A", "*", "/token", 1..=4),
        Scenario::new(&["A06"], "realm-relative", "The realm is a path at the registry")
            .at("A", guarded(bearer("/token")))
            .logged_in(),
        Scenario::new(&["A03", "A04"], "two-challenges", "A challenge that nobody knows stands before Bearer")
            .at("A", guarded(bearer(REALM)).rule(
                on("GET", "/v2/*").without_header("authorization").always(
                    Reply::new(401).header(
                        "WWW-Authenticate",
                        "Negotiate, Bearer realm=\"http://{A}/token\",service=\"registry.test\",scope=\"repository:real/app:pull\"",
                    ),
                ),
            ))
            .logged_in(),
        Scenario::new(&["A15", "A16"], "token-expires", "The first token is refused in the middle of a pull")
            .at("A", guarded(bearer(REALM).expiring_after(2)))
            .logged_in()
            .requests("A", "*", "/token", 2..=3),
        Scenario::new(&["A15"], "token-expires-in-push", "The first token is refused in the middle of a push")
            .at("A", empty(bearer(REALM).expiring_after(3)))
            .logged_in()
            .asked_to(Action::Push)
            .requests("A", "*", "/token", 2..=6),
        Scenario::new(&["A01"], "unauthorized-for-ever", "Every request is answered with 401 and a new challenge")
            .at("A", guarded(bearer(REALM)).rule(on("*", "/v2/*").always(Reply::new(401).header(
                "WWW-Authenticate",
                "Bearer realm=\"http://{A}/token\",service=\"s{visit}\",scope=\"repository:real/app:pull\"",
            ))))
            .logged_in()
            .asked_to(Action::Digest)
            .expecting(DENIED)
            .requests("A", "*", "*", 2..=12),
        Scenario::new(&["A02"], "unauthorized-without-challenge", "401 without a challenge")
            .with_rules([on("*", "/v2/*").always(Reply::new(401))])
            .logged_in()
            .asked_to(Action::Digest)
            .expecting(DENIED)
            .requests("A", "*", "*", 1..=6),
        Scenario::new(&["A24"], "wrong-password", "The token server refuses the password")
            .at("A", guarded(Access::bearer(REALM, USER, "another")))
            .logged_in()
            .expecting(DENIED)
            .requests("A", "*", "/token", 1..=2),
        Scenario::new(&["A10"], "token-server-busy", "The token server answers 503 twice")
            .at("A", guarded(bearer(REALM)).rule(on("*", "/token").times(2, Reply::new(503))))
            .logged_in()
            .requests("A", "*", "/token", 3..=6),
        Scenario::new(&["R10"], "token-redirected", "The token server redirects to another origin, which wants the password")
            .at("A", guarded(bearer(REALM)).rule(
                on("*", "/token").always(Reply::new(307).header("Location", "http://{B}{target}")),
            ))
            .at("B", token_server("http://{B}/token"))
            .logged_in()
            .expecting(Expect::Failure(&[])),
        Scenario::new(&["M18"], "token-endless", "The token server's answer has no end")
            .at("A", guarded(bearer(REALM)).rule(
                on("*", "/token").always(Reply::new(200).endless(&b"{\"token\":\""[..], &b"x"[..])),
            ))
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .sent("A", "*", "/token", 24 * 1024 * 1024),
        Scenario::new(&["M18"], "token-is-a-page", "The token server's answer is a web page")
            .at("A", guarded(bearer(REALM)).rule(
                on("*", "/token").always(Reply::new(200).text("<html>Sign in</html>")),
            ))
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .requests("A", "*", "/token", 1..=3),
        Scenario::new(&["A05"], "challenge-with-two-realms", "The challenge names two realms")
            .at("A", guarded(bearer(REALM)).rule(challenged(
                "Bearer realm=\"http://{A}/token\",realm=\"http://{B}/token\"",
            )))
            .at("B", token_server("http://{B}/token"))
            .logged_in()
            .expecting(DENIED)
            .requests("B", "*", "*", 0..=0),
        Scenario::new(&["A09"], "realm-is-a-file", "The realm is a file of this machine")
            .at("A", guarded(bearer("file:///etc/passwd")))
            .logged_in()
            .expecting(Expect::Failure(&[]))
            .requests("A", "*", "*", 1..=4),
        Scenario::new(&["A13"], "token-for-once", "Tokens that live for no time are used for what they were fetched for")
            .at("A", guarded(bearer(REALM)).rule(on("*", "/token").always(
                Reply::new(200).text(format!("{{\"token\":\"{PULL_TOKEN}\",\"expires_in\":0}}")),
            )))
            .logged_in()
            .requests("A", "*", "/token", 1..=40),
        Scenario::new(&["A14"], "token-from-the-past", "A token whose issued_at is long ago is as good as any")
            .at("A", guarded(bearer(REALM)).rule(on("*", "/token").always(Reply::new(200).text(
                format!("{{\"token\":\"{PULL_TOKEN}\",\"expires_in\":300,\"issued_at\":\"1969-01-01T00:00:00Z\"}}"),
            ))))
            .logged_in()
            .requests("A", "*", "/token", 1..=2),
        Scenario::new(&["A18"], "scopes-of-others", "The challenge asks for scopes of other repositories")
            .at("A", guarded(bearer(REALM)).rule(challenged(
                "Bearer realm=\"http://{A}/token\",service=\"registry.test\",scope=\"repository:real/app:pull repository:other:push,delete registry:catalog:*\"",
            )))
            .logged_in()
            .requests("A", "*", "/token", 1..=2),
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
