//! The files that pages link to. They are the same for everybody, so everybody may have them.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

use crate::body::{self, Body};

/// A file of the web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    Style,
    Copy,
    Icon,
}

impl Asset {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Style, Self::Copy, Self::Icon].into_iter().find(|asset| asset.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Style => "style.css",
            Self::Copy => "copy.js",
            Self::Icon => "icon.svg",
        }
    }

    pub(super) fn response(self) -> Response<Body> {
        let (content_type, text) = match self {
            Self::Style => ("text/css; charset=utf-8", include_str!("style.css")),
            Self::Copy => ("text/javascript; charset=utf-8", include_str!("copy.js")),
            Self::Icon => ("image/svg+xml", include_str!("icon.svg")),
        };
        let mut response = Response::new(body::full(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // Short, as a newer registry may bring newer files.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}
