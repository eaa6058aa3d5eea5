//! Which machine an image is for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Stands for anything, in a wish.
const ANY: &str = "*";
/// What both parts of a placeholder are.
const UNKNOWN: &str = "unknown";

/// The platform of an index entry, as the image specification shapes it, or a wish for one.
///
/// As text: `os/architecture[/variant][:os.version][+os.feature]`, so `linux/arm64/v8` or
/// `windows/amd64:10.0.17763.1234+win32k`. A wish may have `*` for a part, as in `linux/*`; `local` is
/// the platform of this machine. Names that other programs use for an architecture are translated:
/// `x86_64`, `aarch64`, `armhf`.
///
/// ```
/// # use registry_remote::Platform;
/// let wanted: Platform = "linux/arm".parse()?;
/// let offered: Platform = "linux/arm/v7".parse()?;
/// assert!(wanted.matches(&offered));
/// assert!(!offered.matches(&wanted));
/// assert!("linux/*".parse::<Platform>()?.matches(&offered));
/// # Ok::<(), registry_remote::PlatformError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Platform {
    /// `linux`, `windows`, `darwin`: Go's `GOOS` names.
    pub os: String,
    /// `amd64`, `arm64`: Go's `GOARCH` names.
    pub architecture: String,
    /// `v7` of an `arm`, `v8` of an `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Of Windows, mostly.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the image needs from the system, such as `win32k`.
    #[serde(default, rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

/// A text that names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a platform: expected os/architecture[/variant][:os.version][+os.feature], as in linux/arm64/v8, linux/* or local"
)]
pub struct PlatformError {
    text: String,
}

impl Platform {
    /// `linux/amd64`, what an image is taken to be for where nothing says otherwise.
    pub fn linux_amd64() -> Self {
        Self::new("linux", "amd64")
    }

