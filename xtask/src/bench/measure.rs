//! One program, run once: how long it took, and the most memory that it held.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Peak resident memory in KiB, where the system tells.
    pub(crate) peak: Option<u32>,
}

/// How often a running program's peak is read: what it reaches in its last moment may be missed.
const EVERY: Duration = Duration::from_millis(5);

pub(crate) fn measured(command: &mut Command) -> Result<Cost> {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let (ended, peak) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut stderr = child.stderr.take();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let seen = fs::read_to_string(&status).ok().and_then(|text| high_water(&text));
                peak.fetch_max(seen.unwrap_or(0), Ordering::Relaxed);
                thread::sleep(EVERY);
            }
        });
        let mut said = String::new();
        if let Some(stderr) = &mut stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        let outcome = child.wait().map(|status| (status, started.elapsed(), said));
        ended.store(true, Ordering::Relaxed);
        outcome
    });
    let (status, time, said) = outcome?;
    if !status.success() {
        return Err(anyhow!("{}", said.trim()).context(format!("{command:?} failed ({status})")));
    }
    Ok(Cost { time, peak: Some(peak.into_inner()).filter(|peak| *peak > 0) })
}

/// `VmHWM` of `/proc/PID/status`, in KiB.
fn high_water(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The middle one; of an even number, the upper middle one.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t   19344 kB\nVmRSS:\t 12 kB\n"), Some(19_344));
        assert_eq!(high_water("Name:\tx\n"), None);
    }

    #[test]
    fn a_failing_program_is_an_error_with_what_it_said() {
        let mut command = Command::new("sh");
        let error = measured(command.args(["-c", "echo oh no >&2; exit 3"])).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "oh no", "{error:#}");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
