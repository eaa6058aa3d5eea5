//! Certificates, ours and theirs (T01 to T11).

use registry_faults::origin::{Reply, Script, Stage, on};
use registry_faults::tls::{Authority, Front, Handshake, Identity, Valid};
use registry_transport::{ErrorKind, Host, Hosts, Transport, header};

use crate::{get, hosts, registry, told, transport};

const HERE: &[&str] = &["127.0.0.1", "localhost"];

struct World {
    stage: Stage,
    front: Front,
}

impl World {
    fn new(handshake: Handshake) -> Self {
        let stage = Stage::single(Script::new()).unwrap();
        let front = Front::start(handshake, stage.host()).unwrap();
        Self { stage, front }
    }

    fn name(&self) -> String {
        format!("127.0.0.1:{}", self.front.port())
    }
}

#[tokio::test]
async fn t01_a_certificate_that_cannot_be_trusted_ends_the_first_attempt_with_the_reason_and_the_fix()
 {
    let authority = Authority::new().unwrap();
    let stranger = Authority::new().unwrap();
    let issue = |names, valid| authority.issue(names, valid).unwrap();
    let own = |valid| Identity::self_signed(HERE, valid, true).unwrap();
    let late = own(Valid::Past);
    let elsewhere = Identity::self_signed(&["elsewhere.example"], Valid::Now, true).unwrap();
    for (identity, ca, reason, fix) in [
        (issue(HERE, Valid::Past), authority.pem(), "xpired", "renewed"),
        (issue(HERE, Valid::Future), authority.pem(), "not valid yet", "clock"),
        (issue(&["elsewhere.example"], Valid::Now), authority.pem(), "name", "other names"),
        (issue(HERE, Valid::Now), stranger.pem(), "UnknownIssuer", "configure it"),
        (own(Valid::Now), stranger.pem(), "", "certificate"),
        // Its own authority, and still judged by name and dates.
        (late.clone(), late.certificate, "xpired", "renewed"),
        (elsewhere.clone(), elsewhere.certificate, "name", "other names"),
    ] {
        let world = World::new(Handshake::Honest(identity));
        let host = Host::new().tls().ca_certificates(ca);
        let error = get(&transport(hosts(&world.name(), host), &[]), &world.name(), "/v2/").await;
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1), "{}", told(&error));
        let (told, hint) = (told(&error), error.hint().unwrap_or_default());
        assert!(told.contains(reason) && hint.contains(fix), "{told}");
        assert_eq!(world.front.connections(), 1, "{told}");
    }
}

#[tokio::test]
async fn a_configured_authority_and_a_self_signed_certificate_that_is_its_own_are_trusted() {
    let authority = Authority::new().unwrap();
    let signed = authority.issue(HERE, Valid::Now).unwrap();
    let own = Identity::self_signed(HERE, Valid::Now, true).unwrap();
    let plain = Identity::self_signed(HERE, Valid::Now, false).unwrap();
    for (identity, ca) in [
        (signed, format!("\u{feff}{}", authority.pem())),
        (own.clone(), own.certificate),
        (plain.clone(), plain.certificate),
    ] {
        let world = World::new(Handshake::Honest(identity));
        let host = Host::new().tls().ca_certificates(ca);
        let transport = transport(hosts(&world.name(), host), &[]);
        for _ in 0..3 {
            get(&transport, &world.name(), "/v2/").await.unwrap().discard().await;
        }
        // They share a connection.
        assert_eq!((world.front.connections(), transport.counters().connections), (1, 1));
    }
}

#[tokio::test]
async fn t11_a_host_is_verified_under_the_name_that_it_was_asked_by() {
    let authority = Authority::new().unwrap();
    let world = World::new(Handshake::Honest(authority.issue(&["localhost"], Valid::Now).unwrap()));
    for (host, works) in [("localhost", true), ("127.0.0.1", false)] {
        let name = format!("{host}:{}", world.front.port());
        let settings = Host::new().tls().ca_certificates(authority.pem());
        let answer = get(&transport(hosts(&name, settings), &[]), &name, "/v2/").await;
        assert_eq!(answer.is_ok(), works, "{host}");
    }
}

