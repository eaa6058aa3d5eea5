//! What is measured, as data: the work, the way to the registry, and what is aimed at.

use std::time::Duration;

use registry_faults::peers;

use super::network::Way;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) image: Image,
    /// `None`: loopback as it is.
    pub(crate) way: Option<Way>,
    pub(crate) tls: bool,
    pub(crate) server: Server,
    pub(crate) aims: &'static [Aim],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pull,
    Push,
    /// From one registry to another.
    Copy,
    /// From one repository to another of the same registry.
    Mount,
    /// The same once more.
    Again,
    Archive,
    /// The digest of a tag.
    Digest(Login),
}

/// Whose registry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Ours,
    Of(peers::Kind),
}

/// What a registry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Nothing,
    /// A bearer token, and the program has none yet.
    First,
    /// A bearer token, and the program ran before.
    Remembered,
}

/// Layers that no compressor shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) layers: usize,
    pub(crate) bytes: u64,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// Our time by that of the best peer, at most.
    Ratio(f64),
    /// Requests, at most.
    Requests(u32),
    /// Peak memory in MiB, at most.
    Peak(f64),
}

pub(crate) const LARGE: Image = Image { layers: 4, bytes: 256 << 20 };
const MIDDLING: Image = Image { layers: 4, bytes: 64 << 20 };
const ONE: Image = Image { layers: 1, bytes: 256 << 20 };
const MANY: Image = Image { layers: 40, bytes: 16 << 10 };
const EIGHT: Image = Image { layers: 8, bytes: 8 << 20 };
const SINGLE: Image = Image { layers: 1, bytes: 64 << 20 };
const SMALL: Image = Image { layers: 1, bytes: 16 << 10 };

const FAR: Way = Way { round_trip: Duration::from_millis(50), rate: None, cut: None };
const NARROW: Way = Way { round_trip: Duration::from_millis(20), rate: Some(25 << 20), cut: None };
const NARROWER: Way = Way { round_trip: Duration::from_millis(30), rate: Some(4 << 20), cut: None };
/// No connection lives long enough for half of what is pulled over it.
const BROKEN: Way = Way { round_trip: Duration::from_millis(20), rate: None, cut: Some(20 << 20) };

const BULK: &[Aim] = &[Aim::Ratio(1.0)];
const BULK_PULL: &[Aim] = &[Aim::Ratio(1.0), Aim::Peak(20.0)];

/// The table.
pub(crate) const WORKS: [Work; 20] = [
    work("pull", Kind::Pull, LARGE, None, BULK_PULL),
    work("push", Kind::Push, LARGE, None, BULK),
    work("copy", Kind::Copy, LARGE, None, BULK),
    secure("pull-tls", Kind::Pull, BULK_PULL),
    secure("push-tls", Kind::Push, BULK),
    secure("copy-tls", Kind::Copy, BULK),
    theirs("pull-registry3", Kind::Pull, peers::Kind::Registry3),
    theirs("push-registry3", Kind::Push, peers::Kind::Registry3),
    theirs("pull-docker-registry", Kind::Pull, peers::Kind::DockerRegistry),
    theirs("push-docker-registry", Kind::Push, peers::Kind::DockerRegistry),
    work("pull-cut", Kind::Pull, SINGLE, Some(BROKEN), BULK),
    work("pull-one-layer", Kind::Pull, ONE, Some(NARROW), &[Aim::Ratio(0.25)]),
    work("pull-many", Kind::Pull, MANY, Some(FAR), &[Aim::Ratio(0.45), Aim::Requests(42)]),
    work("push-many", Kind::Push, MANY, Some(FAR), &[Aim::Ratio(0.35), Aim::Requests(85)]),
    work("copy-many", Kind::Mount, MANY, Some(FAR), &[Aim::Ratio(0.35), Aim::Requests(45)]),
    work("copy-again", Kind::Again, MANY, Some(FAR), &[Aim::Requests(2)]),
    work("archive", Kind::Archive, EIGHT, Some(NARROWER), &[Aim::Ratio(0.40)]),
    work("digest", Kind::Digest(Login::Nothing), SMALL, Some(FAR), &[Aim::Requests(1)]),
    work("digest-token", Kind::Digest(Login::First), SMALL, Some(FAR), &[Aim::Requests(3)]),
    work(
        "digest-token-kept",
        Kind::Digest(Login::Remembered),
        SMALL,
        Some(FAR),
        &[Aim::Requests(1)],
    ),
];

const fn work(
    name: &'static str,
    kind: Kind,
    image: Image,
    way: Option<Way>,
    aims: &'static [Aim],
) -> Work {
    Work { name, kind, image, way, tls: false, server: Server::Ours, aims }
}

const fn secure(name: &'static str, kind: Kind, aims: &'static [Aim]) -> Work {
    Work { tls: true, ..work(name, kind, LARGE, None, aims) }
}

const fn theirs(name: &'static str, kind: Kind, server: peers::Kind) -> Work {
    Work { server: Server::Of(server), ..work(name, kind, MIDDLING, None, BULK) }
}

impl Work {
    /// `4 × 256 MiB, 20 ms, 25 MiB/s a connection`.
    pub(crate) fn describe(&self) -> String {
        let Image { layers, bytes } = self.image;
        let size = match bytes >> 20 {
            0 => format!("{} KiB", bytes >> 10),
            mebibytes => format!("{mebibytes} MiB"),
        };
        let way = match self.way {
            None if self.tls => "loopback, TLS".to_owned(),
            None => match self.server {
                Server::Ours => "loopback".to_owned(),
                Server::Of(kind) => format!("loopback, {}", kind.program()),
            },
            Some(Way { round_trip, cut: Some(cut), .. }) => {
                format!("{} ms, cut after {} MiB", round_trip.as_millis(), cut >> 20)
            }
            Some(Way { round_trip, rate: None, .. }) => format!("{} ms", round_trip.as_millis()),
            Some(Way { round_trip, rate: Some(rate), .. }) => {
                format!("{} ms, {} MiB/s a connection", round_trip.as_millis(), rate >> 20)
            }
        };
        format!("{layers} × {size}, {way}")
    }

    /// Whether not everybody gets it done.
    pub(crate) fn is_rough(&self) -> bool {
        self.way.is_some_and(|way| way.cut.is_some())
    }

    /// Why it cannot be measured here, if it cannot.
    pub(crate) fn lacks(&self) -> Option<String> {
        let Server::Of(kind) = self.server else { return None };
        let missing = peers::find(kind.program()).is_none();
        missing.then(|| format!("{} is not installed", kind.program()))
    }

    /// Whether its registry wants to know who asks.
    pub(crate) fn needs_login(&self) -> bool {
        matches!(self.kind, Kind::Digest(Login::First | Login::Remembered))
    }
}
