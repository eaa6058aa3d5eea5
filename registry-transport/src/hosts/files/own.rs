//! Our own `hosts.toml`. Everything in it is known, or it is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use registry_name::Registry;

use crate::hosts::Prefix;

use super::alias::{self, Aliases};
use super::broken::BrokenFile;
use super::document::{Source, Table, Written};
use super::setting::{Family, MirrorSetting, Said, Setting, Statement};
use super::value;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Per registry.
    pub(super) registries: BTreeMap<Registry, Vec<Statement>>,
    /// Where the repositories below a prefix are read from.
    pub(super) rewrites: Vec<(Prefix, Statement)>,
    /// Short names.
    pub(super) aliases: Aliases,
}

/// Reads the text of the file. Relative paths in it start at its directory.
pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Own, BrokenFile> {
    let source = Source::new(file, bytes)?;
    let mut root = source.root()?;
    let mut own = Own::default();
    for (name, mut table) in root.children("registry")? {
        let registry: Registry = name.parse().map_err(|error: registry_name::ParseError| {
            table.broken(table.line, error.to_string())
        })?;
        let (line, taken) = (table.line, own.registries.contains_key(&registry));
        if taken {
            return Err(table.broken(line, format!("a second table for {registry}")));
        }
        let statements = registry_table(&mut table)?;
        nothing_else(table)?;
        own.registries.insert(registry, statements);
    }
    for mut table in root.list("rewrite")? {
        let mut said = Said::at(Family::Own, &table);
        let prefix = table.text("prefix")?;
        let prefix = table.parsed("prefix", prefix, |text| value::prefix(&text))?;
        let location = table.text("location")?;
        let location = table.parsed("location", location, |text| value::location(&text))?;
        let (Some(prefix), Some(location)) = (prefix, location) else {
            return Err(table.broken(table.line, "a rewrite takes a prefix and a location"));
        };
        if own.rewrites.iter().any(|(other, _)| *other == prefix.value) {
            let what = format!("a second rewrite of {}", prefix.value);
            return Err(table.broken(prefix.line, what));
        }
        said.say(Some(location), Setting::Location);
        own.rewrites.extend(said.statements.pop().map(|statement| (prefix.value, statement)));
        nothing_else(table)?;
    }
    own.aliases = alias::table(Family::Own, &mut root)?;
    nothing_else(root)?;
    Ok(own)
}

fn registry_table(table: &mut Table<'_>) -> Result<Vec<Statement>, BrokenFile> {
    let mut said = Said::at(Family::Own, table);
    connection(table, &mut said)?;
    let url = table.text("endpoint")?;
    let url = table.parsed("endpoint", url, |text| value::endpoint(&text))?;
    let plain = table.flag("plain-http")?;
    if let (Some(_), Some(plain)) = (&url, &plain) {
        return Err(table.broken(plain.line, "plain-http beside an endpoint, which says it itself"));
    }
    said.say(url, |url| Setting::Endpoint { url, exact: false, ns: false });
    said.say(plain, Setting::PlainHttp);
    said.say(table.flag("strict-uploads")?, Setting::StrictUploads);
    said.say(table.flag("blocked")?, Setting::Blocked);
    for (key, setting) in [
        ("trusted-realms", Setting::TrustedRealms as fn(Vec<String>) -> Setting),
        ("allowed-private-hosts", Setting::PrivateHosts),
    ] {
        let hosts = table.texts(key)?;
        let hosts = table.parsed(key, hosts, |hosts| {
            hosts.iter().map(|host| value::host_name(host)).collect()
        })?;
        said.say(hosts, setting);
    }
    let mirrors = table.list("mirror")?;
    if let Some(first) = mirrors.first() {
        let mut place = said.place().clone();
        place.line = Some(first.line);
        let mirrors = mirrors.into_iter().map(mirror).collect::<Result<_, _>>()?;
        said.statements.push(Statement { setting: Setting::Mirrors(mirrors), place });
    }
    Ok(said.statements)
}

fn mirror(mut table: Table<'_>) -> Result<MirrorSetting, BrokenFile> {
    let mut said = Said::at(Family::Own, &table);
    let url = table.text("endpoint")?;
    let url = table.parsed("endpoint", url, |text| value::endpoint(&text))?;
    let Some(url) = url else {
        return Err(table.broken(table.line, "a mirror takes an endpoint"));
    };
    let answers = |written: Option<Written<bool>>| written.is_none_or(|on| on.value);
    let (resolve, pull) = (table.flag("resolve")?, table.flag("pull")?);
    let ns = table.flag("ns")?.is_some_and(|on| on.value);
    connection(&mut table, &mut said)?;
    nothing_else(table)?;
    Ok(MirrorSetting {
        target: Box::new(Setting::Endpoint { url: url.value, exact: false, ns }),
        resolve: answers(resolve),
        pull: answers(pull),
        ns,
        place: said.place().clone(),
        settings: said.statements,
    })
}

/// What registries and mirrors have alike.
fn connection(table: &mut Table<'_>, said: &mut Said) -> Result<(), BrokenFile> {
    let base = table.file().parent().unwrap_or(Path::new("")).to_owned();
    said.say(table.flag("dangerously-skip-verify")?, Setting::SkipVerify);
    let through = table.text("proxy")?;
    said.say(table.parsed("proxy", through, |text| value::proxy(&text))?, Setting::Proxy);
    let from_here = |paths: Vec<String>| paths.iter().map(|path| base.join(path)).collect();
    said.say(table.texts("ca")?, |paths| Setting::Ca(from_here(paths)));
    let (certificate, key) = (table.text("client-certificate")?, table.text("client-key")?);
    match (certificate, key) {
        (None, Some(key)) => {
            return Err(table.broken(key.line, "client-key without client-certificate"));
        }
        (certificate, key) => said.say(certificate, |certificate| Setting::Client {
            certificate: base.join(certificate),
            key: key.map(|key| base.join(key.value)),
        }),
    }
    said.say(value::headers(table, "headers")?, Setting::Headers);
    said.say(table.count("concurrency")?, Setting::Concurrency);
    let agent = table.text("user-agent")?;
    said.say(table.parsed("user-agent", agent, value::header_value)?, Setting::UserAgent);
    Ok(())
}

/// Whatever has not been read is a mistake.
fn nothing_else(table: Table<'_>) -> Result<(), BrokenFile> {
    let (source, name) = (table.file().to_owned(), table.name.clone());
    match table.unknown().first() {
        None => Ok(()),
        Some(key) => {
            let table = if name.is_empty() { "the file" } else { &name };
            let what = format!("{:?} is not known in {table}", key.value);
            Err(BrokenFile::new(&source, Some(key.line), what))
        }
    }
}

/// Where it is unless somebody says otherwise, below the directory of the user's configuration.
pub(super) fn default_path(config: &Path) -> PathBuf {
    config.join("registry/hosts.toml")
}
