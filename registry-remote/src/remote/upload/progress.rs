//! Where an upload session stands, as decisions over what was sent and what the registry says it
//! has ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/main/spec.md),
//! "Pushing a blob in chunks").
//!
//! The registry's word is believed up to what was really sent, and no further.

use crate::learnt::Learnt;

/// Answers in a row that bring a session no further, at most.
const MAX_IDLE: u32 = 3;
/// Answers of a session that take back what it had, at most.
const MAX_SETBACKS: u32 = 20;
/// What is sent in one piece where pieces are called for, bytes.
pub(super) const CHUNK: u64 = 16 << 20;
/// The largest piece that is made because a registry asks for it; above that, all in one.
pub(super) const MAX_CHUNK: u64 = 64 << 20;
/// The smallest piece that is tried where a registry refuses larger ones, bytes.
const MIN_CHUNK: u64 = 64 << 10;

/// What one session has.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The bytes that the registry has, as far as it is known.
    confirmed: u64,
    /// The end of what was ever sent in this session.
    sent: u64,
    idle: u32,
    setbacks: u32,
}

/// What to do with a session now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send what comes after the confirmed bytes.
    On,
    /// Ask where it stands.
    Ask,
    /// Give it up.
    Lost(&'static str),
}

impl Progress {
    /// The next byte to send.
    pub(super) fn offset(&self) -> u64 {
        self.confirmed
    }

    /// Whether nothing at all was sent yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.sent == 0
    }

    /// Bytes up to `end` go out now.
    pub(super) fn sending(&mut self, end: u64) {
        self.sent = self.sent.max(end);
    }

    /// A piece that ended before `end` was accepted; `range` is what the answer says of the whole.
    pub(super) fn accepted(&mut self, range: Option<&str>, end: u64) -> Next {
        match range {
            None => self.stands_at(end),
            // One byte, or none: both are written so.
            Some(range) if is_ambiguous(range) && end == 1 => self.stands_at(1),
            Some(range) => next_offset(range).map_or(Next::Ask, |offset| self.stands_at(offset)),
        }
    }

    /// A piece was refused with 416, since it does not follow what is there.
    pub(super) fn out_of_order(&mut self, range: Option<&str>) -> Next {
        match range {
            None => Next::Ask,
            Some(range) if is_ambiguous(range) => Next::Lost("it has one byte, or none"),
            Some(range) => next_offset(range).map_or(Next::Ask, |offset| self.stands_at(offset)),
        }
    }

    /// The answer to the question where the session stands.
    pub(super) fn asked(&mut self, range: Option<&str>) -> Next {
        match range.and_then(next_offset) {
            // What was acknowledged once is not taken back by an ambiguous word.
            Some(0) if self.confirmed == 1 => self.stands_at(1),
            Some(offset) => self.stands_at(offset),
            None => Next::Lost("it does not say where it stands"),
        }
    }

    fn stands_at(&mut self, offset: u64) -> Next {
        if offset > self.sent {
            return Next::Lost("it has more than was sent");
        }
        self.idle = if offset > self.confirmed { 0 } else { self.idle + 1 };
        self.setbacks += u32::from(offset < self.confirmed);
        self.confirmed = offset;
        if self.idle >= MAX_IDLE {
            Next::Lost("it does not get any further")
        } else if self.setbacks > MAX_SETBACKS {
            Next::Lost("it takes back what it had")
        } else {
            Next::On
        }
    }
}

/// How the bytes of a blob travel in one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// With the request that commits it.
    Whole,
    /// In pieces of at most this many bytes, and then a commit without any.
    Chunks(u64),
}

impl Way {
    /// The way for a blob of `size` bytes, where that is known, at a registry of these habits.
    /// `cut`: whole bodies of this very blob did not get through.
    pub(super) fn choose(learnt: &Learnt, size: Option<u64>, cut: bool) -> Self {
        let limit = learnt.too_large.unwrap_or(u64::MAX);
        let whole = match size {
            Some(size) => learnt.chunks == Some(false) || (size < limit && !(cut && size > CHUNK)),
            None => false,
        };
        if whole { Self::Whole } else { Self::Chunks(chunk(learnt)) }
    }
}

/// The size of a piece: what a registry asks for at least, below what it refused.
pub(super) fn chunk(learnt: &Learnt) -> u64 {
    let most = learnt.too_large.map_or(CHUNK, |refused| CHUNK.min(refused / 2).max(MIN_CHUNK));
    match most.max(learnt.chunk_min) {
        all if all > MAX_CHUNK => u64::MAX,
        chunk => chunk,
    }
}

/// Whether a refused body of `size` bytes leaves something smaller to try.
pub(super) fn may_shrink(learnt: &Learnt, size: u64) -> bool {
    size > MIN_CHUNK.max(learnt.chunk_min) && learnt.chunks != Some(false)
}

fn is_ambiguous(range: &str) -> bool {
    next_offset(range) == Some(0)
}

/// The byte after those that a session has: `Range: 0-9` means that 10 is next. `0-0` is what
/// some registries say of an empty session too, so it counts as nothing.
fn next_offset(range: &str) -> Option<u64> {
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    if first != "0" || !last.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match last.parse().ok()? {
        0 => Some(0),
        last => u64::checked_add(last, 1),
    }
}

#[cfg(test)]
mod tests;
