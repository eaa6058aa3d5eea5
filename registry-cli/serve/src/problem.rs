//! What a client is told when a request cannot be served.
//!
//! The body is the distribution specification's ("Error Codes"): `{"errors":[{code,message,detail}]}`.

use std::io;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::{self, Body};

/// The `code` of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    /// From the Docker Registry API; the OCI table has no code for a malformed tag.
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    /// Only with 5xx: the table is closed for 4xx.
    Unknown,
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A refusal, ready to become a response.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    errors: Vec<Value>,
    headers: HeaderMap,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        let inner = Inner { status, errors: Vec::new(), headers: HeaderMap::new() };
        Self(Box::new(inner)).and(code, message, Value::Null)
    }

    /// `400 Bad Request`.
    pub(crate) fn invalid(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// `404 Not Found`.
    pub(crate) fn unknown(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// `429 Too Many Requests`; another try may work after `wait`.
    pub(crate) fn too_many(message: impl Into<String>, wait: Duration) -> Self {
        // Whole seconds, and never 0: RFC 9110 section 10.2.3.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, message)
            .header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Several errors for one status, such as one for each missing blob.
    pub(crate) fn several(
        status: StatusCode,
        code: Code,
        errors: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let inner = Inner { status, errors: Vec::new(), headers: HeaderMap::new() };
        errors.into_iter().fold(Self(Box::new(inner)), |problem, (message, detail)| {
            problem.and(code, message, detail)
        })
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let text = json!({ "errors": self.0.errors }).to_string();
        let mut response = Response::new(body::full(text));
        *response.status_mut() = self.0.status;
        *response.headers_mut() = self.0.headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn and(mut self, code: Code, message: impl Into<String>, detail: Value) -> Self {
        let mut error = json!({ "code": code.as_str(), "message": message.into() });
        if !detail.is_null() {
            error["detail"] = detail;
        }
        self.0.errors.push(error);
        self
    }
}

/// The storage failed. Paths and system errors are for the log, not for the client.
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "storage failed");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                Code::Unknown,
                "the registry's storage is full",
            ),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::Unknown,
                "the registry's storage failed",
            ),
        }
    }
}
