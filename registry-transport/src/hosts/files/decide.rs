//! What counts of all that is said, and the `Host` that it makes.

use std::path::Path;

use registry_name::{Registry, Repository};
use url::Url;

use super::broken::BrokenFile;
use super::explain::{Decision, Outcome};
use super::read;
use super::setting::{MirrorSetting, Place, Setting, Statement};
use super::value::registry_at;
use crate::hosts::{Host, Mirror, Prefix, Proxy};
use crate::service::check_certificates;

/// Judges statements, the most important first: of each setting the first counts.
pub(super) fn decide(ranked: Vec<Statement>) -> Vec<Decision> {
    let mut said: Vec<&'static str> = Vec::new();
    let mut decisions = Vec::new();
    for statement in ranked {
        let name = statement.setting.name();
        // Who says where the registry is reached does not mean that it is read from elsewhere.
        let moved = matches!(statement.setting, Setting::Location(_)) && said.contains(&"endpoint");
        let outcome =
            if moved || said.contains(&name) { Outcome::Outranked } else { Outcome::Used };
        if outcome == Outcome::Used {
            said.push(name);
        }
        decisions.push(Decision { statement, outcome });
    }
    decisions
}

/// Says for `longer`, a path below `shorter`, what a statement says for `shorter`.
pub(super) fn rebase(statement: &mut Statement, shorter: &str, longer: &str) {
    let rest = longer.strip_prefix(shorter).unwrap_or_default().trim_start_matches('/');
    if rest.is_empty() {
        return;
    }
    let below = |location: &mut Prefix| {
        let Some(registry) = location.registry() else { return };
        let path = format!("{}/{rest}", location.path());
        if let Ok(repository) = Repository::new(registry, path.trim_start_matches('/')) {
            *location = repository.into();
        }
    };
    match &mut statement.setting {
        Setting::Location(location) => below(location),
        Setting::Mirrors(mirrors) => {
            for mirror in mirrors {
                if let Setting::Location(location) = &mut *mirror.target {
                    below(location);
                }
            }
        }
        _ => {}
    }
}

/// What is said about a mirror's own host besides what its table says.
pub(super) type About<'a> = &'a dyn Fn(&Registry) -> Result<Vec<Statement>, BrokenFile>;

/// Makes a host of what counts about a registry, or about the server of a mirror; the certificates are read now.
pub(super) fn host<'a>(
    registry: Option<&Registry>,
    used: impl IntoIterator<Item = &'a Statement>,
    about: About<'_>,
) -> Result<Host, BrokenFile> {
    let mut host = Host::new();
    let used: Vec<_> = used.into_iter().collect();
    let (mut endpoint, mut plain, mut certified) = (None, None, false);
    for Statement { setting, place } in &used {
        certified |= matches!(setting, Setting::Ca(_) | Setting::Client { .. });
        host = match setting {
            Setting::Endpoint { url, exact, ns } => {
                endpoint = Some(url.clone());
                let host = host.ns(*ns && registry_at(url).as_ref() != registry);
                if *exact { host.override_path() } else { host }
            }
            Setting::PlainHttp(on) => {
                plain = Some(*on);
                if *on { host.plain_http() } else { host.tls() }
            }
            Setting::Location(location) => {
                let beside = used.iter().filter(|said| is_of_location(said, place));
                let beside = beside.map(|said| (*said).clone()).collect();
                let own = at(location.registry(), beside, about)?;
                host.location(location.clone()).there(own.unwrap_or_default())
            }
            Setting::Insecure(true) => host.dangerous_insecure(),
            Setting::SkipVerify(true) => host.dangerous_accept_any_certificate(),
            Setting::Proxy(url) => host.proxy(proxy(url.as_ref(), place)?),
            Setting::Ca(files) => files.iter().try_fold(host, |host, file| {
                let authority = pem(file, place)?;
                usable(&Host::new().ca_certificates(authority.clone()), file, place)?;
                Ok(host.ca_certificates(authority))
            })?,
            Setting::Client { certificate, key } => {
                let chain = pem(certificate, place)?;
                let key = key.as_ref().map_or_else(|| Ok(chain.clone()), |key| pem(key, place))?;
                let key = String::from_utf8_lossy(&key).into_owned();
                let alone = Host::new().client_certificate(chain.clone(), key.clone());
                usable(&alone, certificate, place)?;
                host.client_certificate(chain, key)
            }
            Setting::Headers(headers) => headers.iter().fold(host, header),
            Setting::Concurrency(requests) => host.concurrency(*requests),
            Setting::UserAgent(text) => host.user_agent(text.clone()),
            Setting::StrictUploads(true) => host.strict_uploads(),
            Setting::Blocked(true) => host.blocked(),
            Setting::Mirrors(mirrors) => mirrors.iter().try_fold(host, |host, setting| {
                Ok(match mirror(setting, about)? {
                    Some(mirror) => host.mirror(mirror),
                    None => host,
                })
            })?,
            Setting::SkipVerify(false)
            | Setting::StrictUploads(false)
            | Setting::Blocked(false)
            | Setting::Insecure(false)
            | Setting::TrustedRealms(_)
            | Setting::PrivateHosts(_) => host,
        };
    }
    Ok(match endpoint {
        Some(url) => host.endpoint(with_scheme(url, plain)),
        // Nobody has certificates for what speaks plain HTTP, not even on this machine.
        None if certified && plain.is_none() => host.tls(),
        None => host,
    })
}