#[tokio::test]
async fn t06_what_is_said_about_one_host_counts_for_no_other() {
    let own = || Identity::self_signed(HERE, Valid::Now, true).unwrap();
    let other = World::new(Handshake::Honest(own()));
    let away = Reply::new(307).header("Location", format!("https://{}/v2/", other.name()));
    let stage = Stage::single(Script::new().rule(on("GET", "/v2/away").always(away))).unwrap();
    let front = Front::start(Handshake::Honest(own()), stage.host()).unwrap();
    let name = format!("127.0.0.1:{}", front.port());
    let host = Host::new()
        .tls()
        .dangerous_accept_any_certificate()
        .user_agent("only-here")
        .header(header::COOKIE, "canary".parse().unwrap());
    let transport = transport(hosts(&name, host), &[]);
    get(&transport, &name, "/v2/").await.unwrap();
    assert_eq!(stage.log().seen[0].request.header("cookie"), Some("canary"));
    assert!(stage.log().seen[0].request.header("user-agent").unwrap().starts_with("only-here "));
    let error = get(&transport, &name, "/v2/away").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", told(&error));
    assert_eq!(other.stage.log().seen.len(), 0);
}

#[tokio::test]
async fn a_bound_header_stays_behind_when_a_redirect_leaves_its_host() {
    let away = Reply::new(307).header("Location", "http://{B}/v2/");
    let script = Script::new().rule(on("GET", "/v2/away").always(away));
    let stage = Stage::start([("A", script), ("B", Script::new())]).unwrap();
    let bound = |value: &str| Host::new().header(header::COOKIE, value.parse().unwrap());
    let b = stage.origin("B").unwrap();
    let all =
        hosts(stage.host(), bound("canary-a")).host(registry(b.host()).into(), bound("canary-b"));
    get(&transport(all, &[]), stage.host(), "/v2/away").await.unwrap();
    assert_eq!(stage.log().seen[0].request.header("cookie"), Some("canary-a"));
    // It is not for A to have B's own sent.
    assert_eq!(b.log().leaks(&["canary-a", "canary-b"]), []);
}

#[tokio::test]
async fn t03_t09_a_handshake_that_stalls_or_is_too_old_fails() {
    for (handshake, kind, attempts) in [
        (Handshake::OldVersions, ErrorKind::Tls, 1..=1),
        (Handshake::Stall, ErrorKind::Network, 1..=6),
    ] {
        let world = World::new(handshake);
        let all = hosts(&world.name(), Host::new().tls().dangerous_accept_any_certificate());
        let error = get(&transport(all, &[]), &world.name(), "/v2/").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", told(&error));
        assert!(attempts.contains(&error.attempts()), "{}", told(&error));
    }
}

#[tokio::test]
async fn t08_a_client_certificate_is_shown_where_it_was_configured() {
    let (servers, clients) = (Authority::new().unwrap(), Authority::new().unwrap());
    let mine = clients.issue(&["me"], Valid::Now).unwrap();
    let other = servers.issue(&["me"], Valid::Now).unwrap();
    let server = servers.issue(HERE, Valid::Now).unwrap();
    let world = World::new(Handshake::ClientCertificate(server, clients.pem()));
    let host = || Host::new().tls().ca_certificates(servers.pem());
    let ask = async |host: Host| {
        get(&transport(hosts(&world.name(), host), &[]), &world.name(), "/v2/").await
    };
    ask(host().client_certificate(mine.certificate.as_str(), mine.key.as_str())).await.unwrap();
    let error = ask(host()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1), "{}", told(&error));
    assert!(error.hint().unwrap().contains("client certificate"), "{}", told(&error));
    let stranger = host().client_certificate(other.certificate, other.key.as_str());
    let error = ask(stranger).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1), "{}", told(&error));
    assert!(error.hint().unwrap().contains("does not accept"), "{}", told(&error));
    // A key that belongs to another certificate is found out before anyone is asked.
    let mixed = host().client_certificate(mine.certificate, other.key);
    let built = Transport::builder().hosts(hosts(&world.name(), mixed)).build();
    assert_eq!(built.unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn t07_an_authority_that_is_none_is_an_error_when_the_transport_is_built() {
    let der = [0x30, 0x82, 0x01, 0x0a, 0x02];
    for pem in [&b""[..], b"\xef\xbb\xbf", b"garbage", &der] {
        let host = Host::new().ca_certificates(pem);
        for hosts in [hosts("ghcr.io", host.clone()), Hosts::default().ca_certificates(pem)] {
            let error = Transport::builder().hosts(hosts).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{pem:?}");
        }
    }
}
