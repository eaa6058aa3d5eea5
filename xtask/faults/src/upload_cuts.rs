//! The matrix of cut uploads: a request that carries a blob, or commits it, ends after every number of bytes, or is never answered,
//! and what the registry says then of the session is right or wrong. Whatever happens, the registry holds exactly the blob in the end
//! or the client says that it failed; and no session stays open.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::Blob;
use crate::matrix::{EACH, ENDS, TOGETHER, blobs, repository, side_by_side, spread};
use crate::origin::{End, Log, Reply, Rule, Script, Stage, on};
use crate::registry::Registry;

/// The request that is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `POST ?digest=` with the whole blob.
    Post,
    /// `PUT` with the whole blob.
    Put,
    /// A `PATCH`, after so many others that went well; a `PUT` with bytes is too large for this registry.
    Patch(u32),
    /// The `PUT` without bytes that follows the pieces.
    Commit,
}

/// How far the registry gets with it before the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// So many bytes of the body arrive, and are kept.
    Bytes(usize),
    /// All of it arrives, and has no effect.
    Unheeded,
    /// All of it arrives and is heeded; only the answer is lost.
    Done,
}

/// What the registry then says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stands {
    /// Where it really is.
    Equal,
    /// Half as far.
    Behind,
    /// Somewhat farther, within what was sent where that is possible.
    Ahead,
    /// Farther than anything that was ever sent.
    Beyond,
    /// 404.
    Lost,
}

/// One upload that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The blob's size, bytes.
    pub size: usize,
    /// What is cut.
    pub carrier: Carrier,
    /// Where.
    pub reach: Reach,
    /// How the connection ends.
    pub end: End,
    /// What comes then.
    pub stands: Stands,
}

/// A blob to push, as whoever pushes it needs to know it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// `127.0.0.1:PORT`.
    pub registry: String,
    /// The repository's path.
    pub repository: String,
    /// `sha256:…`.
    pub digest: String,
    /// Its content.
    pub bytes: Bytes,
}

/// What came of a matrix.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Uploads, each cut once.
    pub cuts: usize,
    /// Requests that the origins saw.
    pub requests: usize,
    /// Uploads that the client gave up, and said so.
    pub refused: usize,
    /// Commits whose answer was lost, each of them settled by a `HEAD` and without a second commit.
    pub settled: usize,
    /// What was not as it must be.
    pub faults: Vec<String>,
}

const STANDS: [Stands; 5] =
    [Stands::Equal, Stands::Behind, Stands::Ahead, Stands::Beyond, Stands::Lost];

/// A few hundred cuts: around every boundary that matters.
pub fn reduced() -> Vec<Cut> {
    let mut cuts = every(4096, Carrier::Post, [0, 1, 2048, 4095]);
    cuts.extend(every(4096, Carrier::Put, [0, 1, 4095]));
    cuts.extend(every(65_537, Carrier::Put, [0, 1, 16_384, 65_536]));
    // A registry that refuses this in one piece gets 64 KiB, and then the rest.
    cuts.extend(every(80_000, Carrier::Patch(0), [0, 1, 40_000, 65_535]));
    cuts.extend(every(80_000, Carrier::Patch(1), [0, 14_000]));
    cuts.extend(unanswered());
    cuts
}

/// The whole matrix, more than 100 000 cuts: at each of the first 4 KiB in a `PUT` and in a `PATCH`, and at 256 points of larger blobs, each
/// in both ways and with every word on the session. In a `POST`, in the first bytes of larger blobs, and in all of 16 MiB, ways
/// and words come in turn.
pub fn all() -> Vec<Cut> {
    let mut cuts = reduced();
    cuts.extend(every(4096, Carrier::Put, 0..EACH));
    // A registry that refuses this in one piece gets 64 KiB first.
    cuts.extend(every(80_000, Carrier::Patch(0), 0..EACH));
    for (size, carrier) in [(1, Carrier::Put), (4095, Carrier::Put)] {
        cuts.extend(in_turn(size, carrier, 0..size));
    }
    for (size, carrier) in
        [(4096, Carrier::Post), (65_537, Carrier::Put), (80_000, Carrier::Patch(1))]
    {
        cuts.extend(in_turn(size, carrier, 0..EACH));
    }
    cuts.extend(in_turn(1 << 20, Carrier::Put, (0..EACH).step_by(16)));
    cuts.extend(every(65_537, Carrier::Put, spread(0..65_537, 256)));
    cuts.extend(every(80_000, Carrier::Patch(0), spread(0..65_536, 256)));
    cuts.extend(every(80_000, Carrier::Patch(1), spread(0..(80_000 - 65_536), 256)));
    cuts.extend(every(1 << 20, Carrier::Put, spread(0..(1 << 20), 256)));
    cuts.extend(in_turn(16 << 20, Carrier::Put, spread(0..(16 << 20), 256)));
    cuts
}

