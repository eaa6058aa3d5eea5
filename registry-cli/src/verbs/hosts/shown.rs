//! What `registry hosts` prints: lines of 80 columns where paths allow it, or JSON.

use std::fmt::{self, Write as _};

use registry_transport::{
    RedactedUrl, Url,
    files::{Explanation, HostFiles, LookedAt, MirrorSetting, Outcome, Place, Setting, State},
};
use serde::Serialize;

use crate::console::printable;

/// Columns of a line.
const WIDTH: usize = 80;

/// What is said about one registry or repository.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    registry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    mirrors: Vec<Mirror>,
    used: Vec<Said>,
    not_used: Vec<NotUsed>,
    looked_at: Vec<Looked>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mirror {
    at: String,
    pull: bool,
    resolve: bool,
    ns: bool,
    settings: Vec<Said>,
    place: Where,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    setting: String,
    value: String,
    place: Where,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotUsed {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    why: String,
    place: Where,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Where {
    kind: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Looked {
    kind: &'static str,
    path: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the files are about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    registries: Vec<String>,
    looked_at: Vec<Looked>,
}

impl Explained {
    pub(super) fn of(explanation: &Explanation, endpoint: Option<&Url>) -> Self {
        let said = |statement: &registry_transport::files::Statement| Said {
            setting: statement.setting.name().to_owned(),
            value: statement.setting.to_string(),
            place: (&statement.place).into(),
        };
        let outranked = explanation.decisions.iter();
        let outranked = outranked.filter(|decision| decision.outcome == Outcome::Outranked);
        let mut not_used: Vec<_> = outranked
            .map(|decision| NotUsed {
                what: decision.statement.setting.name().to_owned(),
                value: Some(decision.statement.setting.to_string()),
                why: "something more important says it".to_owned(),
                place: (&decision.statement.place).into(),
            })
            .collect();
        not_used.extend(explanation.notes.iter().map(|note| NotUsed {
            what: note.what.clone(),
            value: None,
            why: note.why.clone(),
            place: (&note.place).into(),
        }));
        let mirror = |mirror: &MirrorSetting| Mirror {
            at: mirror.to_string(),
            pull: mirror.pull,
            resolve: mirror.resolve,
            ns: mirror.ns,
            settings: mirror.settings.iter().map(said).collect(),
            place: (&mirror.place).into(),
        };
        let mirrors = explanation.used().filter_map(|statement| match &statement.setting {
            Setting::Mirrors(mirrors) => Some(mirrors.iter().map(mirror)),
            _ => None,
        });
        let others = explanation.used();
        let others = others.filter(|said| !matches!(said.setting, Setting::Mirrors(_)));
        Self {
            registry: explanation.registry.to_string(),
            path: explanation.path.clone(),
            endpoint: endpoint.map(|url| RedactedUrl::from(url).to_string()),
            mirrors: mirrors.flatten().collect(),
            used: others.map(said).collect(),
            not_used,
            looked_at: explanation.looked_at.iter().map(Looked::from).collect(),
        }
    }
}

impl Overview {
    pub(super) fn of(files: &HostFiles) -> Self {
        Self {
            registries: files.registries().iter().map(ToString::to_string).collect(),
            looked_at: files.looked_at().iter().map(Looked::from).collect(),
        }
    }
}

impl From<&Place> for Where {
    fn from(place: &Place) -> Self {
        Self {
            kind: place.family.name(),
            file: place.file.display().to_string(),
            line: place.line,
            table: place.table.clone(),
            shown: place.to_string(),
        }
    }
}

impl From<&LookedAt> for Looked {
    fn from(at: &LookedAt) -> Self {
        let (state, error) = match &at.state {
            State::Read => ("read", None),
            State::Broken(broken) => ("broken", Some(broken.to_string())),
            _ => ("absent", None),
        };
        Self { kind: at.family.name(), path: at.path.display().to_string(), state, error }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.registry)?;
        if let Some(path) = &self.path {
            write!(f, "/{path}")?;
        }
        f.write_str("\n\nread from, in this order")?;
        for mirror in &self.mirrors {
            item(f, &mirror.to_string(), &[&mirror.place.shown])?;
            for Said { setting, value, place } in &mirror.settings {
                item(f, &format!("  {setting}: {value}"), &[&place.shown])?;
            }
        }
        let location = self.used.iter().find(|said| said.setting == "location");
        let itself = location.map(|said| &said.value).or(self.endpoint.as_ref());
        item(f, itself.unwrap_or(&self.registry), &[])?;
        if !self.used.is_empty() {
            f.write_str("\n\nwhat counts")?;
        }
        for Said { setting, value, place } in &self.used {
            item(f, &format!("{setting}: {value}"), &[&place.shown])?;
        }
        if !self.not_used.is_empty() {
            f.write_str("\n\nwhat does not count")?;
        }
        for NotUsed { what, value, why, place } in &self.not_used {
            let said =
                value.as_ref().map_or_else(|| what.clone(), |value| format!("{what}: {value}"));
            item(f, &said, &[&place.shown, why])?;
        }
        f.write_str("\n\nlooked at")?;
        self.looked_at.iter().try_for_each(|looked| looked.fmt(f))
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at)?;
        f.write_str(match (self.pull, self.resolve) {
            (true, true) => "",
            (true, false) => ", by digest only",
            (false, true) => ", by tag only",
            (false, false) => ", for nothing",
        })?;
        if self.ns { f.write_str(", with ns=") } else { Ok(()) }
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.state) {
            (Some(error), _) => item(f, &format!("broken: {error}"), &[]),
            (None, "absent") => item(f, &format!("{}: nothing there", self.path), &[]),
            (None, _) => item(f, &self.path, &[]),
        }
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.registries.is_empty() {
            f.write_str("no file is about a registry")?;
        } else {
            f.write_str("the files are about")?;
            self.registries.iter().try_for_each(|registry| item(f, registry, &[]))?;
        }
        f.write_str("\n\nlooked at")?;
        self.looked_at.iter().try_for_each(|looked| looked.fmt(f))
    }
}

/// A line, and others that belong to it; each goes on below itself where it is too long.
fn item(f: &mut fmt::Formatter<'_>, line: &str, below: &[&str]) -> fmt::Result {
    wrapped(f, line, 2)?;
    below.iter().try_for_each(|line| wrapped(f, line, 6))
}

/// Breaks between words only: a path stays whole.
fn wrapped(f: &mut fmt::Formatter<'_>, line: &str, indent: usize) -> fmt::Result {
    let mut row = " ".repeat(indent);
    let mut empty = true;
    for word in printable(line).split(' ') {
        if !empty && row.chars().count() + 1 + word.chars().count() > WIDTH {
            write!(f, "\n{row}")?;
            row = " ".repeat(indent + 4);
            empty = true;
        }
        if !empty {
            row.write_char(' ')?;
        }
        row.write_str(word)?;
        empty = false;
    }
    write!(f, "\n{row}")
}
