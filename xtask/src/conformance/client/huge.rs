//! A blob of 10 GiB, pulled and pushed by our program: offsets beyond 4 GiB are right, and memory stays small.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result};
use registry_faults::alone;
use registry_faults::content::{Blob, Image, LAYER_GZIP, Repeated};
use registry_faults::layout::digest_of_file;
use registry_faults::origin::{End, Reply, Script, Stage, on};
use registry_faults::registry::Registry;
use serde_json::json;

use super::super::{Arguments, Report, Row};
use super::verdict;
use crate::bench::measure::measured;
use crate::run::workspace;

const NAME: &str = "huge-blob";
const IDS: &[&str] = &["D25"];

const SIZE: u64 = 10 << 30;
/// Where the first answer ends.
const CUT: u64 = (4 << 30) + 1;
/// What may be sent for nothing: the buffers of systems, of connections that are let go.
const SLACK: u64 = 64 << 20;
/// The most memory that either may take, KiB.
const MOST: u32 = 40 << 10;

pub(super) fn run(arguments: &Arguments, binary: &Path, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    // Not where temporary files are: that may be memory.
    let scratch = tempfile::tempdir_in(workspace().join("target"))?;
    let mut faults = Vec::new();
    let peaks = play(binary, scratch.path(), &mut faults)?;
    let [pull, push] = peaks.map(|peak| f64::from(peak) / 1024.0);
    let title = format!(
        "{} GiB, cut at 4 GiB and a byte: pulled with {pull:.1} MiB, pushed with {push:.1} MiB",
        SIZE >> 30
    );
    let row = Row {
        time: started.elapsed(),
        ..Row::new("client", "registry", NAME, IDS, &title, verdict(faults))
    };
    report.add(row, false);
    Ok(())
}

/// The most memory that a pull and a push took, KiB.
fn play(binary: &Path, scratch: &Path, faults: &mut Vec<String>) -> Result<[u32; 2]> {
    let content = Repeated::new(SIZE);
    let digest = content.digest();
    let layer = json!({ "mediaType": LAYER_GZIP, "digest": digest, "size": SIZE });
    let config = Blob::new(registry_faults::content::CONFIG, "{}");
    let image = Image::of(config, Vec::new()).with_manifest(|manifest| {
        manifest["layers"] = json!([layer]);
    });
    let layout = scratch.join("layout");

    let whole = Reply::new(200).repeated(&content);
    let blob = on("GET", format!("*/blobs/{digest}"));
    let blob = blob.times(1, whole.clone().cut(CUT, End::Fin)).always(whole);
    let registry = Registry::new().with_image("app", "v1", &image);
    let stage = Stage::single(Script::registry(registry).rule(blob))?;
    let target = format!("oci:{}:v1", layout.display());
    let pull = peak(binary, scratch, &["pull", &at(&stage), &target], faults)?;
    let file = layout.join("blobs").join(digest.replacen(':', "/", 1));
    if fs::metadata(&file)?.len() != SIZE || digest_of_file(&file)? != digest {
        faults.push("other bytes arrived".to_owned());
    }
    let from = |seen: &registry_faults::origin::Seen| {
        let range = seen.request.header("range")?.strip_prefix("bytes=")?;
        range.split('-').next()?.parse::<u64>().ok()
    };
    let seen = stage.log().seen;
    if !seen.iter().filter_map(from).any(|from| from >= CUT) {
        faults.push("nothing was asked for beyond 4 GiB".to_owned());
    }
    let sent: u64 = seen.iter().map(|seen| seen.sent).sum();
    if sent > SIZE + SLACK {
        faults.push(format!("{sent} bytes were sent: it was begun again"));
    }

    let uploads = "*/blobs/uploads/*";
    let taken = on("PUT", format!("{uploads}?*digest={}*", digest.replace(':', "*")));
    let script = Script::registry(Registry::new())
        .rule(taken.always(Reply::new(201)))
        .rule(on("PUT", "*/manifests/*").always(Reply::new(201)));
    let stage = Stage::single(script)?;
    let push = peak(binary, scratch, &["push", &target, &at(&stage)], faults)?;
    let log = stage.log();
    let mut puts = log.requests("PUT", uploads);
    if !puts.any(|seen| seen.request.body_complete && seen.request.body_length == SIZE) {
        faults.push("the registry did not get all of it".to_owned());
    }
    Ok([pull, push])
}

fn peak(binary: &Path, home: &Path, words: &[&str], faults: &mut Vec<String>) -> Result<u32> {
    let mut command = alone(binary, home);
    command.arg("--quiet").args(words).stdin(Stdio::null());
    let peak = measured(&mut command)?.peak.context("this system does not tell peak memory")?;
    if peak > MOST {
        faults.push(format!("{} took {peak} KiB, more than {MOST}", words.first().unwrap_or(&"")));
    }
    Ok(peak)
}

fn at(stage: &Stage) -> String {
    format!("{}/app:v1", stage.host())
}