/// Every answer that can be lost.
fn unanswered() -> Vec<Cut> {
    let carriers = [
        (0, Carrier::Put),
        (1, Carrier::Put),
        (4096, Carrier::Post),
        (65_537, Carrier::Put),
        (80_000, Carrier::Patch(0)),
        (80_000, Carrier::Patch(1)),
        (80_000, Carrier::Commit),
    ];
    let reaches = [Reach::Unheeded, Reach::Done];
    carriers
        .into_iter()
        .flat_map(|(size, carrier)| {
            reaches.into_iter().flat_map(move |reach| combined(size, carrier, reach))
        })
        .collect()
}

/// At each point each way to end with each word on the session.
fn every(size: usize, carrier: Carrier, points: impl IntoIterator<Item = usize>) -> Vec<Cut> {
    points.into_iter().flat_map(|at| combined(size, carrier, Reach::Bytes(at))).collect()
}

fn combined(size: usize, carrier: Carrier, reach: Reach) -> impl Iterator<Item = Cut> {
    ENDS.into_iter().flat_map(move |end| {
        STANDS.into_iter().map(move |stands| Cut { size, carrier, reach, end, stands })
    })
}

/// At each point one way to end and one word on the session, so that ten points have seen them all.
fn in_turn(size: usize, carrier: Carrier, points: impl Iterator<Item = usize>) -> Vec<Cut> {
    let each = combined(size, carrier, Reach::Unheeded).collect::<Vec<_>>();
    let at = |(at, cut): (usize, &Cut)| Cut { reach: Reach::Bytes(at), ..*cut };
    points.zip(each.iter().cycle()).map(at).collect()
}

/// Plays cuts, some at a time, against whoever pushes blobs by `push`, which says whether it succeeded, or why not. It must know
/// nothing of the registry from an earlier push.
pub async fn play<F, R>(cuts: &[Cut], push: F) -> io::Result<Played>
where
    F: Fn(Offered) -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), String>> + Send + 'static,
{
    let blobs = blobs(cuts.iter().map(|cut| cut.size));
    let groups = cuts
        .chunks(TOGETHER)
        .map(|cuts| play_together(cuts.to_vec(), Arc::clone(&blobs), push.clone()));
    let played = side_by_side(groups).await?;
    Ok(played.into_iter().fold(Played::default(), Played::and))
}

/// Plays cuts one after the other, all at one origin.
async fn play_together<F, R>(
    cuts: Vec<Cut>,
    blobs: Arc<BTreeMap<usize, Blob>>,
    push: F,
) -> io::Result<Played>
where
    F: Fn(Offered) -> R,
    R: Future<Output = Result<(), String>>,
{
    let mut played = Played { cuts: cuts.len(), ..Played::default() };
    let script = cuts.iter().enumerate().flat_map(|(index, cut)| rules(index, cut));
    let script = script.fold(Script::registry(Registry::new()), Script::rule);
    let stage = Stage::single(script)?;
    let mut ends = Vec::new();
    let blobs = cuts.iter().filter_map(|cut| blobs.get(&cut.size));
    for (index, blob) in blobs.enumerate() {
        let offered = Offered {
            registry: stage.host().to_owned(),
            repository: repository(index),
            digest: blob.digest.clone(),
            bytes: blob.bytes.clone(),
        };
        ends.push((offered.clone(), push(offered).await));
    }
    let registry = stage.origin("A").map(crate::origin::Origin::registry).unwrap_or_default();
    let log = stage.log();
    for (cut, (offered, end)) in cuts.iter().zip(ends) {
        played.judge(cut, &offered, end, &registry, &log);
    }
    if registry.open_uploads() > 0 {
        played.faults.push(format!("{} sessions were left open", registry.open_uploads()));
    }
    played.requests = log.seen.len();
    Ok(played)
}

impl Played {
    fn and(mut self, other: Self) -> Self {
        self.cuts += other.cuts;
        self.requests += other.requests;
        self.refused += other.refused;
        self.settled += other.settled;
        self.faults.extend(other.faults);
        self
    }

