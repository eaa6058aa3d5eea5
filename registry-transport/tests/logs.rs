//! X04: nothing that is logged, at any level, by this crate or by those below it, holds a secret.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use registry_authn::{Credential, Fixed, Scopes};
use registry_faults::origin::{Reply, Script, Stage, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::{Method, Request, Transport, header};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps everything.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn x04_a_log_of_everything_holds_no_secret() {
    let log = Everything::default();
    let ran = tracing::subscriber::with_default(log.clone(), || {
        // One thread, so that this thread's subscriber sees everything.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(dance())
    });
    let log = log.0.lock().unwrap();
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
