//! The way to a registry: certificates, proxies, and what HTTP/2 has to end a stream with or to keep a client busy.

use crate::http2::{Act, Flood, code};
use crate::proxy::Conduct;
use crate::scenario::{Action, Certificate, Class, Entry, Expect, Scenario, Shown};
use crate::tls::Valid;

const TAGS: &str = "*/tags/list*";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = certificates();
    all.extend(proxies());
    all.extend(streams());
    all
}

fn list(id: &'static [&'static str], name: &'static str, title: &'static str) -> Scenario {
    Scenario::new(id, name, title)
        .asked_to(Action::ListTags)
        .with_rules([])
        .expecting(Expect::Tags(&["v1"]))
}

/// It ends before the registry was asked anything.
fn refused(scenario: Scenario, classes: &'static [Class]) -> Scenario {
    scenario.logged_in().expecting(Expect::Failure(classes)).requests("A", "*", "*", 0..=0)
}

fn certificates() -> Vec<Scenario> {
    let good = |name, title, entry| list(&["T01"], name, title).through(entry);
    let bad =
        |id, name, title, entry| refused(list(id, name, title).through(entry), &[Class::Network]);
    let none = |name, title, bytes| {
        refused(list(&["T07"], name, title).through(Entry::Authority(bytes)), &[Class::Other])
    };
    let signed = |valid| Entry::Tls(Certificate::Signed(valid));
    vec![
        good("tls", "A private authority signed the certificate", signed(Valid::Now)),
        good(
            "tls-self-signed",
            "The certificate is its own authority",
            Entry::Tls(Certificate::Itself),
        ),
        bad(&["T01"], "tls-expired", "The certificate has run out", signed(Valid::Past)),
        bad(&["T01"], "tls-not-yet", "The certificate is not valid yet", signed(Valid::Future)),
        bad(
            &["T01"],
            "tls-other-name",
            "The certificate is for another host",
            Entry::Tls(Certificate::OtherName),
        ),
        bad(
            &["T01"],
            "tls-stranger",
            "Nobody knows who signed the certificate",
            Entry::Tls(Certificate::Stranger),
        ),
        bad(&["T03"], "tls-stall", "The handshake never ends", Entry::Stall),
        bad(&["T09"], "tls-old", "The server only speaks TLS 1.1", Entry::OldVersions),
        none("tls-authority-empty", "The file of the authority is empty", b""),
        none(
            "tls-authority-bom",
            "The file of the authority is a mark of byte order",
            b"\xef\xbb\xbf",
        ),
        none("tls-authority-garbage", "The file of the authority is garbage", b"garbage"),
        none("tls-authority-der", "The file of the authority is DER", &[0x30, 0x82, 1, 10, 2]),
        list(&["T08"], "tls-client", "The server wants a certificate, and is shown it")
            .through(Entry::Client(Shown::Right)),
        bad(
            &["T08"],
            "tls-client-none",
            "The server wants a certificate that the client does not have",
            Entry::Client(Shown::Nothing),
        ),
        bad(
            &["T08"],
            "tls-client-wrong",
            "The server does not accept the client's certificate",
            Entry::Client(Shown::Wrong),
        ),
    ]
}

fn proxies() -> Vec<Scenario> {
    let bad = |name, title, conduct| {
        refused(list(&["T10"], name, title).through(Entry::BadProxy(conduct)), &[Class::Network])
    };
    vec![
        list(&["T10"], "proxy", "The way to the registry is a proxy that wants a login")
            .through(Entry::Proxy),
        bad(
            "proxy-407",
            "The proxy does not accept the login",
            Conduct::Answer("407 Proxy Authentication Required"),
        ),
        bad("proxy-502", "The proxy cannot reach anyone", Conduct::Answer("502 Bad Gateway")),
        bad("proxy-hang", "The proxy says nothing", Conduct::Hang),
        bad("proxy-close", "The proxy agrees and closes", Conduct::CloseAfterConnect),
    ]
}

fn streams() -> Vec<Scenario> {
    let once = |id, name, title, act| list(id, name, title).through(Entry::Http2(vec![act]));
    let always =
        |id, name, title, act| {
            list(id, name, title)
                .through(Entry::Http2(vec![act; 50]))
                .expecting(Expect::Failure(&[Class::Network, Class::RateLimited, Class::Other]))
        };
    vec![
        once(
            &["H10"],
            "goaway",
            "The server goes away without a look at the request",
            Act::TurnAway,
        ),
        once(&["H10"], "goaway-last", "The server goes away with one last answer", Act::AnswerLast),
        once(&["H10"], "goaway-broken", "The server goes away without it", Act::BreakPromise),
        once(&["H11"], "reset-refused", "The stream is refused", Act::Reset(code::REFUSED_STREAM)),
        once(
            &["H11"],
            "reset-internal",
            "The stream is reset: the server failed",
            Act::Reset(code::INTERNAL_ERROR),
        ),
        once(&["H11"], "reset-cancel", "The stream is reset: cancelled", Act::Reset(code::CANCEL)),
        once(
            &["H11"],
            "reset-calm",
            "The stream is reset: too many requests",
            Act::Reset(code::ENHANCE_YOUR_CALM),
        ),
        always(
            &["H11"],
            "reset-calm-forever",
            "Every stream is reset: too many requests",
            Act::Reset(code::ENHANCE_YOUR_CALM),
        )
        .expecting(Expect::Failure(&[Class::RateLimited])),
        always(
            &["H11"],
            "reset-http1",
            "Every stream is reset: only HTTP/1.1 will do",
            Act::Reset(code::HTTP_1_1_REQUIRED),
        )
        .expecting(Expect::Tags(&["v1"]))
        .requests("A", "GET", TAGS, 1..=1),
        always(&["H12"], "zero-window", "The server has no use for any byte", Act::ZeroWindow),
        once(
            &["H12"],
            "flood-settings",
            "Settings without end on one connection",
            Act::Flood(Flood::Settings),
        ),
        once(
            &["H12"],
            "flood-ping",
            "Pings without end on one connection",
            Act::Flood(Flood::Ping),
        ),
        always(
            &["H12"],
            "flood-continuation",
            "Headers that never end",
            Act::Flood(Flood::Continuation),
        ),
        always(
            &["H12"],
            "flood-push",
            "Promises that nobody asked for, each taken back",
            Act::Flood(Flood::Push),
        ),
    ]
}