    fn judge(
        &mut self,
        cut: &Cut,
        offered: &Offered,
        end: Result<(), String>,
        registry: &Registry,
        log: &Log,
    ) {
        let held = registry.repository(&offered.repository).map(|held| held.blobs.clone());
        let held: Vec<_> = held.unwrap_or_default().into_iter().collect();
        let right = held == [(offered.digest.clone(), offered.bytes.clone())];
        match end {
            Ok(()) if right => {}
            Ok(()) => {
                self.faults.push(format!("{cut:?}: success, and {} blobs are there", held.len()));
            }
            Err(_) if right || held.is_empty() => self.refused += 1,
            Err(error) => self.faults.push(format!("{cut:?}: another blob is there, and {error}")),
        }
        let commits = matches!(cut.carrier, Carrier::Put | Carrier::Commit);
        if commits && cut.reach == Reach::Done {
            let uploads = format!("/v2/{}/blobs/uploads/*", offered.repository);
            let blob = format!("/v2/{}/blobs/{}", offered.repository, offered.digest);
            let lost = log.requests("PUT", &uploads).filter(|seen| seen.status == 0).count();
            let again = log.requests("PUT", &uploads).filter(|seen| seen.status == 201).count();
            if (lost, again) == (1, 0) && log.count("HEAD", &blob) > 0 {
                self.settled += 1;
            } else {
                self.faults.push(format!("{cut:?}: a commit in doubt was not settled by a HEAD"));
            }
        }
    }
}

fn rules(index: usize, cut: &Cut) -> Vec<Rule> {
    let uploads = format!("/v2/{}/blobs/uploads/", repository(index));
    let session = format!("{uploads}*");
    let reply = match cut.reach {
        Reach::Bytes(at) => Reply::registry().reading_only(at as u64).unsaid(cut.end),
        Reach::Unheeded => Reply::new(500).unsaid(cut.end),
        Reach::Done => Reply::registry().unsaid(cut.end),
    };
    let in_post = format!("{uploads}?digest=*");
    let mut rules = match cut.carrier {
        Carrier::Post => vec![on("POST", in_post).times(1, reply)],
        Carrier::Put => {
            vec![on("POST", in_post).always(Reply::new(405)), on("PUT", &*session).times(1, reply)]
        }
        Carrier::Patch(before) => vec![
            too_large(&session),
            on("PATCH", &*session).times(before, Reply::registry()).times(1, reply),
        ],
        Carrier::Commit => vec![too_large(&session), on("PUT", &*session).times(1, reply)],
    };
    let said = match cut.stands {
        Stands::Equal => return rules,
        Stands::Lost => Reply::new(404),
        Stands::Behind => range(arrived(cut) / 2),
        Stands::Ahead => range((arrived(cut) + 500).min(cut.size)),
        Stands::Beyond => range(cut.size + 1_000_000),
    };
    rules.push(on("GET", session).times(1, said));
    rules
}

fn too_large(session: &str) -> Rule {
    on("PUT", session).with_header("content-type").always(Reply::new(413))
}

/// The bytes that a session has when its client asks, roughly.
fn arrived(cut: &Cut) -> usize {
    match (cut.carrier, cut.reach) {
        (Carrier::Patch(before), Reach::Bytes(at)) => (before as usize * 65_536) + at,
        (_, Reach::Bytes(at)) => at,
        (Carrier::Put, _) => 0,
        _ => cut.size,
    }
}

fn range(end: usize) -> Reply {
    Reply::registry().header("Range", format!("0-{}", end.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_whole_matrix_has_every_cut_of_first_bytes_and_none_beyond_its_blob() {
        let all = all();
        assert!(all.len() >= 100_000, "{}", all.len());
        assert!((200..1000).contains(&reduced().len()), "{}", reduced().len());
        let within = |cut: &Cut| !matches!(cut.reach, Reach::Bytes(at) if at >= cut.size);
        assert!(all.iter().all(within));
        for (size, carrier) in [(4096, Carrier::Put), (80_000, Carrier::Patch(0))] {
            let cuts = all.iter().filter(|cut| (cut.size, cut.carrier) == (size, carrier));
            let bytes = cuts.filter(|cut| matches!(cut.reach, Reach::Bytes(at) if at < EACH));
            let each: HashSet<_> = bytes.map(|cut| (cut.reach, cut.end, cut.stands)).collect();
            assert_eq!(each.len(), 4096 * 10, "{carrier:?}");
        }
    }

    #[tokio::test]
    async fn whoever_claims_to_have_pushed_is_found_out() {
        let (carrier, reach) = (Carrier::Put, Reach::Done);
        let cut = Cut { size: 4096, carrier, reach, end: End::Fin, stands: Stands::Equal };
        let played = play(&[cut], |_| async { Ok(()) }).await.unwrap();
        // It is not there, and nobody asked.
        assert_eq!((played.cuts, played.faults.len()), (1, 2), "{:?}", played.faults);
        let played = play(&[cut], |_| async { Err("no".to_owned()) }).await.unwrap();
        assert_eq!((played.refused, played.faults.len()), (1, 1), "{:?}", played.faults);
    }
}
