//! The whole matrix of cut uploads against our library; programs would need a process for each.

use std::time::Instant;

use anyhow::Result;
use registry_faults::upload_cuts;

use super::super::{Arguments, Report, Row};
use super::blob::{hasty, push};
use super::verdict;

pub(super) const NAME: &str = "upload-cut-matrix";
pub(super) const IDS: &[&str] = &["U01", "U02", "U04", "U05", "U06"];

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    let transport = hasty()?;
    let push = move |offered| push(transport.clone(), offered);
    let played = upload_cuts::play(&upload_cuts::all(), push).await?;
    let (cuts, requests) = (played.cuts, played.requests);
    let (settled, refused) = (played.settled, played.refused);
    let title = format!(
        "{cuts} cut uploads, {requests} requests, {settled} commits in doubt settled, {refused} given up"
    );
    let row = Row {
        time: started.elapsed(),
        ..Row::new("client", "registry-remote", NAME, IDS, &title, verdict(played.faults))
    };
    report.add(row, false);
    Ok(())
}
