#![doc = include_str!("../README.md")]

mod authorize;
mod body;
mod budget;
mod cancellation;
mod caps;
mod challenge;
mod clock;
mod deadlines;
mod diagnostic;
mod error;
mod event;
mod follow;
mod gate;
mod hosts;
mod limit;
mod link;
mod notice;
pub mod origin;
mod realm;
mod redact;
mod request;
mod response;
mod retry;
mod route;
pub mod scheme;
pub mod service;
mod text;
mod token;
mod transport;

pub use self::body::{Body, ByteStream};
pub use self::budget::Budget;
pub use self::cancellation::Cancellation;
pub use self::caps::{Caps, MANIFEST_CAP, PAGE_CAP};
pub use self::challenge::Challenge;
pub use self::clock::{Clock, SystemClock};
pub use self::deadlines::Deadlines;
pub use self::diagnostic::{Diagnostic, ErrorCode};
pub use self::error::{Error, ErrorKind};
pub use self::event::{Counters, Event};
#[cfg(feature = "files")]
pub use self::hosts::files;
pub use self::hosts::{Host, Hosts, Mirror, Prefix, PrefixError, Proxy};
pub use self::link::{LinkError, next_link};
pub use self::notice::{RateLimit, Warning};
pub use self::origin::{Origin, Refusal};
pub use self::redact::RedactedUrl;
pub use self::request::{Replay, Request};
pub use self::response::Response;
pub use self::retry::{RetryPolicy, retry_after};
pub use self::scheme::Scheme;
pub use self::service::HttpService;
#[cfg(feature = "token-cache")]
pub use self::token::TokenCache;
pub use self::token::{Token, TokenError};
pub use self::transport::{Builder, MirrorOrigin, Ping, Transport};
// What the signatures above are made of.
pub use bytes::Bytes;
pub use http::header;
pub use http::{HeaderMap, Method, StatusCode};
pub use url::Url;
