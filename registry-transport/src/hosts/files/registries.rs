//! `registries.conf` of the containers tools, and its drop-in files.
//!
//! The format is described in containers-registries.conf(5), the order of files in containers-registries.conf.d(5).

use std::collections::BTreeMap;
use std::path::Path;

use crate::hosts::Prefix;

use super::alias::{self, Aliases};
use super::broken::BrokenFile;
use super::document::{Source, Table};
use super::setting::{Family, MirrorSetting, Note, Place, Said, Setting, Statement};
use super::value;

/// What one file says, or several that were merged.
#[derive(Debug, Default)]
pub(super) struct Registries {
    /// Tables by their prefix.
    pub(super) tables: BTreeMap<Prefix, (Vec<Statement>, Place)>,
    pub(super) aliases: Aliases,
    pub(super) notes: Vec<Note>,
}

/// Reads the text of a file. Drop-in files have the second version of the format.
pub(super) fn parse(file: &Path, bytes: &[u8], drop_in: bool) -> Result<Registries, BrokenFile> {
    let source = Source::new(file, bytes)?;
    let mut root = source.root()?;
    let mut found = Registries::default();
    let said = Said::at(Family::RegistriesConf, &root);
    let old = root.children("registries")?;
    let tables = root.list("registry")?;
    found.aliases = alias::table(Family::RegistriesConf, &mut root)?;
    let search = root.texts("unqualified-search-registries")?;
    if let Some((_, first)) = old.first() {
        let what = match (drop_in, tables.is_empty() && search.is_none()) {
            (true, _) => "a drop-in file has the second version of the format, with [[registry]]",
            (false, false) => "tables of both versions of the format",
            (false, true) => "",
        };
        if !what.is_empty() {
            return Err(root.broken(first.line, what));
        }
    }
    if let Some(search) = search {
        let why = "a name without a registry means Docker Hub here";
        found.notes.push(said.note(search.line, "unqualified-search-registries", why));
    }
    for (name, table) in old {
        first_version(&name, table, &mut found)?;
    }
    for table in tables {
        registry(table, &mut found)?;
    }
    found.notes.extend(said.unknown(root));
    found.notes.sort_by_key(|note| note.place.line);
    Ok(found)
}

impl Registries {
    /// Takes what a later file says, table by table and alias by alias.
    pub(super) fn merge(&mut self, later: Self) {
        for (prefix, table) in later.tables {
            self.insert(prefix, table);
        }
        self.aliases.extend(later.aliases);
        self.notes.extend(later.notes);
    }

    fn insert(&mut self, prefix: Prefix, table: (Vec<Statement>, Place)) {
        let later = table.1.clone();
        let what = prefix.to_string();
        if let Some((_, place)) = self.tables.insert(prefix, table) {
            let why = format!("{later} is about the same prefix, and later");
            self.notes.push(Note { what, why, place });
        }
    }
}

fn registry(mut table: Table<'_>, found: &mut Registries) -> Result<(), BrokenFile> {
    let mut said = Said::at(Family::RegistriesConf, &table);
    // An empty string is as good as none in this format.
    let filled = |text: &super::document::Written<String>| !text.value.is_empty();
    let from = table.text("prefix")?.filter(filled);
    let from = table.parsed("prefix", from, |text| value::prefix(&text))?;
    let to = table.text("location")?.filter(filled);
    let to = table.parsed("location", to, |text| value::location(&text))?;
    let prefix = match (from, &to) {
        (Some(prefix), _) => prefix.value,
        (None, Some(location)) => location.value.clone(),
        (None, None) => return Err(table.broken(table.line, "neither prefix nor location")),
    };
    match to {
        Some(location) if location.value != prefix => said.say(Some(location), Setting::Location),
        None if prefix.registry().is_some() => {
            let what = "no location; only a prefix that is a wildcard can do without";
            return Err(table.broken(table.line, what));
        }
        _ => {}
    }
    let insecure = table.flag("insecure")?;
    let moved = said.statements.iter().any(|said| matches!(said.setting, Setting::Location(_)));
    match insecure {
        Some(insecure) if insecure.value && !moved && !prefix.path().is_empty() => {
            let why = "connections are those of the whole registry; say it for that";
            found.notes.push(said.note(insecure.line, "insecure", why));
        }
        insecure => said.say(insecure, Setting::Insecure),
    }
    said.say(table.flag("blocked")?, Setting::Blocked);
    let digest_only = table.flag("mirror-by-digest-only")?.is_some_and(|on| on.value);
    let mirrors = table.list("mirror")?;
    if let Some(first) = mirrors.first() {
        let mut place = said.place().clone();
        place.line = Some(first.line);
        let mirrors = mirrors
            .into_iter()
            .map(|table| mirror(table, digest_only, found))
            .collect::<Result<_, _>>()?;
        said.statements.push(Statement { setting: Setting::Mirrors(mirrors), place });
    }
    found.notes.extend(said.unknown(table));
    let place = said.place().clone();
    found.insert(prefix, (said.statements, place));
    Ok(())
}

fn mirror(
    mut table: Table<'_>,
    digest_only: bool,
    found: &mut Registries,
) -> Result<MirrorSetting, BrokenFile> {
    let mut said = Said::at(Family::RegistriesConf, &table);
    let target = table.text("location")?;
    let Some(target) = table.parsed("location", target, |text| value::location(&text))? else {
        return Err(table.broken(table.line, "a mirror takes a location"));
    };
    said.say(table.flag("insecure")?, Setting::Insecure);
    let when = table.text("pull-from-mirror")?.filter(|when| !when.value.is_empty());
    if let (Some(when), true) = (&when, digest_only) {
        let what = "pull-from-mirror beside mirror-by-digest-only";
        return Err(table.broken(when.line, what));
    }
    let when = table.parsed("pull-from-mirror", when, |when| match when.as_str() {
        "all" => Ok((true, true)),
        "digest-only" => Ok((false, true)),
        "tag-only" => Ok((true, false)),
        other => Err(format!("{other:?} is none of all, digest-only and tag-only")),
    })?;
    let (resolve, pull) = when.map_or((!digest_only, true), |when| when.value);
    found.notes.extend(said.unknown(table));
    Ok(MirrorSetting {
        target: Box::new(Setting::Location(target.value)),
        resolve,
        pull,
        ns: false,
        place: said.place().clone(),
        settings: said.statements,
    })
}

/// `[registries.search]`, `[registries.insecure]`, `[registries.block]`.
fn first_version(
    name: &str,
    mut table: Table<'_>,
    found: &mut Registries,
) -> Result<(), BrokenFile> {
    let said = Said::at(Family::RegistriesConf, &table);
    let registries = table.texts("registries")?;
    let setting = match name {
        "insecure" => Setting::Insecure(true),
        "block" => Setting::Blocked(true),
        "search" => {
            let why = "a name without a registry means Docker Hub here";
            found.notes.push(said.note(table.line, "search registries", why));
            return Ok(());
        }
        _ => {
            found.notes.push(said.note(table.line, name, "not known here"));
            return Ok(());
        }
    };
    if let Some(registries) = registries {
        let mut place = said.place().clone();
        place.line = Some(registries.line);
        for registry in registries.value {
            let prefix =
                value::prefix(&registry).map_err(|what| table.broken(registries.line, what))?;
            let statement = Statement { setting: setting.clone(), place: place.clone() };
            let entry = found.tables.entry(prefix).or_insert_with(|| (Vec::new(), place.clone()));
            entry.0.push(statement);
        }
    }
    found.notes.extend(said.unknown(table));
    Ok(())
}
