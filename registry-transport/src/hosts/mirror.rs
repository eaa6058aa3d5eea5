//! Another place that has a registry's content.

use std::fmt;

use url::Url;

use super::{Host, Prefix};
use crate::redact::RedactedUrl;

/// A place to read a registry's content from. Manifests and blobs are asked for there first; everything else, and all that
/// is written, goes to the registry itself.
///
/// It is a registry of its own: its credential is the one that the keychain has for *its* host, and its connection settings
/// are those of its own [`host`](Self::host), or else what [`Hosts`](crate::Hosts) know about it. Nothing that belongs to
/// the mirrored registry is sent to it.
///
/// ```
/// use registry_transport::{Host, Mirror};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A proxy project of a registry that keeps copies of several others.
/// let cache = Mirror::new("https://harbor.corp.example/v2/hub-cache".parse()?)
///     .override_path()
///     .ns(true)
///     .host(Host::new().user_agent("robot/7"));
/// // The same images under other names.
/// let copies = Mirror::at("registry.corp.example/copies".parse()?).digest_only();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Mirror {
    pub(crate) place: Place,
    pub(crate) host: Option<Box<Host>>,
    pub(crate) ns: bool,
    pub(crate) pull: bool,
    pub(crate) resolve: bool,
}

/// How a mirror's URLs are made.
#[derive(Clone)]
pub(crate) enum Place {
    /// The whole repository name behind this URL.
    Url {
        url: Url,
        /// The URL's path is the API's root already.
        whole: bool,
    },
    /// This in place of the prefix that the mirror is given for.
    Location(Prefix),
}

impl Mirror {
    /// The mirror at this `http` or `https` URL. Repositories keep their names; `/v2/` is added to the URL's path.
    pub fn new(endpoint: Url) -> Self {
        Self::of(Place::Url { url: endpoint, whole: false })
    }

    /// The mirror that has under `location` what the registry has under the prefix that this mirror is given for.
    pub fn at(location: Prefix) -> Self {
        Self::of(Place::Location(location))
    }

    fn of(place: Place) -> Self {
        Self { place, host: None, ns: false, pull: true, resolve: true }
    }

    /// The URL's path is the root of the API: nothing is added before the repository's name.
    #[must_use]
    pub fn override_path(mut self) -> Self {
        if let Place::Url { whole, .. } = &mut self.place {
            *whole = true;
        }
        self
    }

    /// How to connect to it, in place of what is known about its host. An endpoint, mirrors or a location in it mean
    /// nothing here.
    #[must_use]
    pub fn host(mut self, host: Host) -> Self {
        self.host = Some(Box::new(host));
        self
    }

    /// Whether each request names the registry that it is meant for, as `?ns=docker.io`: for a mirror of several.
    #[must_use]
    pub fn ns(mut self, ns: bool) -> Self {
        self.ns = ns;
        self
    }

    /// Whether content is asked for by digest here: yes, unless told otherwise.
    #[must_use]
    pub fn pull(mut self, pull: bool) -> Self {
        self.pull = pull;
        self
    }

    /// Whether tags are looked up here: yes, unless told otherwise. A mirror that lags behind, or that is not to decide
    /// what a tag means, should not.
    #[must_use]
    pub fn resolve(mut self, resolve: bool) -> Self {
        self.resolve = resolve;
        self
    }

    /// Only asked for content by digest, which says itself whether it is right.
    #[must_use]
    pub fn digest_only(self) -> Self {
        self.pull(true).resolve(false)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, whole: false } => write!(f, "{}", RedactedUrl::from(url)),
            Self::Url { url, whole: true } => write!(f, "{} (whole)", RedactedUrl::from(url)),
            Self::Location(prefix) => prefix.fmt(f),
        }
    }
}
