//! The matrix of kills: a program is killed (SIGKILL) in the midst of a transfer, wherever that may be, and run again. Whatever the
//! first one left, nothing unverified is where it would be taken for whole, and the second one does the rest and leaves nothing else.

mod judged;
pub mod partial;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use self::judged::Left;
use crate::alone;
use crate::content::{Blob, Image, LAYER_GZIP, noise};
use crate::layout::Layout;
use crate::origin::{Log, Origin, Reply, Script, Stage, on};
use crate::registry::Registry;

const REPOSITORY: &str = "app";
const TAG: &str = "v1";
/// How often to look how far a program is.
const LOOK: Duration = Duration::from_millis(1);
/// A program that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is done when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// From a registry into an OCI layout.
    Pull,
    /// From a registry into an OCI archive.
    Archive,
    /// From an OCI layout to a registry.
    Push,
    /// From one registry to another.
    Copy,
}

/// One kill: so long after so much was there. A program that is done by then has ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// What is done.
    pub work: Work,
    /// Requests that all registries together have seen.
    pub requests: usize,
    /// Bytes that they have sent.
    pub sent: u64,
    /// And then this.
    pub after: Duration,
}

/// What came of a matrix.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Transfers, each of them begun twice.
    pub kills: usize,
    /// Those that were over before they were killed.
    pub over: usize,
    /// Bytes of blobs that were here, or there, when a program was killed.
    pub kept: u64,
    /// Those of them in partial files.
    pub partial: u64,
    /// Bytes that moved in second runs.
    pub again: u64,
    /// What was not as it must be.
    pub faults: Vec<String>,
}

/// A few of each work.
pub fn reduced() -> Vec<Kill> {
    let mut random = Random(9);
    let counts = [(Work::Pull, 4), (Work::Archive, 2), (Work::Push, 4), (Work::Copy, 2)];
    some(&mut random, &counts)
}

/// Three hundred, at points that depend on the seed alone.
pub fn all(seed: u64) -> Vec<Kill> {
    let counts = [(Work::Pull, 120), (Work::Archive, 40), (Work::Push, 100), (Work::Copy, 40)];
    some(&mut Random(seed), &counts)
}

/// Kills at regular distances over the whole of a work, each moved a little.
fn some(random: &mut Random, counts: &[(Work, u64)]) -> Vec<Kill> {
    let total = size_of(&image());
    let mut kill = |work, nth: u64, count: u64| {
        let mut part = |whole: u64| (whole * nth + random.below(whole)) / count;
        let (requests, sent) = match work {
            // Four blobs, each of which is begun and then carried, and the manifest.
            Work::Push => (part(10), 0),
            // Some when all of it was sent.
            Work::Pull | Work::Archive | Work::Copy => (1, part(total + total / 8).min(total)),
        };
        let requests = usize::try_from(requests).unwrap_or(usize::MAX).max(1);
        // Files get their names when all of it was sent, and for some time after that.
        let rest = if sent == total || requests > 8 { 60_000 } else { 4_000 };
        Kill { work, requests, sent, after: Duration::from_micros(random.below(rest)) }
    };
    let each = counts.iter().flat_map(|(work, count)| (0..*count).map(|nth| (*work, nth, *count)));
    each.map(|(work, nth, count)| kill(work, nth, count)).collect()
}

