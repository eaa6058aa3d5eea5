//! Twelve kinds of secret against every URL that a server can choose: R01, R02, R04, R10, R11, R14, U11.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use registry_authn::{Credential, Fixed, Resource, Scopes, Secret};
use registry_name::{Registry, Repository};
use registry_transport::service::HttpService;
use registry_transport::{
    Body, Error, Event, Host, Hosts, Method, Mirror, Request, RetryPolicy, Transport, header,
};

use crate::everything::Everything;
use crate::hostile::{HOME, Hostile, Place, REALM, Seen, Wants, origin_of};

const PLACES: [Place; 7] = [
    Place::Redirect,
    Place::PutRedirect,
    Place::Realm,
    Place::RealmRedirect,
    Place::Location,
    Place::Link,
    Place::Mirror,
];

/// Another port, another name, another address, plain HTTP, and an address of this machine.
const TARGETS: [&str; 5] = [
    "https://8.8.8.8:9443",
    "https://evil.example.net",
    "https://9.9.9.9",
    "http://8.8.8.8",
    "https://127.0.0.1",
];

/// The secrets; a token that was fetched and the token it is renewed by come on the way, a signature from the server.
const CANARIES: [&str; 12] = [
    "canary-user",
    "canary-password",
    "canary-registry-token",
    "canary-identity",
    "canary-bearer",
    "canary-refresh",
    "canary-header",
    "canary-cookie",
    "canary-bound",
    "canary-proxy",
    "canary-key",
    "canary-signature",
];

fn credentials() -> [Credential; 3] {
    [
        Credential::basic("canary-user", "canary-password"),
        Credential::RegistryToken(Secret::new("canary-registry-token")),
        Credential::IdentityToken(Secret::new("canary-identity")),
    ]
}

#[test]
fn x04_no_secret_reaches_another_origin_or_a_log_whatever_url_a_server_chooses() {
    let arrived: Vec<Seen> = PLACES.into_iter().flat_map(played_at).collect();
    // What belongs to the registry reached it: the test would not notice an escape of what is never sent.
    let home: String = arrived
        .iter()
        .filter(|seen| [HOME, &origin_of(REALM)].contains(&seen.origin.as_str()))
        .map(|seen| seen.text.as_str())
        .collect();
    for canary in &CANARIES[..8] {
        // The service's own refresh token is not asked for by name here.
        assert!(home.contains(canary) || *canary == "canary-refresh", "{canary} was never sent");
    }
    let away = arrived.iter().filter(|seen| TARGETS.contains(&seen.origin.as_str())).count();
    assert!(away > 100, "{away} requests went to another origin");
}

/// All requests of clients that meet a hostile registry of every kind.
fn played_at(place: Place) -> Vec<Seen> {
    let mut seen = Vec::new();
    for target in TARGETS {
        for back in [false, true] {
            for wants in [Wants::Basic, Wants::Bearer] {
                for credential in credentials() {
                    let hostile = Hostile { place, wants, target, back, seen: Mutex::default() };
                    seen.extend(played(&Arc::new(hostile), credential));
                }
            }
        }
    }
    seen
}

/// All requests of a client that meets `hostile` with `credential`.
fn played(hostile: &Arc<Hostile>, credential: Credential) -> Vec<Seen> {
    let told = Arc::new(Mutex::new(String::new()));
    let said = Everything::while_running(visit(Arc::clone(hostile), credential, Arc::clone(&told)));
    let seen = hostile.seen.lock().unwrap().clone();
    for request in &seen {
        assert_kept(hostile, request);
    }
    let ((), log) = said;
    let told = told.lock().unwrap().clone();
    for canary in CANARIES {
        assert!(!log.contains(canary), "{canary} was logged: {hostile:?}\n{log}");
        assert!(!told.contains(canary), "{canary} was told: {hostile:?}\n{told}");
    }
    seen
}

