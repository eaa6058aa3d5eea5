//! Measurements: the same work, in turns, by our program and by those of others at their default settings, in one run. What counts is
//! the ratio; the figures are this machine's, at this moment.

mod floor;
pub(crate) mod measure;
mod network;
mod programs;
mod serve;
mod stage;
mod works;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use self::measure::{Cost, measured, median};
use self::programs::{OURS, Program};
use self::stage::{Stage, clear};
use self::works::{Aim, Kind, Login, WORKS, Work};
use crate::run::{Profile, registry_binary, workspace};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only work whose name holds this text
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// How often each does it, after a first time that does not count
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

impl Arguments {
    fn includes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// One work, done by one of several.
#[derive(Debug, Serialize)]
struct Row {
    work: String,
    by: String,
    seconds: Vec<f64>,
    /// How often it did not get it done.
    failed: usize,
    median: f64,
    requests: Option<u32>,
    connections: Option<u32>,
    /// The most memory in any round, in KiB.
    peak: Option<u32>,
}

/// Whose row says what the machine allows.
const FLOOR: &str = "curl (the floor)";

/// How far we are from what is aimed at.
#[derive(Debug, Serialize)]
struct Judgement {
    work: &'static str,
    aim: String,
    figure: f64,
    met: bool,
    /// Our time by that of the floor, where there is one.
    floor: Option<f64>,
}

/// All that a run found out.
#[derive(Debug, Default, Serialize)]
struct Results {
    rows: Vec<Row>,
    judgements: Vec<Judgement>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = registry_binary(Profile::Release)?;
    let programs = programs::all(binary.clone());
    let images = tempfile::tempdir()?;
    let mut results = Results::default();
    for work in WORKS.iter().filter(|work| arguments.includes(work.name)) {
        if let Some(reason) = work.lacks() {
            println!("\nskipped: {}: {reason}", work.name);
            continue;
        }
        let rows = compare(work, &programs, &binary, images.path(), arguments.rounds)?;
        let judgements = judge(work, &rows);
        results.rows.extend(rows);
        results.judgements.extend(judgements);
    }
    if arguments.includes("serve") {
        let client = programs.first().context("there is no program")?;
        results.rows.extend(serve::compare(client, &binary, images.path(), arguments.rounds)?);
    }
    let met = results.judgements.iter().filter(|judgement| judgement.met).count();
    println!("\n{met} of {} aims met", results.judgements.len());
    for Judgement { work, aim, figure, floor, .. } in results.judgements.iter().filter(|j| !j.met) {
        let floor = floor.map_or(String::new(), |ratio| format!(" ({ratio:.2} of the floor's)"));
        println!("  not met: {work}: {aim}, and it is {figure:.2}{floor}");
    }
    let folder = workspace().join("target/bench");
    let file = folder.join("results.json");
    let mut all = serde_json::to_value(&results)?;
    if arguments.only.is_some() {
        all = merged(fs::read(&file).ok().as_deref(), all);
    }
    fs::create_dir_all(&folder)?;
    fs::write(&file, serde_json::to_string_pretty(&all)?)?;
    println!("results: {}", file.display());
    Ok(())
}

/// What an earlier run found out about other works, and all of `new`.
fn merged(earlier: Option<&[u8]>, mut new: Value) -> Value {
    let earlier: Option<Value> = earlier.and_then(|text| serde_json::from_slice(text).ok());
    let done: Vec<_> = entries(&new, "rows").iter().map(|row| row["work"].clone()).collect();
    for list in ["rows", "judgements"] {
        let kept = earlier.as_ref().map(|earlier| entries(earlier, list)).unwrap_or_default();
        let kept = kept.iter().filter(|entry| !done.contains(&entry["work"]));
        let all: Vec<_> = kept.chain(entries(&new, list)).cloned().collect();
        new[list] = all.into();
    }
    new
}

fn entries<'a>(results: &'a Value, list: &str) -> &'a [Value] {
    results.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Everybody does the work in turns; the first round warms up and is not counted.
fn compare(
    work: &Work,
    programs: &[Program],
    binary: &Path,
    images: &Path,
    rounds: usize,
) -> Result<Vec<Row>> {
    println!("\n{}: {}", work.name, work.describe());
    let ours = programs.first().context("there is no program")?;
    let set = || Stage::set(work, ours, binary, images);
    let mut stage = set()?;
    let row = |program: &Program| Row::new(work.name, program.name);
    let mut rows: Vec<Row> = programs.iter().map(row).collect();
    let mut floor = Row::new(work.name, FLOOR);
    for round in 0..=rounds {
        for (program, row) in programs.iter().zip(&mut rows) {
            if matches!(work.kind, Kind::Push | Kind::Copy) {
                // A registry may have a use for what another turn brought.
                stage = set()?;
            }
            turn(work, &stage, program, row, round)?;
        }
        if matches!(work.kind, Kind::Push) {
            stage = set()?;
        }
        if let Some(mut curl) = stage.floor(work)? {
            floor.count(round, measured(&mut curl)?);
        }
    }
    rows.push(floor);
    rows.retain(|row| !row.seconds.is_empty() || row.failed > 0);
    for row in &mut rows {
        row.median = median(&row.seconds);
    }
    print(&rows, OURS);
    Ok(rows)
}

