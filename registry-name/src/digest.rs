//! Digests: content named by its hash.

use std::fmt;
use std::str::FromStr;

use crate::error::{Component, Fault, ParseError, Quoted};
use crate::scan::{not_allowed, run};

/// The hash of some content: `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal digits.
///
/// This is the only way in which text becomes a path or part of a URL as a digest; every value is of
/// the exact shape above.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    text: String,
}

/// A hash algorithm that digests are made with.
///
/// These two are the ones that the OCI image specification registers and requires or recommends
/// ("Digests"). Other algorithms are refused, never skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, what nearly every digest uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// The digest of this algorithm whose hash is `hash`; `None` if the hash has another length.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if hash.len() * 2 != algorithm.hex_len() {
            return None;
        }
        let name = algorithm.as_str();
        let mut text = String::with_capacity(name.len() + 1 + algorithm.hex_len());
        text.push_str(name);
        text.push(':');
        for byte in hash {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Some(Self { algorithm, text })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash, as lower-case hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }

    /// The whole digest, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn scan(text: &str) -> Result<Self, Fault> {
        let algorithm = scan(text)?;
        Ok(Self { algorithm, text: text.to_owned() })
    }
}

impl Algorithm {
    /// The name, as it stands in front of a digest's colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest of this algorithm has.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn scan(name: &str) -> Result<Self, Fault> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(unsupported(name)),
        }
    }
}

/// `algorithm ":" encoded`, as in the OCI image specification ("Digests").
fn scan(text: &str) -> Result<Algorithm, Fault> {
    let fault = |at, reason: &'static str| Fault::new(Component::Digest, at, reason);
    if text.is_empty() {
        return Err(
            fault(0, "the digest is missing").hint("leave out the \"@\", or write a digest")
        );
    }
    let Some((name, hex)) = text.split_once(':') else {
        let fault = fault(text.len(), "a digest is an algorithm, a colon and hexadecimal digits");
        let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        return Err(if hex { fault.hint("write \"sha256:\" before the digits") } else { fault });
    };
    let algorithm = Algorithm::scan(name)?;
    digits(hex, algorithm).map_err(|fault| fault.shift(name.len() + 1))?;
    Ok(algorithm)
}

fn unsupported(name: &str) -> Fault {
    let good = run(name.as_bytes(), |b| b.is_ascii_alphanumeric() || b"+._-".contains(&b));
    if name.is_empty() {
        return Fault::new(Component::Digest, 0, "the algorithm is missing");
    }
    if good < name.len() {
        return Fault::new(
            Component::Digest,
            good,
            not_allowed(&name[good..], "in an algorithm's name"),
        );
    }
    let fault = Fault::new(
        Component::Algorithm,
        0,
        format!("{} is not supported, only \"sha256\" and \"sha512\" are", Quoted(name)),
    );
    match name.to_ascii_lowercase().as_str() {
        "sha256" | "sha512" => fault.hint("algorithm names are lower-case"),
        _ => fault,
    }
}

fn digits(hex: &str, algorithm: Algorithm) -> Result<(), Fault> {
    let wanted = algorithm.hex_len();
    let good = run(hex.as_bytes(), |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if good < hex.len() {
        let reason = not_allowed(&hex[good..], "among a digest's hexadecimal digits");
        let fault = Fault::new(Component::Digest, good, reason);
        return Err(match hex.as_bytes()[good] {
            b'A'..=b'F' => fault.hint("the digits of a digest are lower-case"),
            b':' => fault.hint("a tag stands before the \"@\""),
            b' ' | b'\t' | b'\r' | b'\n' => fault.hint("remove the white space"),
            _ => fault,
        });
    }
    if good == wanted {
        return Ok(());
    }
    let name = algorithm.as_str();
    let reason = format!("a {name} digest has {wanted} hexadecimal digits, this one has {good}");
    Err(Fault::new(Component::Digest, good.min(wanted), reason))
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::scan(text).map_err(|fault| fault.of(text))
    }
}

impl FromStr for Algorithm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::scan(text).map_err(|fault| fault.of(text))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