/// Kills and runs again, one after the other. `binary` is our command line.
pub fn play(kills: &[Kill], binary: &Path) -> io::Result<Played> {
    let scratch = tempfile::tempdir()?;
    let program = Program { binary, home: scratch.path().join("home") };
    fs::create_dir_all(&program.home)?;
    let source = scratch.path().join("source");
    Layout::create(&source)?.put_image(&image(), TAG)?;
    let whole = scratch.path().join("whole.tar");
    let untouched = Stage::single(holding())?;
    let pulled = program.start(&pull_archive(&untouched, &whole))?.wait()?;
    let whole = fs::read(whole).unwrap_or_default();
    let mut played = Played::default();
    if !pulled.success() {
        played.faults.push("a pull that nobody killed failed".to_owned());
    }
    for kill in kills {
        let place = Place { directory: tempfile::tempdir()?, source: &source, whole: &whole };
        let mut faults = Vec::new();
        match kill.work {
            Work::Pull | Work::Archive => place.pulled(&program, kill, &mut played, &mut faults)?,
            Work::Push | Work::Copy => place.pushed(&program, kill, &mut played, &mut faults)?,
        }
        played.kills += 1;
        played.faults.extend(faults.into_iter().map(|fault| format!("{kill:?}: {fault}")));
    }
    // What comes again is measured by what was kept: where nothing is, all of it may.
    if played.partial == 0 && kills.iter().any(|kill| kill.work == Work::Pull) {
        played.faults.push("no pull into a layout left a part of a blob".to_owned());
    }
    Ok(played)
}

/// Where one transfer comes from and goes to.
struct Place<'a> {
    directory: tempfile::TempDir,
    /// A layout with the image.
    source: &'a Path,
    /// The archive that a pull nobody killed has written.
    whole: &'a [u8],
}

impl Place<'_> {
    fn pulled(
        &self,
        program: &Program<'_>,
        kill: &Kill,
        played: &mut Played,
        faults: &mut Vec<String>,
    ) -> io::Result<()> {
        let target = self.directory.path().join("target");
        let words = |stage: &Stage| match kill.work {
            Work::Archive => pull_archive(stage, &target),
            _ => vec!["pull".to_owned(), at(stage.host()), format!("oci:{}", target.display())],
        };
        let slow = Stage::single(holding().rule(on("GET", "*/blobs/*").always(slowly())))?;
        played.over += usize::from(program.killed(&words(&slow), &slow, kill)?);
        let mut judge = |whole| match kill.work {
            // What was begun of an archive is not used again.
            Work::Archive => judged::archive(self.directory.path(), self.whole, whole, faults)
                .map(|()| Left::default()),
            _ => judged::layout(&target, &image(), whole, faults),
        };
        let left = judge(false)?;
        let kept = left.whole + left.partial;
        let fast = Stage::single(holding())?;
        let failed = program.completes(&words(&fast))?;
        judge(true)?;
        faults.extend(failed);
        let again = blobs_sent(&fast.log());
        let most = size_of(&image()).saturating_sub(kept) + (1 << 20);
        if again > most {
            faults.push(format!("{again} bytes came again, and {kept} were here"));
        }
        played.kept += kept;
        played.partial += left.partial;
        played.again += again;
        Ok(())
    }

    fn pushed(
        &self,
        program: &Program<'_>,
        kill: &Kill,
        played: &mut Played,
        faults: &mut Vec<String>,
    ) -> io::Result<()> {
        let source = holding().rule(on("GET", "*/blobs/*").always(slowly()));
        let stage = Stage::start([("target", Script::registry(Registry::new())), ("A", source)])?;
        let target = stage.host().to_owned();
        let from = stage.origin("A").map(Origin::host).unwrap_or_default();
        let words = match kill.work {
            Work::Copy => vec!["copy".to_owned(), at(from), at(&target)],
            _ => vec!["push".into(), format!("oci:{}:{TAG}", self.source.display()), at(&target)],
        };
        played.over += usize::from(program.killed(&words, &stage, kill)?);
        let registry = || stage.origin("target").map(Origin::registry).unwrap_or_default();
        let kept = judged::registry(&registry(), &image(), false, faults);
        let before = uploaded(&stage.log());
        faults.extend(program.completes(&words)?);
        judged::registry(&registry(), &image(), true, faults);
        let moved = uploaded(&stage.log());
        if moved >= 2 * size_of(&image()) {
            faults.push(format!("{moved} bytes were sent, and {kept} had arrived at once"));
        }
        played.kept += kept;
        played.again += moved - before;
        Ok(())
    }
}

