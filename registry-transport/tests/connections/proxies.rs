//! Through a proxy (T10). The registries have names that lead nowhere: only a proxy can have been asked.

use registry_faults::origin::{Script, Stage};
use registry_faults::proxy::{Conduct, Proxy as Fake};
use registry_faults::registry::{Access, Registry};
use registry_faults::tls::{Authority, Front, Handshake, Valid};
use registry_transport::{ErrorKind, Host, Proxy};

use crate::{get, hosts, told, transport};

const NAME: &str = "registry.nowhere.invalid";

fn through(proxy: &Fake, login: &str) -> Host {
    let proxy: Proxy = format!("http://{login}{}", proxy.host()).parse().unwrap();
    Host::new().proxy(proxy)
}

#[tokio::test]
async fn t10_secrets_of_the_proxy_stay_there_and_those_of_the_registry_pass_it_sealed() {
    let authority = Authority::new().unwrap();
    let access = Access::Basic { user: "user".into(), password: "canary-origin".into() };
    let stage = Stage::single(Script::registry(Registry::new().with_access(access))).unwrap();
    let identity = authority.issue(&[NAME], Valid::Now).unwrap();
    let front = Front::start(Handshake::Honest(identity), stage.host()).unwrap();
    let proxy = Fake::start(Conduct::Relay(format!("127.0.0.1:{}", front.port()))).unwrap();
    let host = through(&proxy, "proxy-user:canary-proxy@").ca_certificates(authority.pem());
    let transport = transport(hosts(NAME, host), &[(NAME, "canary-origin")]);
    get(&transport, NAME, "/v2/").await.unwrap();
    let heard = proxy.heard();
    assert!(heard[0].starts_with(&format!("CONNECT {NAME}:443 ")), "{heard:?}");
    // "proxy-user:canary-proxy"
    assert!(heard[0].contains("Basic cHJveHktdXNlcjpjYW5hcnktcHJveHk="), "{heard:?}");
    assert_eq!(stage.log().leaks(&["canary-proxy"]), []);
    assert_ne!(stage.log().leaks(&["canary-origin"]), []);
    assert!(!heard.iter().any(|head| head.to_ascii_lowercase().contains("\r\nauthorization:")));
    assert!(!format!("{transport:?}").contains("canary"));
}

#[tokio::test]
async fn t10_a_registry_over_plain_http_is_reached_too() {
    let stage = Stage::single(Script::new()).unwrap();
    let proxy = Fake::start(Conduct::Relay(stage.host().to_owned())).unwrap();
    let host = through(&proxy, "user:canary-proxy@").plain_http();
    get(&transport(hosts(NAME, host), &[]), NAME, "/v2/").await.unwrap();
    assert_eq!(stage.log().leaks(&["canary-proxy"]), []);
    assert_eq!(stage.log().seen[0].request.header("host"), Some(NAME));
}

#[tokio::test]
async fn t10_a_proxy_that_fails_is_named_as_the_one_that_did() {
    for (conduct, reason) in [
        (Conduct::Answer("407 Proxy Authentication Required"), "wants a login"),
        (Conduct::Answer("502 Bad Gateway"), "proxy"),
        (Conduct::CloseAfterConnect, ""),
        (Conduct::Hang, ""),
    ] {
        let proxy = Fake::start(conduct.clone()).unwrap();
        let host = through(&proxy, "user:canary@");
        let transport = transport(hosts(NAME, host), &[]);
        let error = get(&transport, NAME, "/v2/").await.unwrap_err();
        let told = told(&error);
        assert!(matches!(error.kind(), ErrorKind::Network | ErrorKind::Tls), "{told}");
        assert!(told.contains(reason) && !told.contains("canary"), "{conduct:?}: {told}");
        assert!(error.attempts() <= 6 && proxy.heard().len() <= 7, "{told}");
    }
    // Over plain HTTP it answers the request itself.
    let proxy = Fake::start(Conduct::Answer("407 Proxy Authentication Required")).unwrap();
    let host = through(&proxy, "").plain_http();
    let error = get(&transport(hosts(NAME, host), &[]), NAME, "/v2/").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 1), "{}", told(&error));
    assert!(error.hint().unwrap().contains("wants a login"), "{}", told(&error));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_a_registry_that_is_not() {
    let gone = Fake::start(Conduct::Hang).unwrap();
    let host = through(&gone, "");
    drop(gone);
    let error = get(&transport(hosts(NAME, host), &[]), NAME, "/v2/").await.unwrap_err();
    assert!(told(&error).contains("proxy"), "{}", told(&error));
}

#[cfg(feature = "socks")]
#[tokio::test]
async fn t10_socks5_asks_the_proxy_for_the_name_and_shows_it_the_login() {
    let stage = Stage::single(Script::new()).unwrap();
    let proxy = Fake::start(Conduct::Socks(stage.host().to_owned())).unwrap();
    let url: Proxy = format!("socks5h://user:secret@{}", proxy.host()).parse().unwrap();
    let host = Host::new().plain_http().proxy(url);
    get(&transport(hosts(NAME, host), &[]), NAME, "/v2/").await.unwrap();
    assert_eq!(proxy.heard(), [format!("user secret {NAME}:80")]);
    assert_eq!(stage.log().leaks(&["secret"]), []);
}
