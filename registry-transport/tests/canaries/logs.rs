//! X04: nothing that is logged, at any level, by this crate or by those below it, holds a secret.

use std::sync::Arc;

use registry_authn::{Credential, Fixed, Scopes};
use registry_faults::origin::{Reply, Script, Stage, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::{Method, Request, Transport, header};

use crate::everything::Everything;

#[test]
fn x04_a_log_of_everything_holds_no_secret() {
    let (ran, log) = Everything::while_running(dance());
    for canary in [
        "canary-user",
        "canary-password",
        "canary-token",
        "canary-header",
        "canary-query",
        "Y2FuYXJ5",
    ] {
        assert!(!log.contains(canary), "{canary} was logged:\n{log}");
    }
    // and there was something to see
    assert!(log.contains("token fetched") && log.contains("X-Amz-Signature=REDACTED"), "{log}");
    assert_eq!(ran, 2);
}

/// Basic and Bearer, a redirect with a signed query, and a failure at the end of it.
async fn dance() -> usize {
    let mut refused = 0;
    let basic = Access::Basic { user: "canary-user".into(), password: "canary-password".into() };
    let bearer =
        Access::bearer("http://{A}/token?x=canary-query", "canary-user", "canary-password");
    for access in [basic, bearer] {
        let away = Reply::new(307).header("Location", "http://{B}/s?X-Amz-Signature=canary-query");
        let guarded = Script::registry(Registry::new().with_access(access))
            .rule(on("GET", "/v2/x").with_header("authorization").always(away));
        let store =
            Script::new().rule(on("GET", "/s").always(Reply::new(403).text("canary-query")));
        let stage = Stage::start([("A", guarded), ("B", store)]).unwrap();
        let registry: registry_name::Registry = stage.host().parse().unwrap();
        let keychain = Fixed::for_registry(
            registry.clone(),
            Credential::basic("canary-user", "canary-password"),
        );
        let transport = Transport::builder().keychain(Arc::new(keychain)).build().unwrap();
        let request = Request::new(Method::GET, &registry, "/v2/x?token=canary-query")
            .secret_header(header::COOKIE, "canary-header")
            .scopes(Scopes::catalog());
        refused += usize::from(transport.send(request).await.is_err());
    }
    refused
}