/// No secret is in a request that went somewhere else, or that came back from there.
fn assert_kept(hostile: &Hostile, request: &Seen) {
    let at_home = request.origin == HOME && request.path != "/v2/back";
    if at_home || format!("{}{}", request.origin, request.path) == REALM {
        return;
    }
    for canary in CANARIES {
        // The signature is the target's own.
        let own = canary == "canary-signature" && request.origin == origin_of(hostile.target);
        // The registry may name a token endpoint on its own host; that one sees who asks for a token.
        let trusted = hostile.place == Place::Realm
            && hostile.target.starts_with("https://8.8.8.8:")
            && request.path == "/token"
            && ["canary-user", "canary-password", "canary-identity"].contains(&canary);
        let kept = own || trusted || !request.text.contains(canary);
        assert!(kept, "{canary} is in {request:?} of {:?}", hostile.place);
    }
}

/// Does what a client does, and keeps everything that it was told.
async fn visit(hostile: Arc<Hostile>, credential: Credential, told: Arc<Mutex<String>>) {
    let registry: Registry = "8.8.8.8".parse().unwrap();
    let app = Repository::new(&registry, "app").unwrap();
    let heard = Arc::clone(&told);
    let transport = Transport::builder()
        .service(Arc::clone(&hostile) as Arc<dyn HttpService>)
        .keychain(Arc::new(Fixed::for_registry(registry.clone(), credential)))
        .hosts(hosts(&registry, &hostile))
        .policy(RetryPolicy::none())
        .events(Arc::new(move |event: &Event<'_>| {
            write!(heard.lock().unwrap(), "{event:?}").unwrap();
        }))
        .build()
        .unwrap();
    let tell = |text: String| told.lock().unwrap().push_str(&text);
    tell(format!("{transport:?}"));

    let send = |method: Method, path: &str| {
        Request::new(method, &registry, path)
            .resource(Resource::Repository(app.clone()))
            .scopes(Scopes::pull(&app))
            .secret_header(header::HeaderName::from_static("x-api-key"), "canary-header")
            .header(header::COOKIE, "session=canary-cookie")
    };
    for request in [
        send(Method::GET, "/v2/app/blobs/x"),
        send(Method::HEAD, "/v2/app/blobs/x"),
        send(Method::PUT, "/v2/app/manifests/x").body(Body::bytes("content")),
    ] {
        tell(format!("{request:?}"));
        match transport.send(request).await {
            Ok(answer) => tell(format!("{answer:?}")),
            Err(error) => tell(printed(&error)),
        }
    }
    let upload = transport.send(send(Method::POST, "/v2/app/blobs/uploads/")).await;
    match upload.and_then(|answer| answer.location()) {
        Ok(location) => {
            let put = send(Method::PUT, "").to(location).body(Body::bytes("content"));
            tell(transport.send(put).await.map_or_else(|error| printed(&error), |_| String::new()));
        }
        Err(error) => tell(printed(&error)),
    }
    let page = transport.send(send(Method::GET, "/v2/app/tags/list")).await;
    match page.and_then(|answer| answer.next_link()) {
        Ok(Some(next)) => {
            let get = send(Method::GET, "").to(next);
            tell(transport.send(get).await.map_or_else(|error| printed(&error), |_| String::new()));
        }
        Ok(None) => {}
        Err(error) => tell(printed(&error)),
    }
}

/// What belongs to the connection and to the host, and, where it is the mirror's turn, the mirror.
fn hosts(registry: &Registry, hostile: &Hostile) -> Hosts {
    let mut host = Host::new()
        .proxy("http://me:canary-proxy@proxy.example:3128".parse().unwrap())
        .client_certificate("chain", "canary-key")
        .header(
            header::HeaderName::from_static("x-bound"),
            header::HeaderValue::from_static("canary-bound"),
        );
    if hostile.place == Place::Mirror {
        host = host.mirror(Mirror::new(hostile.target.parse().unwrap()));
    }
    Hosts::default().host(registry.clone().into(), host)
}

/// The error with its causes and its debug form: whatever of it may be printed.
fn printed(error: &Error) -> String {
    let mut lines = format!("{error}\n{error:?}\n{error:#?}\n{:?}\n", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        writeln!(lines, "{next}\n{next:?}").unwrap();
        cause = next.source();
    }
    lines
}
