//! Measurements: the same work, in turns, on our program and on programs of others, in one run. What counts is the ratio; the figures
//! are this machine's, at this moment.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use registry_faults::{peers, sample};
use serde::Serialize;

use crate::run::{Profile, output, registry_binary, workspace};
use crate::serving::Serving;

const LAYERS: usize = 4;
const LAYER: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only work whose name holds this text
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// How often each does it, after a first time that does not count
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

/// One work, done by one of several.
#[derive(Debug, Serialize)]
struct Row {
    work: &'static str,
    by: String,
    seconds: Vec<f64>,
    median: f64,
    /// Our median by this one's: under 1, ours is faster.
    ratio: f64,
}

/// A registry that the client moves an image to and from.
struct Subject {
    name: String,
    host: String,
    pushes: Vec<Duration>,
    pulls: Vec<Duration>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = registry_binary(Profile::Release)?;
    let folder = tempfile::tempdir()?;
    println!("{LAYERS} layers of {} MiB, {} rounds", LAYER >> 20, arguments.rounds);
    sample::large(&folder.path().join("image"), "v1", LAYERS, LAYER)?;
    let rows = serve(&program, folder.path(), arguments)?;
    let results = workspace().join("target/bench");
    fs::create_dir_all(&results)?;
    fs::write(results.join("results.json"), serde_json::to_string_pretty(&rows)?)?;
    println!("results: {}", results.join("results.json").display());
    Ok(())
}

/// `registry serve --disk` and distribution v3, both with our client.
fn serve(program: &Path, folder: &Path, arguments: &Arguments) -> Result<Vec<Row>> {
    let mut serve = quiet(program, folder);
    serve.args(["serve", "--address", "127.0.0.1:0", "--disk"]).arg(folder.join("store"));
    let ours = Serving::start(serve)?;
    let mut subjects = vec![Subject::new("registry serve --disk", ours.host()?)];
    let theirs = peers::Server::start(peers::Kind::Registry3);
    match &theirs {
        Ok(server) => subjects.push(Subject::new("distribution v3", &server.host())),
        Err(reason) => println!("skipped: distribution v3: {reason}"),
    }
    for round in 0..=arguments.rounds {
        for subject in &mut subjects {
            let image = format!("{}/bench/round{round}:v1", subject.host);
            let push = timed(quiet(program, folder).args(["push", "oci:image:v1", &image]))?;
            let back = folder.join("back");
            let pull = timed(quiet(program, folder).args(["pull", &image, "oci:back:v1"]))?;
            fs::remove_dir_all(back)?;
            // The first round warms caches up.
            if round > 0 {
                subject.pushes.push(push);
                subject.pulls.push(pull);
            }
        }
    }
    let mut rows = Vec::new();
    for work in ["serve-push", "serve-pull"] {
        if arguments.only.as_ref().is_none_or(|only| work.contains(only.as_str())) {
            let times = subjects.iter().map(|subject| match work {
                "serve-push" => (subject.name.as_str(), subject.pushes.as_slice()),
                _ => (subject.name.as_str(), subject.pulls.as_slice()),
            });
            rows.extend(judge(work, &times.collect::<Vec<_>>()));
        }
    }
    Ok(rows)
}

impl Subject {
    fn new(name: &str, host: &str) -> Self {
        let (pushes, pulls) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), host: host.to_owned(), pushes, pulls }
    }
}

/// Compares each with the first, who is ours, and prints what comes of it.
fn judge(work: &'static str, times: &[(&str, &[Duration])]) -> Vec<Row> {
    let ours = times.first().map_or(f64::NAN, |(_, times)| median(times));
    let row = |(by, times): &(&str, &[Duration])| {
        let median = median(times);
        let ratio = ours / median;
        println!("{work:12} {by:24} {median:>7.2} s   ours / this one: {ratio:.2}");
        let seconds = times.iter().map(Duration::as_secs_f64).collect();
        Row { work, by: (*by).to_owned(), seconds, median, ratio }
    };
    times.iter().map(row).collect()
}

fn median(times: &[Duration]) -> f64 {
    let mut seconds: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Our program, without anybody's credentials.
fn quiet(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--quiet").current_dir(folder).env("HOME", folder).env("DOCKER_CONFIG", folder);
    command.env_remove("REGISTRY_AUTH_FILE").stdin(Stdio::null());
    command
}

fn timed(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    output(command)?;
    Ok(started.elapsed())
}
