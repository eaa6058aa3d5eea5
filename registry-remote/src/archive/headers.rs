//! From the headers of a tar file to what they describe, one after another and nothing skipped.
//!
//! The rules are POSIX's (pax, "ustar Interchange Format" and "pax Extended Header") with GNU's
//! long names. Where two readers could understand a file differently, it is refused.

use std::fs::File;

use bytes::Bytes;
use tar::{EntryType, Header};

use crate::local::read;

const BLOCK: u64 = 512;
/// What may come before one entry to give it a long name and the like.
const MAX_EXTENSION: u64 = 64 * 1024;
/// The largest size that the field of a plain header can hold.
const MAX_PLAIN: u64 = 0o777_7777_7777;

/// One thing in a tar file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryType,
    /// Where its bytes start.
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The entries of a tar file, read by position.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    file: &'a File,
    length: u64,
    at: u64,
}

/// What extension headers said of the entry after them.
#[derive(Debug, Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Why a file is refused.
pub(super) type Reason = String;

impl<'a> Headers<'a> {
    pub(super) fn new(file: &'a File, length: u64) -> Self {
        Self { file, length, at: 0 }
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Reason> {
        let mut extension = Extension::default();
        loop {
            let Some(header) = self.header()? else {
                let is_clean = extension.is_empty();
                return if is_clean { Ok(None) } else { Err("it ends after an extension".into()) };
            };
            let size = header.entry_size().map_err(|error| error.to_string())?;
            match header.entry_type() {
                EntryType::XHeader => {
                    let records = self.extension(size)?;
                    extension.read_pax(&records)?;
                }
                EntryType::XGlobalHeader => {
                    let mut global = Extension::default();
                    global.read_pax(&self.extension(size)?)?;
                    if !global.is_empty() {
                        return Err("a global extension renames or resizes its entries".into());
                    }
                }
                EntryType::GNULongName => {
                    let name = self.extension(size)?;
                    set_once(&mut extension.name, until_nul(&name).to_vec())?;
                }
                EntryType::GNULongLink => {
                    let link = self.extension(size)?;
                    set_once(&mut extension.link, until_nul(&link).to_vec())?;
                }
                kind => {
                    let size = extension.size_of(kind, size)?;
                    let offset = self.skip(size)?;
                    let name = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
                    let link = extension.link.or_else(|| header.link_name_bytes().map(Into::into));
                    let link = link.unwrap_or_default();
                    return Ok(Some(Entry { name, link, kind, offset, size }));
                }
            }
        }
    }

    /// The next header; `None` at a block of zeros, and at the end of a file without one.
    fn header(&mut self) -> Result<Option<Header>, Reason> {
        if self.at == self.length {
            return Ok(None);
        }
        let at = self.at;
        let mut header = Header::new_old();
        let block = self.read(at, BLOCK)?;
        header.as_mut_bytes().copy_from_slice(&block);
        if is_zero(&block) {
            let next = at + BLOCK;
            let is_end = self.length - next < BLOCK || is_zero(&self.read(next, BLOCK)?);
            return if is_end { Ok(None) } else { Err("there is something behind its end".into()) };
        }
        let stated = header.cksum().ok();
        let sum: u32 = block.iter().enumerate().map(|(i, byte)| checked_byte(i, *byte)).sum();
        if stated != Some(sum) {
            let reason = if at == 0 { "it is no tar archive" } else { "a header is damaged" };
            return Err(format!("{reason} (at byte {at})"));
        }
        self.at += BLOCK;
        Ok(Some(header))
    }

    /// The bytes of an extension, which belong to the header before them.
    fn extension(&mut self, size: u64) -> Result<Bytes, Reason> {
        if size > MAX_EXTENSION {
            return Err(format!("an extension of {size} bytes is too large"));
        }
        let offset = self.skip(size)?;
        self.read(offset, size)
    }

    /// Goes behind the bytes of an entry; says where they start.
    fn skip(&mut self, size: u64) -> Result<u64, Reason> {
        let offset = self.at;
        let end = offset.checked_add(size).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| format!("it is cut short (at byte {offset})"))?;
        // The padding of the last entry may be missing.
        self.at = end.next_multiple_of(BLOCK).min(self.length);
        Ok(offset)
    }

    fn read(&self, at: u64, size: u64) -> Result<Bytes, Reason> {
        let bytes = read::bytes_at(self.file, at..at.saturating_add(size));
        let bytes = bytes.map_err(|error| error.to_string())?;
        if bytes.len() as u64 == size {
            return Ok(bytes);
        }
        Err(format!("it is cut short (at byte {at})"))
    }
}

impl Extension {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.link.is_none() && self.size.is_none()
    }

    /// Records of the form `length key=value\n`, where the length counts itself.
    fn read_pax(&mut self, mut records: &[u8]) -> Result<(), Reason> {
        let damaged = || "an extension is damaged".to_owned();
        while !until_nul(records).is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let length: usize = number(&records[..space]).ok_or_else(damaged)?;
            let record = records.get(space + 1..length).ok_or_else(damaged)?;
            let record = record.strip_suffix(b"\n").ok_or_else(damaged)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => set_once(&mut self.name, value.to_vec())?,
                b"linkpath" => set_once(&mut self.link, value.to_vec())?,
                b"size" => set_once(&mut self.size, number(value).ok_or_else(damaged)?)?,
                _ if key.starts_with(b"GNU.sparse") => return Err("it has sparse files".into()),
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }

    /// The size of an entry: an extension's, where the header has no room for it.
    fn size_of(&self, kind: EntryType, plain: u64) -> Result<u64, Reason> {
        let size = match self.size {
            Some(size) if size == plain || plain == 0 || size > MAX_PLAIN => size,
            Some(size) => return Err(format!("an entry has two sizes, {plain} and {size}")),
            None => plain,
        };
        // Links and directories have no bytes, whatever their headers say.
        let has_bytes = kind.is_file() || kind.is_contiguous();
        if size > 0 && !has_bytes {
            return Err("an entry that is no file has a size".into());
        }
        Ok(size)
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// A checksum counts its own field as spaces.
fn checked_byte(index: usize, byte: u8) -> u32 {
    if (148..156).contains(&index) { u32::from(b' ') } else { u32::from(byte) }
}

fn set_once<T>(field: &mut Option<T>, value: T) -> Result<(), Reason> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err("an entry has two names or two sizes".into()),
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