/// The program under test, away from this user's home.
struct Program<'a> {
    binary: &'a Path,
    home: PathBuf,
}

impl Program<'_> {
    fn start(&self, words: &[String]) -> io::Result<Child> {
        let mut command = alone(self.binary, &self.home);
        command.arg("--quiet").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    }

    /// Starts it and kills it; says whether it was over before.
    fn killed(&self, words: &[String], stage: &Stage, kill: &Kill) -> io::Result<bool> {
        let mut child = self.start(words)?;
        let started = Instant::now();
        while !is_reached(stage, kill) && started.elapsed() < PATIENCE {
            if child.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(LOOK);
        }
        thread::sleep(kill.after);
        let over = child.try_wait()?.is_some();
        child.kill()?;
        child.wait()?;
        Ok(over)
    }

    /// Runs it to its end; what it said, if it failed.
    fn completes(&self, words: &[String]) -> io::Result<Option<String>> {
        let output = self.start(words)?.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok((!output.status.success()).then(|| format!("the second run failed: {}", said.trim())))
    }
}

fn is_reached(stage: &Stage, kill: &Kill) -> bool {
    let logs: Vec<_> = stage.origins().map(|(_, origin)| origin.log()).collect();
    let requests: usize = logs.iter().map(|log| log.seen.len()).sum();
    requests >= kill.requests && logs.iter().map(blobs_sent).sum::<u64>() >= kill.sent
}

fn blobs_sent(log: &Log) -> u64 {
    log.requests("GET", "*/blobs/*").map(|seen| seen.sent).sum()
}

fn uploaded(log: &Log) -> u64 {
    log.requests("P*", "*/blobs/uploads/*").map(|seen| seen.request.body_length).sum()
}

/// Several layers on their way at a time: two that outlive a process, and one that does not.
fn image() -> Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(|| {
        let layer = |(seed, size)| Blob::new(LAYER_GZIP, noise(seed, size));
        let layers = [(1, 4 << 20), (2, 2 << 20), (3, 100_000)].map(layer);
        Image::of(Image::small().config, layers.into())
    });
    IMAGE.clone()
}

fn size_of(image: &Image) -> u64 {
    image.blobs().map(|blob| blob.bytes.len() as u64).sum()
}

fn holding() -> Script {
    Script::registry(Registry::new().with_image(REPOSITORY, TAG, &image()))
}

fn slowly() -> Reply {
    Reply::registry().drip(64 << 10, Duration::from_millis(1))
}

fn at(host: &str) -> String {
    format!("{host}/{REPOSITORY}:{TAG}")
}

fn pull_archive(stage: &Stage, file: &Path) -> Vec<String> {
    vec!["pull".to_owned(), at(stage.host()), format!("oci-archive:{}", file.display())]
}

/// Numbers that depend on the seed alone.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_matrix_has_three_hundred_kills_all_over_each_work() {
        let kills = all(1);
        assert_eq!(kills.len(), 300);
        assert_eq!(kills, all(1));
        assert_ne!(kills, all(2));
        let pulls = || kills.iter().filter(|kill| kill.work == Work::Pull);
        let total = size_of(&image());
        for part in 0..8 {
            let within = total * part / 8..total * (part + 1) / 8;
            assert!(pulls().any(|kill| within.contains(&kill.sent)), "none in {within:?}");
        }
        assert!(pulls().any(|kill| kill.sent == total), "none at the end");
        assert!(reduced().iter().any(|kill| kill.work == Work::Push));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_claims_to_be_done_is_found_out() {
        let played = play(&reduced(), Path::new("true")).unwrap();
        assert_eq!(played.over, played.kills);
        assert!(played.faults.len() > played.kills, "{:?}", played.faults);
        let resumable = played.faults.iter().filter(|fault| fault.contains("part of a blob"));
        assert_eq!(resumable.count(), 1, "{:?}", played.faults);
    }
}
