//! TOML, with the line of everything in it.

use std::num::NonZeroUsize;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::broken::BrokenFile;

/// The text of a file.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    /// Where each line ends.
    ends: Vec<usize>,
}

/// A value, and the line that it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) line: u32,
}

/// What a key has, if it is there.
pub(super) type Found<T> = Result<Option<Written<T>>, BrokenFile>;

/// A table. What is read is taken out; what stays is unknown.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// As it is written: `[registry."ghcr.io"]`. Empty for the whole file.
    pub(super) name: String,
    pub(super) line: u32,
    entries: DeTable<'a>,
}

/// A string, or a list of what is in it.
pub(super) enum Word {
    One(String),
    Many(Vec<Word>),
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, bytes: &'a [u8]) -> Result<Self, BrokenFile> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let ends = (0..).zip(bytes).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
        let mut source = Self { file, text: "", ends };
        source.text = std::str::from_utf8(bytes).map_err(|error| {
            source.broken(source.line(error.valid_up_to()), "this is not UTF-8 text")
        })?;
        Ok(source)
    }

    pub(super) fn root(&'a self) -> Result<Table<'a>, BrokenFile> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let line = error.span().map_or(1, |span| self.line(span.start));
            self.broken(line, format!("this is not TOML: {}", error.message()))
        })?;
        Ok(Table { source: self, name: String::new(), line: 1, entries: root.into_inner() })
    }

    fn line(&self, at: usize) -> u32 {
        let before = self.ends.partition_point(|end| *end < at);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    fn broken(&self, line: u32, what: impl Into<String>) -> BrokenFile {
        BrokenFile::new(self.file, Some(line), what)
    }
}

impl<T> Written<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Written<U> {
        Written { value: change(self.value), line: self.line }
    }
}

