//! Which machine an image is for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The platform of an index entry, as the image specification shapes it.
///
/// As text: `os/architecture[/variant][:os.version]`, so `linux/arm64/v8` or
/// `windows/amd64:10.0.17763.1234`.
///
/// ```
/// # use registry_remote::Platform;
/// let wanted: Platform = "linux/arm64".parse()?;
/// let offered: Platform = "linux/arm64/v8".parse()?;
/// assert!(wanted.matches(&offered));
/// assert!(!offered.matches(&wanted));
/// # Ok::<(), registry_remote::PlatformError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    "{text:?} is not a platform: expected os/architecture[/variant][:os.version], as in linux/arm64/v8"
)]
pub struct PlatformError {
    text: String,
}

impl Platform {
    /// `linux/amd64`, what an image is taken to be for where nothing says otherwise.
    pub fn linux_amd64() -> Self {
        Self::new("linux", "amd64")
    }

    /// A platform by its two necessary parts.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into(), ..Self::default() }
    }

    /// Whether an image that is for `offered` satisfies this request: what the request leaves
    /// open may be anything, what it names must be equal, and features must be included.
    pub fn matches(&self, offered: &Self) -> bool {
        fn open_or_equal(wanted: Option<&String>, offered: Option<&String>) -> bool {
            wanted.is_none() || wanted == offered
        }
        self.os == offered.os
            && self.architecture == offered.architecture
            && open_or_equal(self.variant.as_ref(), offered.variant.as_ref())
            && open_or_equal(self.os_version.as_ref(), offered.os_version.as_ref())
            && self.os_features.iter().all(|feature| offered.os_features.contains(feature))
    }

    /// Whether this is the placeholder that marks an entry which no machine runs, such as an
    /// attestation.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
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
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let refuse = || PlatformError { text: text.to_owned() };
        let (path, os_version) = match text.split_once(':') {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (text, None),
        };
        let mut parts = path.split('/').map(str::to_owned);
        let (Some(os), Some(architecture)) = (parts.next(), parts.next()) else {
            return Err(refuse());
        };
        let variant = parts.next();
        let filled = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        let given = [Some(&os), Some(&architecture), variant.as_ref(), os_version.as_ref()];
        if parts.next().is_some() || !given.into_iter().flatten().all(|part| filled(part)) {
            return Err(refuse());
        }
        Ok(Self { os, architecture, variant, os_version, os_features: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64:10.0.17763.1234"] {
            assert_eq!(platform(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_platform_is_refused() {
        for text in
            ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/arm:1:2", "linux/a b"]
        {
            assert!(text.parse::<Platform>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_request_matches_what_is_at_least_as_precise() {
        let rows = [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm/v7", "linux/arm", false),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("windows/amd64", "windows/amd64:10.0.1", true),
            ("windows/amd64:10.0.2", "windows/amd64:10.0.1", false),
            ("linux/amd64", "LinuX/amd64", false),
        ];
        for (wanted, offered, expected) in rows {
            assert_eq!(
                platform(wanted).matches(&platform(offered)),
                expected,
                "{wanted} {offered}"
            );
        }
    }

    #[test]
    fn features_must_be_included() {
        let with = |features: &[&str]| Platform {
            os_features: features.iter().map(ToString::to_string).collect(),
            ..Platform::linux_amd64()
        };
        assert!(with(&["a"]).matches(&with(&["b", "a"])));
        assert!(!with(&["a", "b"]).matches(&with(&["a"])));
    }

    #[test]
    fn the_dotted_fields_survive_json() {
        let text = r#"{"os":"windows","architecture":"amd64","os.version":"10.0","os.features":["win32k"]}"#;
        let platform: Platform = serde_json::from_str(text).unwrap();
        assert_eq!(platform.os_version.as_deref(), Some("10.0"));
        assert_eq!(serde_json::to_string(&platform).unwrap().len(), text.len());
    }
}