/// One program does the work once.
fn turn(work: &Work, stage: &Stage, program: &Program, row: &mut Row, round: usize) -> Result<()> {
    let deed = stage.deed(work, program, round);
    let Some(mut command) = program.command(&deed, &stage.reach) else { return Ok(()) };
    match work.kind {
        Kind::Again | Kind::Digest(Login::Remembered) => drop(measured(&mut command)?),
        _ => stage.clear_cache()?,
    }
    let before = stage.traffic()?;
    let cost = match measured(&mut command) {
        Err(error) if work.is_rough() => {
            println!("  {} failed: {}", program.name, error.root_cause());
            row.failed += usize::from(round > 0);
            return clear(&deed);
        }
        cost => cost?,
    };
    let after = stage.traffic()?;
    let grown = |after: Option<u32>, before: Option<u32>| Some(after?.saturating_sub(before?));
    row.requests = grown(after.requests, before.requests);
    row.connections = grown(after.connections, before.connections);
    row.count(round, cost);
    clear(&deed)
}

impl Row {
    fn new(work: &str, by: &str) -> Self {
        Self {
            work: work.to_owned(),
            by: by.to_owned(),
            seconds: Vec::new(),
            failed: 0,
            median: f64::NAN,
            requests: None,
            connections: None,
            peak: None,
        }
    }

    fn count(&mut self, round: usize, cost: Cost) {
        if round > 0 {
            self.seconds.push(cost.time.as_secs_f64());
            self.peak = self.peak.max(cost.peak);
        }
    }
}

/// The rows, each with the median of `ours` by its own: under 1, ours is faster.
fn print(rows: &[Row], ours: &str) {
    let ours = rows.iter().find(|row| row.by == ours).map_or(f64::NAN, |row| row.median);
    println!(
        "  {:18} {:>8} {:>10} {:>9} {:>12} {:>9}",
        "", "median", "ours/this", "requests", "connections", "peak"
    );
    for row in rows {
        let count =
            |figure: Option<u32>| figure.map_or("-".to_owned(), |figure| figure.to_string());
        let peak = row.peak.map_or("-".to_owned(), |peak| format!("{:.1} MiB", mebibytes(peak)));
        let (requests, connections) = (count(row.requests), count(row.connections));
        let ratio = ours / row.median;
        if row.seconds.is_empty() {
            println!("  {:18} {:>8}", row.by, "failed");
            continue;
        }
        let failed = match row.failed {
            0 => String::new(),
            times => format!("  failed {times} times"),
        };
        println!(
            "  {:18} {:>6.2} s {ratio:>10.2} {requests:>9} {connections:>12} {peak:>9}{failed}",
            row.by, row.median
        );
    }
}

/// Compares our row with what is aimed at.
fn judge(work: &Work, rows: &[Row]) -> Vec<Judgement> {
    let Some(ours) = rows.iter().find(|row| row.by == OURS) else { return Vec::new() };
    let floor = rows.iter().find(|row| row.by == FLOOR).map(|row| ours.median / row.median);
    let peers = rows.iter().filter(|row| row.by != OURS && row.by != FLOOR);
    // Whoever fails now and then is no measure.
    let best = peers.filter(|row| row.failed == 0).map(|row| row.median).min_by(f64::total_cmp);
    let judgements = work.aims.iter().filter_map(|aim| {
        let (aim, figure, most) = match *aim {
            Aim::Ratio(most) => {
                (format!("at most {most:.2} of the best peer's time"), ours.median / best?, most)
            }
            Aim::Requests(most) => {
                (format!("at most {most} requests"), f64::from(ours.requests?), f64::from(most))
            }
            Aim::Peak(most) => (format!("at most {most:.0} MiB"), mebibytes(ours.peak?), most),
        };
        let met = figure <= most && ours.failed == 0;
        Some(Judgement { work: work.name, aim, figure, met, floor })
    });
    let judgements: Vec<_> = judgements.collect();
    for Judgement { aim, figure, met, .. } in &judgements {
        println!("  {} {aim}: {figure:.2}", if *met { "met:" } else { "NOT MET:" });
    }
    judgements
}

fn mebibytes(kibibytes: u32) -> f64 {
    f64::from(kibibytes) / 1024.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_of_some_works_keeps_what_is_known_of_the_others() {
        let found = |works: &[&str], figure: u32| {
            let rows: Vec<_> =
                works.iter().map(|work| json!({ "work": work, "figure": figure })).collect();
            json!({ "rows": rows, "judgements": rows })
        };
        let earlier = found(&["pull", "push"], 1).to_string();
        let all = merged(Some(earlier.as_bytes()), found(&["push", "copy"], 2));
        for list in ["rows", "judgements"] {
            let all: Vec<_> = all[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| (entry["work"].as_str().unwrap(), entry["figure"].as_u64().unwrap()))
                .collect();
            assert_eq!(all, [("pull", 1), ("push", 2), ("copy", 2)], "{list}");
        }
        for nothing in [None, Some(&b"{"[..])] {
            assert_eq!(merged(nothing, found(&["push"], 2)), found(&["push"], 2));
        }
    }
}
