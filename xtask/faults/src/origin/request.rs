//! One HTTP/1.1 request, read from a socket by hand: an origin must see what the client sent, not what a library made of it.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest request head that is read.
const HEAD_LIMIT: usize = 256 * 1024;

/// How many body bytes are kept; what comes after them is counted and dropped.
pub(super) const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `PATCH`, …
    pub method: String,
    /// Path and query as they were on the request line.
    pub target: String,
    /// Names as sent, in order; a name may occur twice.
    pub headers: Vec<(String, String)>,
    /// At most 64 MiB of the body.
    pub body: Bytes,
    /// How many body bytes arrived.
    pub body_length: u64,
    /// Whether the body arrived as long as its framing announced.
    pub body_complete: bool,
    /// The client's end of the connection, which all its requests share.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// The target before `?`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The target after `?`, or nothing.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        pairs(self.query()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// Whether the client said that it will ask for nothing more on this connection.
    pub(super) fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// The decoded pairs of a query or of a form.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

/// Undoes percent-encoding; what is not an escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high * 16 + low);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Reads requests from one connection, keeping what arrived early for the next one.
#[derive(Debug)]
pub(super) struct Reader {
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new() }
    }

    /// The next request, without its body; `None` once the client is done.
    pub(super) async fn head(&mut self, stream: &mut TcpStream) -> io::Result<Option<Request>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(end);
                self.buffer.advance(4);
                return parse(&String::from_utf8_lossy(&head)).map(Some);
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(malformed("the request head does not end"));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads the body of `request`, but no more than `limit` bytes of it.
    pub(super) async fn body(
        &mut self,
        stream: &mut TcpStream,
        request: &mut Request,
        limit: Option<u64>,
    ) -> io::Result<()> {
        let chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        let announced = request.header("content-length").and_then(|text| text.parse().ok());
        if !chunked && announced.unwrap_or(0) == 0 {
            request.body_complete = true;
            return Ok(());
        }
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            && limit != Some(0)
        {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut body = Collected { limit, ..Collected::default() };
        let complete = if chunked {
            self.chunks(stream, &mut body).await
        } else {
            self.exactly(stream, announced.unwrap_or(0), &mut body).await
        };
        request.body_complete = complete?;
        request.body_length = body.length;
        request.body = body.kept.freeze();
        Ok(())
    }

    /// Passes on `length` bytes; `false` when the client or the limit ended them early.
    async fn exactly(
        &mut self,
        stream: &mut TcpStream,
        length: u64,
        body: &mut Collected,
    ) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            if body.room() == 0 {
                return Ok(false);
            }
            if self.buffer.is_empty() && stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(false);
            }
            let most = usize::try_from(left.min(body.room())).unwrap_or(usize::MAX);
            let taken = self.buffer.split_to(self.buffer.len().min(most));
            left -= taken.len() as u64;
            body.take(&taken);
        }
        Ok(true)
    }

    async fn chunks(&mut self, stream: &mut TcpStream, body: &mut Collected) -> io::Result<bool> {
        loop {
            let Some(line) = self.line(stream).await? else { return Ok(false) };
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| malformed("a chunk's size"))?;
            if size == 0 {
                // Trailers end with an empty line.
                while let Some(line) = self.line(stream).await? {
                    if line.is_empty() {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            if !self.exactly(stream, size, body).await? {
                return Ok(false);
            }
            self.line(stream).await?;
        }
    }

    async fn line(&mut self, stream: &mut TcpStream) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(malformed("a line does not end"));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[derive(Default)]
struct Collected {
    kept: BytesMut,
    length: u64,
    limit: Option<u64>,
}

impl Collected {
    /// How many more bytes are wanted.
    fn room(&self) -> u64 {
        self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.length))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if (self.kept.len() as u64) < BODY_LIMIT {
            self.kept.extend_from_slice(bytes);
        }
    }
}

fn parse(head: &str) -> io::Result<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(_version)) = (words.next(), words.next(), words.next())
    else {
        return Err(malformed("the request line"));
    };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Request { method: method.into(), target: target.into(), headers, ..Request::default() })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed request: {what}"))
}
