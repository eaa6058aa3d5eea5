//! containerd's `hosts.toml`: the registry's server, and the hosts that are asked before it.
//!
//! The format is described in containerd's `docs/hosts.md`.

use std::path::Path;

use url::Url;

use super::broken::BrokenFile;
use super::document::{Source, Table, Word, Written};
use super::setting::{Family, MirrorSetting, Note, Said, Setting, Statement};
use super::value;

/// What the file says about its registry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HostsToml {
    pub(super) statements: Vec<Statement>,
    pub(super) notes: Vec<Note>,
}

/// Reads the text of the file. Relative paths in it start at its directory.
pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<HostsToml, BrokenFile> {
    let source = Source::new(file, bytes)?;
    let mut root = source.root()?;
    let mut said = Said::at(Family::HostsToml, &root);
    let mut notes = Vec::new();
    let server = root.text("server")?;
    let server = root.parsed("server", server, |text| address(&text))?;
    let hosts = root.children("host")?;
    let first = hosts.first().map(|(_, table)| (table.line, table.name.clone()));
    let connection = connection(&mut root, &mut said, &mut notes)?;
    if let Some(given) = &connection.capabilities {
        let why = "the registry itself is asked for everything";
        notes.push(said.note(given.line, "capabilities", why));
    }
    match (server, connection.override_path) {
        (Some(server), exact) => said
            .say(Some(server.map(|url| (at_root(url, exact), exact))), |(url, exact)| {
                Setting::Endpoint { url, exact, ns: true }
            }),
        (None, true) => {
            let what = "override_path needs a server, whose path it is about";
            return Err(root.broken(1, what));
        }
        (None, false) => {}
    }
    let mut mirrors = Vec::new();
    for (name, table) in hosts {
        mirrors.push(host(&name, table, &mut notes)?);
    }
    notes.extend(said.unknown(root));
    if let Some((line, table)) = first {
        let mut place = said.place().clone();
        (place.line, place.table) = (Some(line), Some(table));
        said.statements.push(Statement { setting: Setting::Mirrors(mirrors), place });
    }
    notes.sort_by_key(|note| note.place.line);
    Ok(HostsToml { statements: said.statements, notes })
}

fn host(
    name: &str,
    mut table: Table<'_>,
    notes: &mut Vec<Note>,
) -> Result<MirrorSetting, BrokenFile> {
    let url = address(name).map_err(|what| table.broken(table.line, what))?;
    let mut said = Said::at(Family::HostsToml, &table);
    let Connection { capabilities, override_path: exact } =
        connection(&mut table, &mut said, notes)?;
    let given = capabilities.map(|written| written.value).unwrap_or_default();
    // None named is all of them.
    let can = |what: &str| given.is_empty() || given.iter().any(|given| given == what);
    if given.iter().any(|given| given == "push") {
        let why = "writes go to the registry itself";
        notes.push(said.note(table.line, "capability push", why));
    }
    notes.extend(said.unknown(table));
    Ok(MirrorSetting {
        target: Box::new(Setting::Endpoint { url: at_root(url, exact), exact, ns: true }),
        resolve: can("resolve"),
        pull: can("pull"),
        ns: true,
        place: said.place().clone(),
        settings: said.statements,
    })
}

struct Connection {
    capabilities: Option<Written<Vec<String>>>,
    override_path: bool,
}

/// What the server and the hosts have alike.
fn connection(
    table: &mut Table<'_>,
    said: &mut Said,
    notes: &mut Vec<Note>,
) -> Result<Connection, BrokenFile> {
    let base = table.file().parent().unwrap_or(Path::new("")).to_owned();
    let capabilities = table.texts("capabilities")?;
    let capabilities = table.parsed("capabilities", capabilities, |given| {
        match given.iter().find(|given| !matches!(given.as_str(), "pull" | "resolve" | "push")) {
            Some(other) => Err(format!("{other:?} is none of pull, resolve and push")),
            None => Ok(given),
        }
    })?;
    let override_path = table.flag("override_path")?.is_some_and(|on| on.value);
    said.say(table.flag("skip_verify")?, Setting::SkipVerify);
    let through = table.text("proxy")?;
    said.say(table.parsed("proxy", through, |text| value::proxy(&text))?, Setting::Proxy);
    said.say(table.texts("ca")?, |paths| {
        Setting::Ca(paths.iter().map(|path| base.join(path)).collect())
    });
    let client = table.word("client")?;
    let client = table.parsed("client", client, pairs)?;
    if let Some(Written { value: pairs, line }) = client {
        for (certificate, _) in pairs.iter().skip(1) {
            let why = "one certificate is shown, the first";
            notes.push(said.note(line, format!("client {certificate}"), why));
        }
        let first = pairs.into_iter().next().map(|value| Written { value, line });
        said.say(first, |(certificate, key)| Setting::Client {
            certificate: base.join(certificate),
            key: key.map(|key| base.join(key)),
        });
    }
    said.say(value::headers(table, "header")?, Setting::Headers);
    let wait = table.text("dial_timeout")?;
    if let Some(wait) = table.parsed("dial_timeout", wait, |text| duration(&text))? {
        let why = "every connection has the same deadline";
        notes.push(said.note(wait.line, "dial_timeout", why));
    }
    Ok(Connection { capabilities, override_path })
}

/// A path, a list of paths, or a list of pairs of paths: a certificate and its key.
fn pairs(word: Word) -> Result<Vec<(String, Option<String>)>, String> {
    let wrong = || "it takes a path, a list of paths, or a list of pairs of paths".to_owned();
    let words = match word {
        Word::One(path) => return Ok(vec![(path, None)]),
        Word::Many(words) => words.into_iter(),
    };
    let pairs = words.map(|word| match word {
        Word::One(path) => Ok((path, None)),
        Word::Many(pair) => match <[Word; 2]>::try_from(pair) {
            Ok([Word::One(certificate), Word::One(key)]) => {
                Ok((certificate, Some(key).filter(|key| !key.is_empty())))
            }
            _ => Err(wrong()),
        },
    });
    pairs.collect()
}

/// A URL, whose scheme may be missing.
fn address(text: &str) -> Result<Url, String> {
    let mut url = if text.contains("://") {
        value::endpoint(text)?
    } else {
        value::endpoint(&format!("https://{text}"))?
    };
    if url.host_str() == Some("docker.io") {
        // The registry of that name is elsewhere.
        url.set_host(Some("registry-1.docker.io")).map_err(|error| error.to_string())?;
    }
    Ok(url)
}

/// A path may name the root of the API, `/v2`, or leave it out.
fn at_root(mut url: Url, exact: bool) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let path = if exact { &path } else { path.strip_suffix("/v2").unwrap_or(&path) };
    url.set_path(path);
    url
}

/// A number with a unit, or several of them, as Go writes durations: `1m30s`. What it is does not matter here.
fn duration(text: &str) -> Result<(), String> {
    let wrong = || Err(format!("{text:?} is not a duration such as 1s"));
    let mut rest = text.trim_start_matches(['+', '-']);
    if rest.is_empty() {
        return wrong();
    }
    if rest == "0" {
        return Ok(());
    }
    while !rest.is_empty() {
        let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let Some(next) = units.iter().find_map(|unit| behind.strip_prefix(unit)) else {
            return wrong();
        };
        if behind.len() == rest.len() {
            return wrong();
        }
        rest = next;
    }
    Ok(())
}
