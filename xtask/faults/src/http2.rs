//! An HTTP/2 server that does as it is told, frame by frame (RFC 9113). It reads no request: only that one came matters.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is answered: 200, and a list of tags that holds `v1`.
    Answer,
    /// `RST_STREAM` with this code, and no answer.
    Reset(u32),
    /// The answer's head and its first bytes, and then `RST_STREAM` with this code.
    CutShort(u32),
    /// `GOAWAY` without an error: this request was not looked at (section 6.8).
    TurnAway,
    /// `GOAWAY` without an error after which this request, the last one, is still answered.
    AnswerLast,
    /// The same, but the connection is closed in place of the answer.
    BreakPromise,
    /// The answer's head, and nothing ever after.
    Stall,
    /// No answer. From its first frame on, this server takes no byte of any body either.
    ZeroWindow,
    /// These frames, without end.
    Flood(Flood),
}

/// Frames that a server can send as often as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Each wants an acknowledgement.
    Settings,
    /// Each wants an answer.
    Ping,
    /// Headers that never end.
    Continuation,
    /// Promises that are taken back at once.
    Push,
}

/// Error codes of section 7.
pub mod code {
    /// The server failed.
    pub const INTERNAL_ERROR: u32 = 0x2;
    /// The request was not looked at.
    pub const REFUSED_STREAM: u32 = 0x7;
    /// The answer is not wanted any more.
    pub const CANCEL: u32 = 0x8;
    /// Too many requests, or too large ones.
    pub const ENHANCE_YOUR_CALM: u32 = 0xb;
    /// Only HTTP/1.1 will do.
    pub const HTTP_1_1_REQUIRED: u32 = 0xd;
}

/// What becomes of the requests of all connections, one after the other; those after the last act are answered.
#[derive(Debug)]
pub(crate) struct Acts {
    acts: Vec<Act>,
    seen: AtomicUsize,
}

impl Acts {
    pub(crate) fn new(acts: &[Act]) -> Self {
        Self { acts: acts.to_vec(), seen: AtomicUsize::new(0) }
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    fn next(&self) -> Act {
        let at = self.seen.fetch_add(1, Ordering::Relaxed);
        self.acts.get(at).copied().unwrap_or(Act::Answer)
    }
}

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PUSH_PROMISE: u8 = 0x5;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

const TAGS: &[u8] = br#"{"name":"real/app","tags":["v1"]}"#;

/// One connection, until it is over.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    acts: &Acts,
) -> io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    // SETTINGS_INITIAL_WINDOW_SIZE
    let no_window = [0, 4, 0, 0, 0, 0];
    let settings = if acts.acts.contains(&Act::ZeroWindow) { &no_window[..] } else { &[] };
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).await?;
    let mut before = 0;
    loop {
        let (kind, flags, id) = read(&mut stream).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => {
                stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
            }
            HEADERS => {
                perform(&mut stream, acts.next(), id, before).await?;
                before = id;
            }
            _ => {}
        }
    }
}

/// Type, flags and stream of the next frame; its payload is dropped.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await?;
    Ok((kind, flags, u32::from_be_bytes(id)))
}

async fn perform(
    stream: &mut (impl AsyncWrite + Unpin),
    act: Act,
    id: u32,
    before: u32,
) -> io::Result<()> {
    let reset = |code: u32| frame(RST_STREAM, 0, id, &code.to_be_bytes());
    let head = frame(HEADERS, END_HEADERS, id, &headers());
    let frames = match act {
        Act::Answer => vec![head, frame(DATA, END_STREAM, id, TAGS)],
        Act::Reset(code) => vec![reset(code)],
        Act::CutShort(code) => vec![head, frame(DATA, 0, id, &TAGS[..9]), reset(code)],
        Act::TurnAway => vec![go_away(before)],
        Act::AnswerLast => vec![go_away(id), head, frame(DATA, END_STREAM, id, TAGS)],
        Act::BreakPromise => vec![go_away(id)],
        Act::Stall => vec![head],
        Act::ZeroWindow => Vec::new(),
        Act::Flood(flood) => return pour(stream, flood, id).await,
    };
    stream.write_all(&frames.concat()).await?;
    stream.flush().await?;
    match act {
        Act::TurnAway | Act::BreakPromise => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => Ok(()),
    }
}

async fn pour(stream: &mut (impl AsyncWrite + Unpin), flood: Flood, id: u32) -> io::Result<()> {
    let mut promised: u32 = 0;
    if flood == Flood::Continuation {
        stream.write_all(&frame(HEADERS, 0, id, &headers())).await?;
    }
    loop {
        let drops = match flood {
            Flood::Settings => frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
            Flood::Ping => frame(PING, 0, 0, b"12345678"),
            Flood::Continuation => {
                // Without indexing: a name of one byte and a value of 100 (RFC 7541, section 6.2.2).
                let header = [&[0x00, 1, b'x', 100][..], &[b'y'; 100]].concat();
                frame(CONTINUATION, 0, id, &header)
            }
            Flood::Push => {
                promised += 2;
                let promise = [&promised.to_be_bytes()[..], &headers()].concat();
                let cancel = frame(RST_STREAM, 0, promised, &code::CANCEL.to_be_bytes());
                [frame(PUSH_PROMISE, END_HEADERS, id, &promise), cancel].concat()
            }
        };
        stream.write_all(&drops).await?;
    }
}

/// `:status: 200` and the length, in HPACK (RFC 7541, sections 6.1 and 6.2.2).
fn headers() -> Vec<u8> {
    let length = TAGS.len().to_string();
    let mut block = vec![0x88, 0x0f, 0x0d, u8::try_from(length.len()).unwrap_or_default()];
    block.extend(length.bytes());
    block
}

/// Nothing after this stream was looked at.
fn go_away(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    frame
}
