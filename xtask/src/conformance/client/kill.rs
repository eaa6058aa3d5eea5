//! The whole matrix of kills, of our program.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use registry_faults::kills;

use super::super::{Arguments, Report, Row};
use super::verdict;

const NAME: &str = "kill-matrix";
const IDS: &[&str] = &["F06", "F08"];

pub(super) fn run(arguments: &Arguments, binary: &Path, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    let played = kills::play(&kills::all(arguments.seed), binary)?;
    let (kills, over, seed) = (played.kills, played.over, arguments.seed);
    let [kept, partial, again] =
        [played.kept, played.partial, played.again].map(|bytes| bytes >> 20);
    let title = format!(
        "{kills} kills (seed {seed}), {over} of them too late; {kept} MiB were kept ({partial} MiB of them in parts of blobs), {again} MiB moved for the rest"
    );
    let row = Row {
        time: started.elapsed(),
        ..Row::new("client", "registry", NAME, IDS, &title, verdict(played.faults))
    };
    report.add(row, false);
    Ok(())
}
