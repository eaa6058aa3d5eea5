//! What an origin answers, as data: an answer of its own or the registry's, changed, cut, slowed down or withheld.

use std::time::Duration;

use bytes::Bytes;

use super::{placeholders::Placeholders, request::Request};
use crate::content::Repeated;

/// A complete, honest answer, before any fault is laid over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names and values, in the order in which they are written.
    pub headers: Vec<(String, String)>,
    /// The body; a HEAD request gets its length only.
    pub body: Bytes,
}

/// How a reply, and perhaps the connection, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The connection stays open for the next request.
    KeepAlive,
    /// An orderly close.
    Fin,
    /// A reset (`SO_LINGER` 0).
    Rst,
    /// The socket stays open and nothing more is said.
    Hold,
    /// The socket stays open, nothing more is said, and nothing more is read.
    Stall,
}

/// How the body's length is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `Content-Length`, truthfully; chunked for an endless body.
    Actual,
    /// `Content-Length` with this number, whatever the body's length.
    Claimed(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Nothing: the body ends when the connection does.
    Absent,
}

/// A scripted reply. Header values and [`Reply::text`] may hold placeholders:
///
/// | placeholder | becomes |
/// |---|---|
/// | `{A}`, `{B}`, … | `127.0.0.1:PORT` of the origin of that name |
/// | `{A.port}`, … | its port alone |
/// | `{path}`, `{query}`, `{target}` | parts of the request's target |
/// | `{body-end}` | the offset of the last byte of the request's body |
/// | `{visit}` | 1 for the first request that met this rule, then 2, … |
/// | `{now}`, `{now+2}` | an HTTP date, this many seconds from now |
#[derive(Clone, Debug)]
pub struct Reply {
    base: Base,
    status: Option<u16>,
    headers: Vec<(String, Option<String>)>,
    body: Option<Body>,
    appended: Bytes,
    flipped: Option<usize>,
    pub(super) length: Length,
    pub(super) cut: Option<u64>,
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) end: End,
    pub(super) unsaid: bool,
    pub(super) reads: Option<u64>,
}

#[derive(Clone, Debug)]
enum Base {
    Own,
    Registry,
    Raw(Bytes),
}

#[derive(Clone, Debug)]
enum Body {
    Bytes(Bytes),
    Text(String),
    Endless { start: Bytes, unit: Bytes },
    Repeated(Repeated),
}

