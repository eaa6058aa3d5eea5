//! Where a request may be answered: at a mirror, at the location that a part of a registry was moved to, or at the registry
//! itself. A pure function over the configuration and the request; the transport walks along what it returns.

#[cfg(test)]
mod tests;

use http::Method;
use registry_authn::{Resource, Scope, Scopes};
use registry_name::Repository;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::follow::is_harmless;
use crate::hosts::{Host, Hosts, Mirror, Place, Prefix, endpoint_of, mirror_endpoint, registry_at};
use crate::origin::{Home, Origin, is_private_host};
use crate::request::{Request, Target};

/// One place where a request may be answered, and the request as it goes there.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) request: Request,
    pub(crate) url: Url,
    pub(crate) home: Home,
    /// How to connect to its home.
    pub(crate) host: Host,
    /// Where the mirror is; none is the registry itself, or its location.
    pub(crate) mirror: Option<Url>,
}

/// How often a mirror is asked before the next candidate is: its registry has the same content.
pub(crate) const MIRROR_ATTEMPTS: u32 = 2;

/// Everywhere that `request` may be answered, in the order in which to ask; never empty. The last one is the registry
/// itself, or its location.
///
/// Mirrors and locations answer GET and HEAD of manifests and blobs, and nothing else: whoever writes has to see what the
/// registry itself has. `trusted` says whether a mirror at this URL may still be asked.
pub(crate) fn routes(
    hosts: &Hosts,
    request: &Request,
    trusted: impl Fn(&Url) -> bool,
) -> Result<Vec<Candidate>, Error> {
    let registry = &request.registry;
    let content = Content::of(request);
    let path = match (&request.resource, &content) {
        (Some(Resource::Repository(repository)), _) => repository.path(),
        (_, Some(content)) => content.repository,
        _ => "",
    };
    let (prefix, host) = hosts.reach(registry, path)?;
    if host.blocked == Some(true) {
        return Err(Error::new(ErrorKind::Refused, format!("{prefix} is blocked"))
            .with_hint("the configuration of registries says so"));
    }
    let Some(content) = content else { return Ok(vec![itself(hosts, request)?]) };
    let mut candidates = Vec::new();
    for mirror in host.mirrors.iter().filter(|mirror| content.is_for(mirror)) {
        let base = mirror_endpoint(hosts, mirror)?;
        if trusted(&base) {
            candidates.push(elsewhere(hosts, request, &content, &prefix, mirror, base)?);
        }
    }
    candidates.push(match &host.location {
        Some(location) => {
            let place = Mirror::at(location.clone());
            let place = match &host.there {
                Some(own) => place.host(own.as_ref().clone()),
                None => place,
            };
            let base = mirror_endpoint(hosts, &place)?;
            Candidate {
                mirror: None,
                ..elsewhere(hosts, request, &content, &prefix, &place, base)?
            }
        }
        None => itself(hosts, request)?,
    });
    Ok(candidates)
}

/// A part of a registry's content, as a request names it.
struct Content<'a> {
    repository: &'a str,
    /// `manifests` or `blobs`, a slash, and which one; with its query.
    what: &'a str,
    by_tag: bool,
}

impl<'a> Content<'a> {
    /// What a request reads; `None` when it does anything else, or wants to know what the registry itself has.
    fn of(request: &'a Request) -> Option<Self> {
        let Target::Path(target) = &request.target else { return None };
        let reads = matches!(request.method, Method::GET | Method::HEAD) && !request.upstream;
        let writes = |scope: &Scope| scope.actions().any(|action| action != "pull");
        if !reads || request.scopes.iter().any(|scope| writes(&scope)) {
            return None;
        }
        let path = target.split('?').next().unwrap_or_default();
        let (front, reference) = path.strip_prefix("/v2/")?.rsplit_once('/')?;
        let (repository, kind) = front.rsplit_once('/')?;
        let by_tag = match kind {
            "manifests" => !reference.contains(':'),
            "blobs" if reference.contains(':') => false,
            _ => return None,
        };
        let what = target.get("/v2/".len() + repository.len() + 1..)?;
        Some(Self { repository, what, by_tag })
    }

