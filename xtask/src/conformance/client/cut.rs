//! The whole matrix of cut downloads against our library; programs would need a process for each.

use std::time::Instant;

use anyhow::Result;
use registry_faults::cuts;
use registry_remote::Client;

use super::super::{Arguments, Report, Row};
use super::blob::{fetch, hasty};
use super::verdict;

pub(super) const NAME: &str = "download-cut-matrix";
pub(super) const IDS: &[&str] = &["D01", "D02", "D08", "D10", "D12"];

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    let client = Client::new(hasty()?);
    let fetch = move |wanted| fetch(client.clone(), wanted);
    let played = cuts::play(&cuts::all(), fetch).await?;
    let (cuts, requests, mib) = (played.cuts, played.requests, played.sent >> 20);
    let title = format!("{cuts} cut downloads, {requests} requests, {mib} MiB sent");
    let row = Row {
        time: started.elapsed(),
        ..Row::new("client", "registry-remote", NAME, IDS, &title, verdict(played.faults))
    };
    report.add(row, false);
    Ok(())
}