    /// A platform by its two necessary parts; the others can be set.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into(), ..Self::default() }
    }

    /// The platform of this machine, as far as images are made for it: what is neither Windows nor
    /// a BSD runs those for Linux.
    pub fn local() -> Self {
        let os = match std::env::consts::OS {
            os @ ("windows" | "freebsd" | "netbsd" | "openbsd") => os,
            _ => "linux",
        };
        let architecture = match std::env::consts::ARCH {
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "x86" => "386",
            "loongarch64" => "loong64",
            other => other,
        };
        let (architecture, _) = translated(architecture);
        let variant = if architecture == "arm" { arm_variant(&machine()) } else { None };
        Self { variant: variant.map(str::to_owned), ..Self::new(os, architecture) }
    }

    /// Whether an image that is for `offered` satisfies this wish: what the wish leaves open may be
    /// anything, what it names must be equal, and features must be included. The variant that an
    /// architecture has anyhow (`v8` of `arm64`, `v1` of `amd64`) may be named or not. A placeholder
    /// satisfies none.
    pub fn matches(&self, offered: &Self) -> bool {
        let same = |wanted: &str, offered: &str| wanted == ANY || wanted == offered;
        let variant = match self.variant.as_deref() {
            None | Some(ANY) => true,
            // The wish's own architecture may be anything.
            wanted => {
                let significant = |variant| significant_variant(&offered.architecture, variant);
                significant(wanted) == significant(offered.variant.as_deref())
            }
        };
        let version = self
            .os_version
            .as_deref()
            .is_none_or(|wanted| wanted == ANY || offered.os_version.as_deref() == Some(wanted));
        same(&self.os, &offered.os)
            && same(&self.architecture, &offered.architecture)
            && (!offered.is_unknown() || self.is_unknown())
            && variant
            && version
            && self.os_features.iter().all(|feature| offered.os_features.contains(feature))
    }

    /// Whether this may mean several platforms at once.
    pub fn is_wildcard(&self) -> bool {
        let optional = [self.variant.as_deref(), self.os_version.as_deref()];
        self.os == ANY || self.architecture == ANY || optional.contains(&Some(ANY))
    }

    /// Whether what a configuration says of itself rules out that it is `wanted`. What it does not
    /// say rules out nothing.
    pub(crate) fn contradicts(&self, wanted: &Self) -> bool {
        let silent = |part: &str| part == UNKNOWN;
        let mut filled = self.clone();
        if silent(&self.os) {
            filled.os.clone_from(&wanted.os);
        }
        if silent(&self.architecture) {
            filled.architecture.clone_from(&wanted.architecture);
        }
        if self.variant.is_none() {
            filled.variant.clone_from(&wanted.variant);
        }
        if self.os_version.is_none() {
            filled.os_version.clone_from(&wanted.os_version);
        }
        let without_features = Self { os_features: Vec::new(), ..wanted.clone() };
        !without_features.matches(&filled)
    }

    /// Whether this is the placeholder that marks an entry which no machine runs, such as an
    /// attestation.
    pub fn is_unknown(&self) -> bool {
        self.os == UNKNOWN && self.architecture == UNKNOWN
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        if let Some(version) = &self.os_version {
            write!(f, ":{version}")?;
        }
        for feature in &self.os_features {
            write!(f, "+{feature}")?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        if text == "local" {
            return Ok(Self::local());
        }
        let refuse = || PlatformError { text: text.to_owned() };
        let mut features = text.split('+').map(str::to_owned);
        let rest = features.next().unwrap_or_default();
        let os_features: Vec<_> = features.collect();
        let (path, os_version) = match rest.split_once(':') {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (rest.as_str(), None),
        };
        let mut parts = path.split('/');
        let (Some(os), Some(architecture)) = (parts.next(), parts.next()) else {
            return Err(refuse());
        };
        let (architecture, implied) = translated(architecture);
        let variant = parts.next().or(implied).map(|variant| match variant {
            "5" | "6" | "7" | "8" => format!("v{variant}"),
            variant => variant.to_owned(),
        });
        let named = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        let may_be = |part: &str| part == ANY || named(part);
        let sound = may_be(os)
            && may_be(architecture)
            && variant.as_deref().is_none_or(may_be)
            && os_version.as_deref().is_none_or(may_be)
            && os_features.iter().all(|feature| named(feature));
        if parts.next().is_some() || !sound {
            return Err(refuse());
        }
        let os = if os == "macos" { "darwin" } else { os };
        Ok(Self { variant, os_version, os_features, ..Self::new(os, architecture) })
    }
}

/// The variant, unless it is the one that the architecture has anyhow
/// ([image-spec, platform variants](https://github.com/opencontainers/image-spec/blob/main/image-index.md#platform-variants)).
fn significant_variant<'a>(architecture: &str, variant: Option<&'a str>) -> Option<&'a str> {
    let variant = variant.filter(|variant| !variant.is_empty())?;
    let number = variant.strip_prefix('v').unwrap_or(variant);
    match (architecture, number) {
        ("arm64", "8") | ("amd64", "1") => None,
        _ => Some(number),
    }
}

/// What the system calls this machine: `armv7l`, `aarch64`.
#[cfg(unix)]
fn machine() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    String::new()
}

/// Which 32-bit arm runs on a machine; left open where its name does not say. What a program was
/// compiled for is often less than that.
fn arm_variant(machine: &str) -> Option<&'static str> {
    let known = [
        ("armv5", "v5"),
        ("armv6", "v6"),
        ("armv7", "v7"),
        // On 64 bits, no image for 32 says more.
        ("armv8", "v7"),
        ("aarch64", "v7"),
        ("arm64", "v7"),
    ];
    let found = known.iter().find(|(start, _)| machine.starts_with(start));
    found.map(|(_, variant)| *variant)
}

/// The image specification's name of an architecture, and the variant that is meant with it.
fn translated(architecture: &str) -> (&str, Option<&'static str>) {
    match architecture {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "i386" | "i686" => ("386", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        other => (other, None),
    }
}

#[cfg(test)]
mod tests;
