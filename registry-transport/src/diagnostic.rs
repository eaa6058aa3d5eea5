//! What a registry says about a failure: the error document of the distribution specification
//! ("Error Codes"), read leniently and shown safely.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::text::sanitise;

/// One entry of a registry's error document. Prints `CODE: message[; detail]`, with what a terminal must not see escaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The machine-readable code.
    pub code: ErrorCode,
    /// The registry's own words, exactly as sent: sanitised only when printed.
    pub message: String,
    /// Anything more the registry says, in whatever shape.
    pub detail: Option<Value>,
}

macro_rules! codes {
    ($($variant:ident = $text:literal, $meaning:literal;)*) => {
        /// The codes of the distribution specification and of its reference implementation, and any other as it was sent.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
            /// A code that is not one of the above, as the registry sent it.
            Other(String),
        }

        impl ErrorCode {
            /// Every code with a meaning of its own.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    BlobUnknown = "BLOB_UNKNOWN", "The blob is not in this repository.";
    BlobUploadInvalid = "BLOB_UPLOAD_INVALID", "The upload session is broken.";
    BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN", "The upload session does not exist, or not any more.";
    DigestInvalid = "DIGEST_INVALID", "The digest does not match the bytes that were sent, or is malformed.";
    ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN", "The manifest refers to something the registry does not have.";
    ManifestInvalid = "MANIFEST_INVALID", "The registry does not accept this manifest.";
    ManifestUnknown = "MANIFEST_UNKNOWN", "No such manifest or tag.";
    ManifestUnverified = "MANIFEST_UNVERIFIED", "The manifest's signature failed.";
    NameInvalid = "NAME_INVALID", "The repository name is malformed.";
    NameUnknown = "NAME_UNKNOWN", "No such repository.";
    SizeInvalid = "SIZE_INVALID", "The length does not match the bytes that were sent.";
    TagInvalid = "TAG_INVALID", "The tag does not match the manifest, or is malformed.";
    Unauthorized = "UNAUTHORIZED", "Authentication is needed.";
    Denied = "DENIED", "Authenticated or not, this is not allowed.";
    Unsupported = "UNSUPPORTED", "The registry does not offer this operation.";
    TooManyRequests = "TOOMANYREQUESTS", "Too many requests: wait.";
    Unknown = "UNKNOWN", "The registry does not know what went wrong.";
    Unavailable = "UNAVAILABLE", "The registry is not available at the moment.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(self.as_str(), 64))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", sanitise(&self.message, 500))?;
        }
        match &self.detail {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(detail)) if detail.is_empty() => Ok(()),
            Some(Value::String(detail)) => write!(f, "; {}", sanitise(detail, 500)),
            Some(detail) => write!(f, "; {}", sanitise(&detail.to_string(), 500)),
        }
    }
}

impl Diagnostic {
    /// Reads the body of an error answer. Anything that is not an error document has no diagnostics; a wrong type in one
    /// field loses that field alone.
    ///
    /// ```
    /// use registry_transport::{Diagnostic, ErrorCode};
    ///
    /// let body = br#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#;
    /// let [diagnostic] = &Diagnostic::parse_all(body)[..] else { panic!() };
    /// assert_eq!(diagnostic.code, ErrorCode::NameUnknown);
    /// assert_eq!(diagnostic.to_string(), "NAME_UNKNOWN: no such repository");
    /// ```
    pub fn parse_all(body: &[u8]) -> Vec<Self> {
        #[derive(Deserialize)]
        struct Document {
            errors: Option<Vec<Value>>,
        }
        match serde_json::from_slice(body) {
            Ok(Document { errors: Some(errors) }) => {
                errors.into_iter().filter_map(Self::from_entry).collect()
            }
            _ => Vec::new(),
        }
    }

    fn from_entry(entry: Value) -> Option<Self> {
        let Value::Object(mut entry) = entry else { return None };
        let mut text = |key: &str| match entry.remove(key) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (code, message) = (text("code"), text("message"));
        let detail = entry.remove("detail").filter(|detail| !detail.is_null());
        let says_something = !code.is_empty() || !message.is_empty();
        says_something.then(|| Self { code: code.as_str().into(), message, detail })
    }
}

#[cfg(test)]
mod tests;