impl Reply {
    /// An answer with this status and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            base: Base::Own,
            status: Some(status),
            headers: Vec::new(),
            body: None,
            appended: Bytes::new(),
            flipped: None,
            length: Length::Actual,
            cut: None,
            pace: None,
            end: End::KeepAlive,
            unsaid: false,
            reads: None,
        }
    }

    /// What the well-behaved registry answers; the other methods then change it.
    pub fn registry() -> Self {
        Self { base: Base::Registry, status: None, ..Self::new(200) }
    }

    /// These very bytes instead of an HTTP response, then [`End::Fin`].
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { base: Base::Raw(bytes.into()), end: End::Fin, ..Self::new(200) }
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets a header, in place of any of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Takes a header away; of `Connection`, the `close` that announces [`End::Fin`].
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// Another body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Some(Body::Bytes(bytes.into()));
        self
    }

    /// Another body, with placeholders.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.body = Some(Body::Text(text.into()));
        self
    }

    /// A body that starts with `start` and then repeats `unit` until the client leaves.
    #[must_use]
    pub fn endless(mut self, start: impl Into<Bytes>, unit: impl Into<Bytes>) -> Self {
        self.body = Some(Body::Endless { start: start.into(), unit: unit.into() });
        self
    }

    /// A body of any size; only the part of it that the request's `Range` asks for, where it does.
    #[must_use]
    pub fn repeated(mut self, content: &Repeated) -> Self {
        self.body = Some(Body::Repeated(content.clone()));
        self
    }

    /// A few bytes more than the body has.
    #[must_use]
    pub fn append(mut self, bytes: impl Into<Bytes>) -> Self {
        self.appended = bytes.into();
        self
    }

    /// Flips the lowest bit of the body's byte at `offset` (of its last byte when it is shorter).
    #[must_use]
    pub fn flip_bit(mut self, offset: usize) -> Self {
        self.flipped = Some(offset);
        self
    }

    /// Another way to announce the length.
    #[must_use]
    pub fn length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// Stops after this many bytes of the body and ends the connection so. With [`End::Rst`] the client may get fewer: what its
    /// system has not taken by then is lost.
    #[must_use]
    pub fn cut(mut self, at: u64, end: End) -> Self {
        self.cut = Some(at);
        self.end = end;
        self
    }

    /// Sends `bytes` at a time and pauses `every` time after each.
    #[must_use]
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.pace = Some((bytes.max(1), every));
        self
    }

    /// Ends the connection so, after the whole reply.
    #[must_use]
    pub fn then(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Does everything that the answer needs, then says nothing and ends the connection so.
    #[must_use]
    pub fn unsaid(mut self, end: End) -> Self {
        self.unsaid = true;
        self.end = end;
        self
    }

    /// Reads no more than this of the request's body before answering.
    #[must_use]
    pub fn reading_only(mut self, bytes: u64) -> Self {
        self.reads = Some(bytes);
        self
    }

    pub(super) fn is_of_registry(&self) -> bool {
        matches!(self.base, Base::Registry)
    }

    /// The bytes to write. `honest` is the registry's answer where this reply asked for it.
    pub(super) fn render(&self, request: &Request, honest: Answer, names: &Placeholders) -> Wire {
        if let Base::Raw(bytes) = &self.base {
            let (head, body) = (Vec::new(), bytes.clone());
            return Wire { status: 0, head, body, unit: None, size: None, chunked: false };
        }
        let Answer { status, mut headers, body } = honest;
        let mut status = self.status.unwrap_or(status);
        let mut size = None;
        for (name, value) in &self.headers {
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            if let Some(value) = value {
                headers.push((name.clone(), value.clone()));
            }
        }
        let (body, unit) = match &self.body {
            None => (body, None),
            Some(Body::Bytes(bytes)) => (bytes.clone(), None),
            Some(Body::Text(text)) => (Bytes::from(names.fill(text, request)), None),
            Some(Body::Endless { start, unit }) => (start.clone(), Some(unit.clone())),
            Some(Body::Repeated(content)) => {
                let total = content.size;
                let asked = request.header("range").and_then(|range| asked(range, total));
                let (from, end) = asked.unwrap_or((0, total));
                if asked.is_some() {
                    status = 206;
                    let range = format!("bytes {from}-{}/{total}", end - 1);
                    headers.push(("Content-Range".to_owned(), range));
                }
                size = Some(end - from);
                let at = from % content.unit.len() as u64;
                let start = content.unit.slice(usize::try_from(at).unwrap_or_default()..);
                (start, Some(content.unit.clone()))
            }
        };
        let body = self.damaged(body);

        let bodiless = matches!(status, 204 | 304) || (100..200).contains(&status);
        let chunked = match self.length {
            Length::Chunked => true,
            Length::Actual => unit.is_some() && size.is_none(),
            Length::Claimed(_) | Length::Absent => false,
        };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for (name, value) in &headers {
            head.extend([name, ": ", &names.fill(value, request), "\r\n"]);
        }
        let announced = match self.length {
            Length::Claimed(length) => Some(length),
            Length::Actual if !bodiless && !chunked => Some(size.unwrap_or(body.len() as u64)),
            _ => None,
        };
        if let Some(length) = announced {
            head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
        }
        if chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        }
        let hushed = |(name, value): &(String, Option<String>)| {
            value.is_none() && name.eq_ignore_ascii_case("connection")
        };
        if self.end != End::KeepAlive && !self.headers.iter().any(hushed) {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let silent = bodiless || request.method == "HEAD";
        Wire {
            status,
            head: head.into_bytes(),
            body: if silent { Bytes::new() } else { body },
            unit: unit.filter(|_| !silent),
            size,
            chunked: chunked && !silent,
        }
    }

    fn damaged(&self, body: Bytes) -> Bytes {
        if self.flipped.is_none() && self.appended.is_empty() {
            return body;
        }
        let mut bytes = body.to_vec();
        let last = bytes.len().saturating_sub(1);
        if let Some(byte) = self.flipped.and_then(|offset| bytes.get_mut(offset.min(last))) {
            *byte ^= 1;
        }
        bytes.extend_from_slice(&self.appended);
        bytes.into()
    }
}

/// A reply in bytes.
#[derive(Debug)]
pub(super) struct Wire {
    /// 0 for raw bytes.
    pub(super) status: u16,
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
    pub(super) unit: Option<Bytes>,
    /// How long `body` and as many units as it takes are together, where that is known.
    pub(super) size: Option<u64>,
    pub(super) chunked: bool,
}

/// The first byte that a `Range` asks for, and the one after the last.
fn asked(range: &str, total: u64) -> Option<(u64, u64)> {
    let (from, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let end = if last.is_empty() { total } else { last.parse::<u64>().ok()?.checked_add(1)? };
    (from < end.min(total)).then_some((from, end.min(total)))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
