//! The matrix of cut downloads: a blob's body ends after every number of bytes, in either way that a connection can end, and what
//! the client asks for then is answered rightly or wrongly. Whatever happens, the client has exactly the blob's bytes in the end.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::{Blob, Image};
use crate::matrix::{EACH, ENDS, TOGETHER, blobs, repository, side_by_side, spread};
use crate::origin::{End, Reply, Rule, Script, Stage, on};
use crate::registry::Registry;

/// What may be sent again beyond what was missing: the system's buffers do not count it.
const SLACK: u64 = 64 * 1024;

/// How the request for the rest is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    /// 206 with exactly the rest.
    Right,
    /// 200 with the whole.
    Whole,
    /// 206 with the whole, which says so.
    WrongStart,
    /// 206 with the rest of something longer.
    WrongTotal,
    /// 416.
    Refused,
}

/// One download that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The blob's size, bytes.
    pub size: usize,
    /// After how many bytes of the body the connection ends.
    pub at: usize,
    /// How it ends.
    pub end: End,
    /// What comes then.
    pub rest: Rest,
}

/// A blob to fetch, as whoever fetches it needs to know it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `127.0.0.1:PORT`.
    pub registry: String,
    /// The repository's path.
    pub repository: String,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// What came of a matrix.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Downloads, each cut once.
    pub cuts: usize,
    /// Requests that the origins saw.
    pub requests: usize,
    /// Body bytes that they sent.
    pub sent: u64,
    /// What was not as it must be.
    pub faults: Vec<String>,
}

const RESTS: [Rest; 5] =
    [Rest::Right, Rest::Whole, Rest::WrongStart, Rest::WrongTotal, Rest::Refused];

/// A few hundred cuts: around every boundary that matters.
pub fn reduced() -> Vec<Cut> {
    let mut cuts = Vec::new();
    for size in [0_usize, 1, 4096] {
        let points = [0, 1, 2, size / 2, size.saturating_sub(1)];
        cuts.extend(every(size, points.into_iter().filter(move |at| *at <= size)));
    }
    cuts.extend(every(65_537, [0, 1, 4096, 16_383, 16_384, 16_385, 65_535, 65_536].into_iter()));
    cuts.extend(every(1 << 20, up_to_the_last(4096..(1 << 20), 4)));
    cuts
}

/// The whole matrix, some 130 000 cuts: at every byte up to 4 KiB and at 256 points above, each in both ways and with every answer.
/// Of 1 MiB and 16 MiB the first 4 KiB take ways and answers in turn instead, and of 16 MiB every sixteenth byte: all of them would
/// move 700 GiB, to find what the smaller blobs show.
pub fn all() -> Vec<Cut> {
    let mut cuts = Vec::new();
    for size in [0, 1, 4095, 4096, 65_537] {
        cuts.extend(every(size, 0..=size.min(EACH)));
    }
    cuts.extend(in_turn(1 << 20, 0..=EACH));
    cuts.extend(in_turn(16 << 20, (0..=EACH).step_by(16)));
    for size in [65_537, 1 << 20, 16 << 20] {
        cuts.extend(every(size, up_to_the_last(EACH..size, 256)));
    }
    cuts
}

fn every(size: usize, points: impl Iterator<Item = usize>) -> impl Iterator<Item = Cut> {
    points.flat_map(move |at| {
        ENDS.into_iter().flat_map(move |end| RESTS.map(|rest| Cut { size, at, end, rest }))
    })
}

/// At each point one way to end and one answer, so that ten points have seen them all.
fn in_turn(size: usize, points: impl Iterator<Item = usize>) -> impl Iterator<Item = Cut> {
    let each = ENDS.into_iter().flat_map(|end| RESTS.map(|rest| (end, rest)));
    points.zip(each.cycle()).map(move |(at, (end, rest))| Cut { size, at, end, rest })
}

/// `count` points of a range, the last byte among them and not the first.
fn up_to_the_last(range: Range<usize>, count: usize) -> impl Iterator<Item = usize> {
    std::iter::once(range.end - 1).chain(spread(range, count).skip(1))
}

/// Plays cuts, some at a time, against whoever fetches blobs by `fetch`, which returns the bytes, or says why not.
pub async fn play<F, R>(cuts: &[Cut], fetch: F) -> io::Result<Played>
where
    F: Fn(Wanted) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Bytes, String>> + Send + 'static,
{
    let blobs = blobs(cuts.iter().map(|cut| cut.size));
    let groups = cuts
        .chunks(TOGETHER)
        .map(|cuts| play_together(cuts.to_vec(), Arc::clone(&blobs), fetch.clone()));
    let played = side_by_side(groups).await?;
    Ok(played.into_iter().fold(Played::default(), Played::and))
}

impl Played {
    fn and(mut self, other: Self) -> Self {
        self.cuts += other.cuts;
        self.requests += other.requests;
        self.sent += other.sent;
        self.faults.extend(other.faults);
        self
    }
}