/// `None` if nothing is to be asked of the registry that the mirror is.
fn mirror(setting: &MirrorSetting, about: About<'_>) -> Result<Option<Mirror>, BrokenFile> {
    let (mirror, registry) = match &*setting.target {
        Setting::Endpoint { url, exact, .. } => {
            let mirror = Mirror::new(url.clone());
            (if *exact { mirror.override_path() } else { mirror }, registry_at(url))
        }
        Setting::Location(location) => (Mirror::at(location.clone()), location.registry().cloned()),
        _ => return Err(broken(&setting.place, "the mirror is nowhere")),
    };
    let own = at(registry.as_ref(), setting.settings.clone(), about)?;
    Ok(own.map(|own| mirror.host(own).ns(setting.ns).pull(setting.pull).resolve(setting.resolve)))
}

/// How to connect to another registry than the one that was asked for: what is said beside its name, then what is said about
/// it. `None` if it is blocked.
fn at(
    registry: Option<&Registry>,
    mut ranked: Vec<Statement>,
    about: About<'_>,
) -> Result<Option<Host>, BrokenFile> {
    if let Some(registry) = registry {
        ranked.extend(about(registry)?);
    }
    let decisions = decide(ranked);
    let used = decisions.iter().filter(|decision| decision.outcome == Outcome::Used);
    let used = used.map(|decision| &decision.statement);
    if used.clone().any(|said| said.setting == Setting::Blocked(true)) {
        return Ok(None);
    }
    host(None, used, about).map(Some)
}

/// In `registries.conf` a table with a location says there how to connect to the location.
fn is_of_location(said: &Statement, location: &Place) -> bool {
    matches!(said.setting, Setting::Insecure(_)) && said.place.family == location.family
}

/// What was said about the scheme apart from the URL is said by somebody more important, or it is not said.
fn with_scheme(mut url: Url, plain: Option<bool>) -> Url {
    if let Some(plain) = plain {
        // From one of the two to the other there is nothing that can fail.
        let _ = url.set_scheme(if plain { "http" } else { "https" });
    }
    url
}

fn header(host: Host, (name, value): &(String, String)) -> Host {
    match (name.parse::<http::HeaderName>(), value.parse()) {
        (Ok(name), Ok(value)) => host.header(name, value),
        // The readers of the files let no others through.
        _ => host,
    }
}

fn proxy(url: Option<&Url>, place: &Place) -> Result<Proxy, BrokenFile> {
    match url {
        None => Ok(Proxy::none()),
        Some(url) => Proxy::try_from(url.clone()).map_err(|error| broken(place, error.to_string())),
    }
}

/// The text of a file in PEM, which has at least one block.
fn pem(file: &Path, place: &Place) -> Result<Vec<u8>, BrokenFile> {
    let said = format!("{place} names it");
    match read::file(file)? {
        None => Err(BrokenFile::new(file, None, format!("there is no such file; {said}"))),
        Some(bytes) if !bytes.windows(11).any(|window| window == b"-----BEGIN ") => {
            Err(BrokenFile::new(file, None, format!("this is not PEM; {said}")))
        }
        Some(bytes) => Ok(bytes),
    }
}

/// Looks into certificates and keys now, while it is known which file they are from.
fn usable(host: &Host, file: &Path, place: &Place) -> Result<(), BrokenFile> {
    check_certificates(&host.connection).map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        BrokenFile::new(file, None, format!("{error}{cause}; {place} names it"))
    })
}

fn broken(place: &Place, what: impl Into<String>) -> BrokenFile {
    BrokenFile::new(&place.file, place.line, what)
}
