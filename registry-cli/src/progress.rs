//! How far a copy is: counted purely, shown on standard error.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use registry_name::Digest;
use registry_remote::{CopyEvent, Report};

use crate::console::Console;

type Listener = Arc<dyn Fn(&CopyEvent) + Send + Sync>;

/// Who looks at the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// One line that is replaced as things move.
    Terminal,
    /// A line now and then.
    Log,
    /// `--quiet`.
    Nobody,
}

/// Shows the events of one copy.
pub(crate) struct Progress {
    console: Console,
    audience: Audience,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    shown: Option<Instant>,
}

/// What the events of a copy add up to.
#[derive(Debug, Default)]
struct Tally {
    blobs: usize,
    finished: usize,
    bytes: u64,
    /// How far each blob is; a blob that starts again goes back.
    positions: HashMap<Digest, u64>,
    /// Bytes that were read, some perhaps twice.
    read: u64,
}

impl Progress {
    pub(crate) fn new(console: Console, audience: Audience) -> Arc<Self> {
        let (started, state) = (Instant::now(), Mutex::default());
        Arc::new(Self { console, audience, started, state })
    }

    /// What a copy tells its events to.
    pub(crate) fn listener(self: &Arc<Self>) -> Option<Listener> {
        if self.audience == Audience::Nobody {
            return None;
        }
        let progress = Arc::clone(self);
        Some(Arc::new(move |event| progress.on(event)))
    }

    /// Says what was done, as far as somebody listens.
    pub(crate) fn finish(&self, report: &Report) {
        if self.audience != Audience::Nobody {
            self.console.say(&summary(report, self.started.elapsed()));
        }
    }

    fn on(&self, event: &CopyEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tally.count(event);
        let now = Instant::now();
        let since = now - state.shown.unwrap_or(self.started);
        if state.tally.bytes == 0 || since < self.audience.interval() {
            return;
        }
        state.shown = Some(now);
        let line = state.tally.line(now - self.started);
        match self.audience {
            Audience::Terminal => self.console.status(&line),
            Audience::Log => self.console.say(&line),
            Audience::Nobody => {}
        }
    }
}

impl Audience {
    /// The time between two lines, at least.
    fn interval(self) -> Duration {
        match self {
            Self::Terminal => Duration::from_millis(100),
            Self::Log => Duration::from_secs(5),
            Self::Nobody => Duration::MAX,
        }
    }
}

impl Tally {
    fn count(&mut self, event: &CopyEvent) {
        match event {
            CopyEvent::Planned { blobs, bytes, .. } => {
                (self.blobs, self.bytes) = (*blobs, *bytes);
            }
            CopyEvent::Reading { blob, offset } => {
                self.positions.insert(blob.clone(), *offset);
            }
            CopyEvent::Moved { blob, bytes } => {
                *self.positions.entry(blob.clone()).or_default() += bytes;
                self.read += bytes;
            }
            CopyEvent::Blob { blob, .. } => {
                self.finished += 1;
                self.positions.insert(blob.digest.clone(), blob.size);
            }
            _ => {}
        }
    }

    /// Under 80 columns: what is wider than its terminal cannot be replaced.
    fn line(&self, elapsed: Duration) -> String {
        let done = self.positions.values().fold(0, |sum: u64, at| sum.saturating_add(*at));
        format!(
            "{}/{} blobs, {} of {}, {}/s",
            self.finished,
            self.blobs,
            size(done.min(self.bytes)),
            size(self.bytes),
            size(rate(self.read, elapsed)),
        )
    }
}

fn summary(report: &Report, elapsed: Duration) -> String {
    let mut parts = Vec::new();
    if report.written > 0 {
        let rate = size(rate(report.bytes, elapsed));
        let written = count(report.written, "blob");
        parts.push(format!("{written} copied ({}, {rate}/s)", size(report.bytes)));
    }
    if report.mounted > 0 {
        parts.push(format!("{} mounted", count(report.mounted, "blob")));
    }
    if report.present > 0 {
        parts.push(format!("{} already there", count(report.present, "blob")));
    }
    let left_alone = report.roots.iter().any(|root| !root.skipped.is_empty());
    match report.manifests {
        0 if parts.is_empty() && left_alone => parts.push("nothing was copied".to_owned()),
        0 if parts.is_empty() => parts.push("everything was there already".to_owned()),
        0 => {}
        n => parts.push(count(n, "manifest")),
    }
    format!("{} in {:.1} s", parts.join(", "), elapsed.as_secs_f64())
}

/// `1 blob`, `2 blobs`
pub(crate) fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Bytes a second.
fn rate(bytes: u64, elapsed: Duration) -> u64 {
    let milliseconds = elapsed.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
}

/// `512 B`, `1.5 KiB`, `2.0 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;