/// Plays cuts one after the other, all at one origin.
async fn play_together<F, R>(
    cuts: Vec<Cut>,
    blobs: Arc<BTreeMap<usize, Blob>>,
    fetch: F,
) -> io::Result<Played>
where
    F: Fn(Wanted) -> R,
    R: Future<Output = Result<Bytes, String>>,
{
    let mut played = Played { cuts: cuts.len(), ..Played::default() };
    let blobs: Vec<_> = cuts.iter().filter_map(|cut| blobs.get(&cut.size)).collect();
    let stage = stage(&cuts, &blobs)?;
    for (index, (cut, blob)) in cuts.iter().zip(&blobs).enumerate() {
        let wanted = Wanted {
            registry: stage.host().to_owned(),
            repository: repository(index),
            digest: blob.digest.clone(),
            size: blob.bytes.len() as u64,
        };
        match fetch(wanted).await {
            Ok(bytes) if bytes == blob.bytes => {}
            Ok(bytes) => {
                let text = format!("{cut:?}: {} other bytes, and no error", bytes.len());
                played.faults.push(text);
            }
            Err(error) => played.faults.push(format!("{cut:?}: {error}")),
        }
    }
    let log = stage.log();
    for (index, cut) in cuts.iter().enumerate() {
        let path = format!("/v2/{}/blobs/*", repository(index));
        let sent: Vec<_> = log.requests("GET", &path).map(|seen| seen.sent).collect();
        played.requests += sent.len();
        played.sent += sent.iter().sum::<u64>();
        let again: u64 = sent.iter().skip(1).sum();
        let missing = (cut.size - cut.at) as u64;
        if cut.rest == Rest::Right && cut.end == End::Fin && again > missing + SLACK {
            played.faults.push(format!("{cut:?}: {again} bytes again, {missing} were missing"));
        }
    }
    Ok(played)
}

fn stage(cuts: &[Cut], blobs: &[&Blob]) -> io::Result<Stage> {
    let mut registry = Registry::new();
    for (index, blob) in blobs.iter().enumerate() {
        let image = Image::of((*blob).clone(), Vec::new());
        registry = registry.with_image(&repository(index), "v1", &image);
    }
    let mut script = Script::registry(registry);
    for (index, (cut, blob)) in cuts.iter().zip(blobs).enumerate() {
        let path = format!("/v2/{}/blobs/{}", repository(index), blob.digest);
        script = script.rule(rest(cut, blob, on("GET", &*path).with_header("range")));
        script =
            script.rule(on("GET", path).times(1, Reply::registry().cut(cut.at as u64, cut.end)));
    }
    Stage::single(script)
}

fn rest(cut: &Cut, blob: &Blob, rule: Rule) -> Rule {
    let Cut { size, at, .. } = *cut;
    let last = size.saturating_sub(1);
    match cut.rest {
        Rest::Right => rule,
        Rest::Whole => rule.times(
            1,
            Reply::new(200)
                .header("Content-Type", "application/octet-stream")
                .body(blob.bytes.clone()),
        ),
        Rest::WrongStart => rule.times(
            1,
            Reply::new(206)
                .header("Content-Range", format!("bytes 0-{last}/{size}"))
                .body(blob.bytes.clone()),
        ),
        Rest::WrongTotal => rule.times(
            1,
            Reply::registry().header("Content-Range", format!("bytes {at}-{last}/{}", size + 1)),
        ),
        Rest::Refused => rule.times(1, Reply::new(416)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_whole_matrix_has_every_cut_of_small_blobs_and_none_beyond_its_blob() {
        let all = all();
        assert!(all.len() >= 130_000, "{}", all.len());
        assert!((200..1000).contains(&reduced().len()), "{}", reduced().len());
        assert!(all.iter().chain(&reduced()).all(|cut| cut.at <= cut.size));
        for size in [0, 1, 4095, 4096, 65_537] {
            let below = all.iter().filter(|cut| cut.size == size && cut.at <= EACH);
            let each: HashSet<_> = below.map(|cut| (cut.at, cut.end, cut.rest)).collect();
            assert_eq!(each.len(), (size.min(EACH) + 1) * 10, "{size}");
        }
        for size in [65_537, 1 << 20, 16 << 20] {
            let above = all.iter().filter(|cut| cut.size == size && cut.at > EACH);
            assert!(above.clone().count() >= 255 * 10, "{size}: {}", above.count());
        }
    }

    #[tokio::test]
    async fn whoever_does_not_resume_is_found_out() {
        let cut = Cut { size: 4096, at: 100, end: End::Fin, rest: Rest::Right };
        let played = play(&[cut], |_| async { Ok(Bytes::from_static(b"short")) }).await.unwrap();
        assert_eq!((played.cuts, played.faults.len()), (1, 1));
    }
}