    fn is_for(&self, mirror: &Mirror) -> bool {
        if self.by_tag { mirror.resolve } else { mirror.pull }
    }
}

/// The registry under its own name.
fn itself(hosts: &Hosts, request: &Request) -> Result<Candidate, Error> {
    let host = hosts.connection_to(&request.registry)?;
    let endpoint = endpoint_of(&request.registry, &host)?;
    let url = match &request.target {
        Target::Path(path) => {
            let whole = host.whole.then(|| path.strip_prefix("/v2")).flatten();
            let mut url = at(&endpoint, whole.unwrap_or(path))?;
            if host.ns {
                url.query_pairs_mut().append_pair("ns", request.registry.as_str());
            }
            url
        }
        Target::Url(url) => url.clone(),
    };
    let home = home(&endpoint)?;
    Ok(Candidate { request: request.clone(), url, home, host, mirror: None })
}

/// A request for the same content at another registry: under its name, and with nothing that belongs to the first one.
fn elsewhere(
    hosts: &Hosts,
    request: &Request,
    content: &Content<'_>,
    prefix: &Prefix,
    mirror: &Mirror,
    base: Url,
) -> Result<Candidate, Error> {
    let rest = match &mirror.place {
        Place::Location(_) => prefix.rest(&request.registry, content.repository),
        Place::Url { .. } => None,
    };
    let rest = rest.unwrap_or(content.repository);
    let name = if rest.is_empty() { String::new() } else { format!("{rest}/") };
    let path = format!("{}{name}{}", base.path(), content.what);
    let mut url = base.clone();
    let (path, query) = path.split_once('?').map_or((path.as_str(), None), |(p, q)| (p, Some(q)));
    url.set_path(path);
    url.set_query(query);
    if mirror.ns {
        url.query_pairs_mut().append_pair("ns", request.registry.as_str());
    }
    let registry = registry_at(&base)?;
    let repository = path
        .split_once("/v2/")
        .and_then(|(_, whole)| whole.strip_suffix(content.what.split('?').next()?))
        .and_then(|whole| Repository::new(&registry, whole.trim_end_matches('/')).ok());
    let mut request = request.clone();
    let asked = !request.scopes.is_empty();
    request.scopes = match &repository {
        Some(repository) if asked => Scopes::pull(repository),
        _ => Scopes::default(),
    };
    request.resource =
        Some(repository.map_or_else(|| Resource::Registry(registry.clone()), Resource::Repository));
    request.headers = request
        .headers
        .iter()
        .filter(|(name, value)| is_harmless(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // "There is no such thing" is an answer of the registry itself only.
    request.expect.retain(|status| *status < 400);
    let own = mirror.host.as_deref().cloned().unwrap_or_default();
    let host = own.or_connection(&hosts.connection_to(&registry)?);
    request.registry = registry;
    request.target = Target::Url(url.clone());
    Ok(Candidate { request, url, home: home(&base)?, host, mirror: Some(base) })
}

/// The URL of `path` (`"/v2/…"`) at an endpoint, which may have a path of its own.
pub(crate) fn at(endpoint: &Url, path: &str) -> Result<Url, Error> {
    let invalid = || Error::new(ErrorKind::Config, format!("{path:?} is not a path at a registry"));
    // A name is validated before it becomes a path; this is the second lock on the same door.
    let plain = path.split(['?', '#']).next().unwrap_or_default();
    let climbs = plain.split('/').any(|part| matches!(part, "." | ".."));
    if !path.starts_with('/') || path.starts_with("//") || climbs || path.contains(['\\', '#']) {
        return Err(invalid());
    }
    let whole = format!("{}{path}", endpoint.path().trim_end_matches('/'));
    endpoint.join(&whole).map_err(|cause| invalid().with_cause(cause))
}

/// The home of a registry that is reached there.
pub(crate) fn home(endpoint: &Url) -> Result<Home, Error> {
    let Some(origin) = Origin::of(endpoint) else {
        let endpoint = crate::redact::RedactedUrl::from(endpoint);
        return Err(Error::new(ErrorKind::Config, format!("{endpoint} is no endpoint")));
    };
    Ok(Home { origin, local: is_private_host(endpoint) })
}
