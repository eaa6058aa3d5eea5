//! Scanners for the components of a reference.
//!
//! The grammar is that of the distribution project's `reference` package, which Docker, Podman and
//! containerd share; a repository path and a tag are also fixed by the OCI distribution specification
//! ("Pulling manifests"). Every scanner looks at one component that its caller has already cut out, and
//! answers with the first byte that does not belong there.

use crate::error::{Component, Fault, Quoted};

/// Bytes in a repository path, the namespace included.
pub(crate) const LONGEST_PATH: usize = 255;
/// Bytes in a tag.
pub(crate) const LONGEST_TAG: usize = 128;

/// `component *("/" component)`, where a component is lower-case letters and digits, joined by `.`, `_`,
/// `__` or any number of `-`.
pub(crate) fn path(text: &str) -> Result<(), Fault> {
    let fault = |at, reason: &'static str| Err(Fault::new(Component::Repository, at, reason));
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at) {
            Some(b'a'..=b'z' | b'0'..=b'9') => {}
            None if at == 0 => return fault(at, "the repository is missing"),
            None => return fault(at, "a repository does not end in a slash"),
            Some(b'/') if at == 0 => return fault(at, "a repository does not start with a slash"),
            Some(b'/') => return fault(at, "there is nothing between two slashes"),
            Some(b'.' | b'_' | b'-') => {
                return fault(at, "a path component starts with a lower-case letter or a digit");
            }
            Some(_) => return Err(stranger(text, at)),
        }
        at += run(&bytes[at..], |b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let separator = match &bytes[at..] {
            [] => return length(text),
            [b'/', ..] => {
                at += 1;
                continue;
            }
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            dashes @ [b'-', ..] => run(dashes, |b| b == b'-'),
            _ => return Err(stranger(text, at)),
        };
        at += separator;
        match bytes.get(at) {
            Some(b'a'..=b'z' | b'0'..=b'9') => {}
            None | Some(b'/') => {
                return fault(at - 1, "a path component ends in a lower-case letter or a digit");
            }
            Some(b'.' | b'_' | b'-') => {
                return fault(
                    at,
                    "letters and digits are joined by one of \".\", \"_\", \"__\" or dashes",
                );
            }
            Some(_) => return Err(stranger(text, at)),
        }
    }
}

fn length(text: &str) -> Result<(), Fault> {
    if text.len() <= LONGEST_PATH {
        return Ok(());
    }
    Err(Fault::new(
        Component::Repository,
        LONGEST_PATH,
        too_long("a repository", LONGEST_PATH, text),
    ))
}

/// A byte that no repository path has.
fn stranger(text: &str, at: usize) -> Fault {
    let rest = &text[at..];
    let fault = Fault::new(Component::Repository, at, not_allowed(rest, "in a repository"));
    match rest.bytes().next() {
        Some(b'A'..=b'Z') => fault.hint(format!(
            "repository names are lower-case: write {}",
            Quoted(&text.to_ascii_lowercase())
        )),
        Some(b'?' | b'#' | b'%') => {
            fault.hint("a reference is not a URL: no query, no fragment, no percent-encoding")
        }
        Some(b'\\') => fault.hint("path components are separated by \"/\""),
        Some(b' ' | b'\t' | b'\r' | b'\n') => fault.hint("remove the white space"),
        _ => fault,
    }
}

/// A letter, digit or `_`, then up to 127 of these, `.` and `-`.
pub(crate) fn tag(text: &str) -> Result<(), Fault> {
    let fault = |at, reason: std::borrow::Cow<'static, str>| Fault::new(Component::Tag, at, reason);
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    match text.bytes().next() {
        None => {
            return Err(
                fault(0, "the tag is missing".into()).hint("leave out the \":\", or write a tag")
            );
        }
        Some(b'.' | b'-') => {
            return Err(fault(0, "a tag starts with a letter, a digit or \"_\"".into()));
        }
        Some(_) => {}
    }
    let good = run(text.as_bytes(), |b| word(b) || b == b'.' || b == b'-');
    if good < text.len() {
        let rest = &text[good..];
        let fault = fault(good, not_allowed(rest, "in a tag").into());
        return Err(match rest.as_bytes()[0] {
            b':' if text.starts_with("sha256:") || text.starts_with("sha512:") => {
                fault.hint("a digest follows \"@\", not \":\"")
            }
            b' ' | b'\t' | b'\r' | b'\n' => fault.hint("remove the white space"),
            _ => fault,
        });
    }
    if good > LONGEST_TAG {
        return Err(fault(LONGEST_TAG, too_long("a tag", LONGEST_TAG, text).into()));
    }
    Ok(())
}

/// How many bytes from the start satisfy `wanted`.
pub(crate) fn run(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !wanted(b)).unwrap_or(bytes.len())
}

/// "… is not allowed …", for the first character of `rest`.
pub(crate) fn not_allowed(rest: &str, place: &str) -> String {
    match rest.chars().next() {
        Some(c) => format!("{c:?} is not allowed {place}"),
        None => format!("something is missing {place}"),
    }
}

fn too_long(what: &str, limit: usize, text: &str) -> String {
    format!("{what} has at most {limit} bytes, this one has {}", text.len())
}
