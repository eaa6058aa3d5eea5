//! Registries that are busy, and how long to leave them alone.

use crate::origin::{End, Reply, on};
use crate::scenario::{Class, Expect, Scenario};

const PATH: &str = "*/manifests/v1";

pub(super) fn scenarios() -> Vec<Scenario> {
    let busy = |after: &str| on("*", PATH).times(1, Reply::new(429).header("Retry-After", after));
    vec![
        Scenario::new(&["E14"], "retry-after-seconds", "429 with Retry-After in seconds, once")
            .with_rules([busy("1")])
            .pause("*", PATH, 1),
        Scenario::new(&["E02"], "retry-after-date", "429 with Retry-After as a date, once")
            .with_rules([on("*", PATH).times(
                1,
                Reply::new(429).header("Date", "{now}").header("Retry-After", "{now+2}"),
            )])
            // The date has lost the part of a second that had passed.
            .pause("*", PATH, 1),
        Scenario::new(&["E02"], "retry-after-past", "429 with a Retry-After that is over, once")
            .with_rules([busy("Thu, 01 Jan 2015 00:00:00 GMT")]),
        Scenario::new(&["E14"], "retry-after-an-hour", "429 with Retry-After of an hour, always")
            .with_rules([on("*", PATH).always(Reply::new(429).header("Retry-After", "3600"))])
            .expecting(Expect::Failure(&[Class::RateLimited]))
            .requests("A", "*", PATH, 1..=2),
        Scenario::new(&["E05"], "unavailable-twice", "503 twice")
            .with_rules([on("*", PATH).times(2, Reply::new(503))]),
        Scenario::new(&["E05"], "bad-gateway-on-blob", "502 twice for a layer")
            .with_rules([super::last_layer().1.times(2, Reply::new(502))]),
        Scenario::new(&["E06"], "error-for-ever", "500 for ever")
            .with_rules([on("*", PATH).always(Reply::new(500))])
            .expecting(Expect::Failure(&[Class::Network, Class::Other]))
            .requests("A", "*", PATH, 1..=12),
        Scenario::new(&["E07"], "bad-request", "400 is final")
            .with_rules([on("*", PATH).always(Reply::new(400))])
            .expecting(Expect::Failure(&[]))
            .requests("A", "*", PATH, 1..=2),
        Scenario::new(&["E07"], "missing", "404 is final")
            .with_rules([])
            .of("v2")
            .expecting(Expect::Failure(&[Class::NotFound]))
            .requests("A", "*", "*/manifests/v2", 1..=2),
        Scenario::new(
            &["H07"],
            "closed-without-a-word",
            "The connection closes before any answer, once",
        )
        .with_rules([on("*", PATH).times(1, Reply::new(200).unsaid(End::Fin))]),
        Scenario::new(
            &["H15"],
            "connections-close",
            "Every answer closes its connection, and says so",
        )
        .with_rules([on("*", "*").always(Reply::registry().then(End::Fin))]),
        Scenario::new(
            &["H08"],
            "connections-close-silently",
            "Every answer closes its connection without saying so",
        )
        .with_rules([
            on("*", "*").always(Reply::registry().without_header("connection").then(End::Fin))
        ]),
        Scenario::new(&["H06"], "not-http", "The answer is not HTTP")
            .with_rules([on("*", "*").always(Reply::raw(&b"SSH-2.0-OpenSSH_9.2\r\n"[..]))])
            .expecting(Expect::Failure(&[Class::Network, Class::Other])),
    ]
}
