//! What is where in a tar file. Nothing is ever unpacked.

use std::{collections::HashMap, fs::File, ops::Range, path::Path};

use super::headers::{Entry, Headers, Reason};
use crate::{Error, local::read::read_at};

/// Entries of an archive, at most: an image has some hundreds.
pub(super) const MAX_ENTRIES: usize = 50_000;
/// Bytes of a name, at most; a sha512 blob has 141.
const MAX_NAME: usize = 255;
/// Links from links, at most.
const MAX_LINKS: usize = 8;

/// How the bytes of what is no tar file begin, and what undoes it.
const COMPRESSIONS: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "Zstandard", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz"),
];

/// The entries of an archive by name.
#[derive(Debug)]
pub(super) struct Entries {
    items: HashMap<String, Item>,
}

#[derive(Debug)]
enum Item {
    /// Where its bytes are.
    File(Range<u64>),
    Directory,
    /// To which name.
    Link(String),
}

impl Entries {
    /// Reads the headers of an archive. Devices, names and links that lead outside, and names that
    /// occur twice are refused.
    pub(super) fn scan(file: &File, path: &Path) -> Result<Self, Error> {
        let refuse = |reason| broken(path, reason);
        let length = file.metadata().map_err(Error::local("read", path))?.len();
        let mut magic = [0; 6];
        read_at(file, &mut magic, 0).map_err(Error::local("read", path))?;
        for (start, name, program) in COMPRESSIONS {
            if magic.starts_with(start) {
                let reason = format!("it is compressed with {name}; decompress it with {program}");
                return Err(refuse(reason));
            }
        }
        if length == 0 {
            return Err(refuse("it is empty".to_owned()));
        }
        let mut items = HashMap::new();
        let mut headers = Headers::new(file, length);
        while let Some(entry) = headers.next().map_err(refuse)? {
            if items.len() == MAX_ENTRIES {
                let what = format!("the number of entries in {}", path.display());
                return Err(Error::Limit { what, limit: MAX_ENTRIES.to_string() });
            }
            add(&mut items, &entry).map_err(refuse)?;
        }
        let entries = Self { items };
        entries.check_parents().map_err(refuse)?;
        Ok(entries)
    }

    /// The names, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.items.keys().map(String::as_str)
    }

    /// Where the bytes of a file are. Links are followed inside the archive.
    pub(super) fn find(&self, name: &str) -> Option<Range<u64>> {
        let mut name = name;
        for _ in 0..=MAX_LINKS {
            match self.items.get(name)? {
                Item::File(range) => return Some(range.clone()),
                Item::Link(target) => name = target,
                Item::Directory => return None,
            }
        }
        None
    }

    /// A name below a link would be in two places.
    fn check_parents(&self) -> Result<(), Reason> {
        for name in self.names() {
            let slashes = name.match_indices('/');
            for (slash, _) in slashes {
                if let Some(Item::Link(_) | Item::File(_)) = self.items.get(&name[..slash]) {
                    return Err(format!("{} is below what is no directory", shown(name)));
                }
            }
        }
        Ok(())
    }
}

/// A broken archive, as an error.
pub(super) fn broken(path: &Path, reason: impl Into<String>) -> Error {
    Error::Store { what: "image archive", path: path.to_owned(), reason: reason.into() }
}

/// The name that a document in the archive uses for one of its entries.
pub(super) fn normal(name: &str) -> Option<String> {
    resolve(Vec::new(), name).ok()
}

fn add(items: &mut HashMap<String, Item>, entry: &Entry) -> Result<(), Reason> {
    let text = name_of(&entry.name)?;
    let name = resolve(Vec::new(), text)
        .map_err(|reason| format!("the name of its entry {} {reason}", shown(text)))?;
    let is_directory = entry.kind.is_dir() || (entry.kind.is_file() && text.ends_with('/'));
    let item = if is_directory {
        Item::Directory
    } else if entry.kind.is_file() || entry.kind.is_contiguous() {
        Item::File(entry.offset..entry.offset + entry.size)
    } else if entry.kind.is_symlink() || entry.kind.is_hard_link() {
        let target = name_of(&entry.link)?;
        let mut base: Vec<_> = name.split('/').collect();
        base.pop();
        if entry.kind.is_hard_link() {
            base.clear();
        }
        let target = resolve_link(base, target);
        Item::Link(target.ok_or_else(|| format!("its link {} leads outside", shown(text)))?)
    } else {
        return Err(format!("its entry {} is neither file nor directory", shown(text)));
    };
    match (items.get(&name), &item) {
        (None, _) | (Some(Item::Directory), Item::Directory) => {}
        _ => return Err(format!("it has two entries {}", shown(text))),
    }
    if !name.is_empty() {
        items.insert(name, item);
    } else if !is_directory {
        return Err("an entry has no name".to_owned());
    }
    Ok(())
}

fn name_of(bytes: &[u8]) -> Result<&str, Reason> {
    if bytes.len() > MAX_NAME {
        return Err(format!("a name in it has more than {MAX_NAME} bytes"));
    }
    std::str::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8".to_owned())
}

/// A name in its one form: no `.`, no empty part; `..` and a leading slash are refused.
fn resolve<'a>(mut parts: Vec<&'a str>, name: &'a str) -> Result<String, &'static str> {
    if name.starts_with('/') {
        return Err("is absolute");
    }
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leads outside"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// As [`resolve`], from a directory; `..` may lead up to the top and no further.
fn resolve_link<'a>(mut base: Vec<&'a str>, target: &'a str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                base.pop()?;
            }
            part => base.push(part),
        }
    }
    Some(base.join("/"))
}

/// A stranger's name, safe for a terminal.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}