impl<'a> Table<'a> {
    pub(super) fn file(&self) -> &'a Path {
        self.source.file
    }

    /// Something is wrong on a line of this file.
    pub(super) fn broken(&self, line: u32, what: impl Into<String>) -> BrokenFile {
        self.source.broken(line, what)
    }

    /// A value as another type, or what is wrong with it.
    pub(super) fn parsed<T, U>(
        &self,
        key: &str,
        written: Option<Written<T>>,
        parse: impl FnOnce(T) -> Result<U, String>,
    ) -> Found<U> {
        let Some(Written { value, line }) = written else { return Ok(None) };
        match parse(value) {
            Ok(value) => Ok(Some(Written { value, line })),
            Err(what) => Err(self.broken(line, format!("{key}: {what}"))),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Found<String> {
        self.take(key, "a string", |value| match value {
            DeValue::String(text) => Some(text.into_owned()),
            _ => None,
        })
    }

    pub(super) fn flag(&mut self, key: &str) -> Found<bool> {
        self.take(key, "true or false", |value| value.as_bool())
    }

    pub(super) fn count(&mut self, key: &str) -> Found<NonZeroUsize> {
        self.take(key, "a whole number from 1", |value| {
            let number = value.as_integer()?;
            let number = usize::from_str_radix(number.as_str(), number.radix()).ok()?;
            NonZeroUsize::new(number)
        })
    }

    /// A string, or a list of strings.
    pub(super) fn texts(&mut self, key: &str) -> Found<Vec<String>> {
        self.take(key, "a string or a list of strings", |value| word(value)?.texts())
    }

    /// A string, or a list of strings and lists.
    pub(super) fn word(&mut self, key: &str) -> Found<Word> {
        self.take(key, "a string or a list", word)
    }

    /// A table of strings or lists of strings, in its order.
    pub(super) fn pairs(&mut self, key: &str) -> Found<Vec<(String, Vec<String>)>> {
        self.take(key, "a table of strings", |value| {
            let DeValue::Table(table) = value else { return None };
            let pairs = in_order(table).into_iter();
            let pairs =
                pairs.map(|(key, value)| Some((key.value, word(value.into_inner())?.texts()?)));
            pairs.collect()
        })
    }

    /// A table of strings with their lines, in its order.
    pub(super) fn lines(&mut self, key: &str) -> Found<Vec<(String, Written<String>)>> {
        let source = self.source;
        self.take(key, "a table of strings", |value| {
            let DeValue::Table(table) = value else { return None };
            let pairs = in_order(table).into_iter().map(|(key, value)| {
                let line = source.line(key.at);
                match value.into_inner() {
                    DeValue::String(text) => {
                        Some((key.value, Written { value: text.into_owned(), line }))
                    }
                    _ => None,
                }
            });
            pairs.collect()
        })
    }

    /// The tables of a table, in their order.
    pub(super) fn children(&mut self, key: &str) -> Result<Vec<(String, Table<'a>)>, BrokenFile> {
        let table = self.take(key, "a table", |value| match value {
            DeValue::Table(table) => Some(table),
            _ => None,
        })?;
        let source = self.source;
        let Some(table) = table else { return Ok(Vec::new()) };
        let children = in_order(table.value).into_iter().map(|(name, value)| {
            let line = source.line(name.at);
            let path = self.path(&format!("{key}.{}", quoted(&name.value)));
            match value.into_inner() {
                DeValue::Table(entries) => {
                    Ok((name.value, Table { source, name: format!("[{path}]"), line, entries }))
                }
                other => {
                    let what = format!("{path} is {}, not a table", kind(&other));
                    Err(self.broken(line, what))
                }
            }
        });
        children.collect()
    }

    /// A list of tables.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Table<'a>>, BrokenFile> {
        let tables = self.take(key, "a list of tables", |value| {
            let DeValue::Array(items) = value else { return None };
            let tables = items.into_iter().map(|item| {
                let at = item.span().start;
                match item.into_inner() {
                    DeValue::Table(entries) => Some((at, entries)),
                    _ => None,
                }
            });
            tables.collect::<Option<Vec<_>>>()
        })?;
        let (source, name) = (self.source, format!("[[{}]]", self.path(key)));
        let tables = tables.map(|tables| tables.value).unwrap_or_default().into_iter();
        let tables = tables.map(|(at, entries)| Table {
            source,
            name: name.clone(),
            line: source.line(at),
            entries,
        });
        Ok(tables.collect())
    }

    /// What nobody asked for, in its order.
    pub(super) fn unknown(self) -> Vec<Written<String>> {
        let keys = in_order(self.entries).into_iter();
        keys.map(|(key, _)| Written { line: self.source.line(key.at), value: key.value }).collect()
    }

    fn take<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(DeValue<'a>) -> Option<T>,
    ) -> Found<T> {
        let Some(value) = self.entries.remove(key) else { return Ok(None) };
        let line = self.source.line(value.span().start);
        let value = value.into_inner();
        let found = kind(&value);
        if let Some(value) = read(value) {
            return Ok(Some(Written { value, line }));
        }
        Err(self.broken(line, format!("{} is {found}; it takes {wanted}", self.path(key))))
    }

    /// `registry."ghcr.io".ca`
    fn path(&self, key: &str) -> String {
        match self.name.trim_matches(['[', ']']) {
            "" => key.to_owned(),
            table => format!("{table}.{key}"),
        }
    }
}

impl Word {
    fn texts(self) -> Option<Vec<String>> {
        match self {
            Self::One(text) => Some(vec![text]),
            Self::Many(words) => {
                let texts = words.into_iter().map(|word| match word {
                    Self::One(text) => Some(text),
                    Self::Many(_) => None,
                });
                texts.collect()
            }
        }
    }
}

/// A key and where it stands.
struct Key {
    value: String,
    at: usize,
}

/// The parser sorts by name; what counts is the order of the file.
fn in_order(table: DeTable<'_>) -> Vec<(Key, Spanned<DeValue<'_>>)> {
    let entries = table.into_iter().map(|(key, value)| {
        let at = key.span().start;
        (Key { value: key.into_inner().into_owned(), at }, value)
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(key, _)| key.at);
    entries
}

fn word(value: DeValue<'_>) -> Option<Word> {
    match value {
        DeValue::String(text) => Some(Word::One(text.into_owned())),
        DeValue::Array(items) => {
            let words = items.into_iter().map(|item| word(item.into_inner()));
            words.collect::<Option<_>>().map(Word::Many)
        }
        _ => None,
    }
}

/// A key as TOML writes it.
pub(super) fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
