//! The matrix of cut downloads: a blob's body ends after every number of bytes, in either way that a connection can end, and what
//! the client asks for then is answered rightly or wrongly. Whatever happens, the client has exactly the blob's bytes in the end.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;

use bytes::Bytes;

use crate::content::{Blob, Image, LAYER_GZIP, noise};
use crate::origin::{End, Reply, Rule, Script, Stage, on};
use crate::registry::Registry;

/// Cuts that share one origin.
const TOGETHER: usize = 64;
/// What may be sent again beyond what was missing: the system's buffers do not count it.
const SLACK: u64 = 64 * 1024;

/// How the request for the rest is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

const ENDS: [End; 2] = [End::Fin, End::Rst];
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
    cuts.extend(every(1 << 20, spread(4096, 1 << 20, 4)));
    cuts
}

/// At every byte up to 4 KiB, and at 256 points above; 21 000 and more.
pub fn all() -> Vec<Cut> {
    let mut cuts = Vec::new();
    cuts.extend(every(0, 0..=0));
    cuts.extend(every(1, 0..=1));
    for size in [4095, 4096] {
        // Each way to end at each byte, and each answer in turn.
        cuts.extend(
            (0..=size).flat_map(|at| {
                ENDS.map(|end| Cut { size, at, end, rest: RESTS[at % RESTS.len()] })
            }),
        );
    }
    for size in [65_537, 1 << 20] {
        cuts.extend(every(size, spread(4096, size, 256)));
    }
    cuts.extend(every(16 << 20, spread(4096, 16 << 20, 16)));
    cuts
}

fn every(size: usize, points: impl Iterator<Item = usize>) -> impl Iterator<Item = Cut> {
    points.flat_map(move |at| {
        ENDS.into_iter().flat_map(move |end| RESTS.map(|rest| Cut { size, at, end, rest }))
    })
}

/// `count` points between two others, at no regular distance, the last byte among them.
fn spread(from: usize, to: usize, count: usize) -> impl Iterator<Item = usize> {
    let step = (to - from) / count;
    (0..count).map(move |n| match n {
        0 => to - 1,
        n => from + n * step + n * 7919 % step.max(1),
    })
}

/// Plays cuts one after the other against whoever fetches blobs by `fetch`, which returns the bytes, or says why not.
pub async fn play<F, R>(cuts: &[Cut], fetch: F) -> io::Result<Played>
where
    F: Fn(Wanted) -> R,
    R: Future<Output = Result<Bytes, String>>,
{
    let mut played = Played::default();
    for cuts in cuts.chunks(TOGETHER) {
        let mut made = BTreeMap::new();
        let blobs: Vec<Blob> = cuts
            .iter()
            .map(|Cut { size, .. }| {
                let blob = || Blob::new(LAYER_GZIP, noise(1, *size));
                made.entry(*size).or_insert_with(blob).clone()
            })
            .collect();
        let stage = stage(cuts, &blobs)?;
        for (index, (cut, blob)) in cuts.iter().zip(&blobs).enumerate() {
            let wanted = Wanted {
                registry: stage.host().to_owned(),
                repository: repository(index),
                digest: blob.digest.clone(),
                size: blob.bytes.len() as u64,
            };
            match fetch(wanted).await {
                Ok(bytes) if bytes == blob.bytes => {}
                Ok(bytes) => played
                    .faults
                    .push(format!("{cut:?}: {} other bytes, and no error", bytes.len())),
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
        played.cuts += cuts.len();
    }
    Ok(played)
}

fn repository(index: usize) -> String {
    format!("cut/number-{index}")
}

fn stage(cuts: &[Cut], blobs: &[Blob]) -> io::Result<Stage> {
    let mut registry = Registry::new();
    for (index, blob) in blobs.iter().enumerate() {
        let image = Image::of(blob.clone(), Vec::new());
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
    use super::*;

    #[test]
    fn the_whole_matrix_has_fifteen_thousand_cuts_and_more_and_none_beyond_its_blob() {
        assert!(all().len() >= 15_000, "{}", all().len());
        assert!(reduced().len() >= 200, "{}", reduced().len());
        assert!(all().iter().chain(&reduced()).all(|cut| cut.at <= cut.size));
    }

    #[tokio::test]
    async fn whoever_does_not_resume_is_found_out() {
        let cut = Cut { size: 4096, at: 100, end: End::Fin, rest: Rest::Right };
        let played = play(&[cut], |_| async { Ok(Bytes::from_static(b"short")) }).await.unwrap();
        assert_eq!((played.cuts, played.faults.len()), (1, 1));
    }
}
