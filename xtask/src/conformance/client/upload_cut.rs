//! The whole matrix of cut uploads against our library; programs would need a process for each.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use registry_faults::upload_cuts::{self, Offered};
use registry_name::Repository;
use registry_remote::{Client, Memory, Sink as _, Source, media_type};
use registry_transport::{RetryPolicy, Transport};

use super::super::{Arguments, Report, Row};
use super::{row, verdict};

pub(super) const NAME: &str = "upload-cut-matrix";
pub(super) const IDS: &[&str] = &["U01", "U02", "U04", "U05", "U06"];

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    // It waits for next to nothing: there are many cuts.
    let policy = RetryPolicy::default().divided_by(10_000);
    let transport = Transport::builder().policy(policy).build()?;
    let push = move |offered| {
        let pushed = push(transport.clone(), offered);
        async move { pushed.await.map_err(|error| format!("{error:#}")) }
    };
    let played = upload_cuts::play(&upload_cuts::all(), push).await?;
    let (cuts, requests) = (played.cuts, played.requests);
    let (settled, refused) = (played.settled, played.refused);
    let title = format!(
        "{cuts} cut uploads, {requests} requests, {settled} commits in doubt settled, {refused} given up"
    );
    let row = Row {
        time: started.elapsed(),
        ..row("registry-remote", NAME, IDS, &title, verdict(played.faults))
    };
    report.add(row, false);
    Ok(())
}

async fn push(transport: Transport, offered: Offered) -> Result<()> {
    let memory = Memory::new();
    let blob = memory.add_blob(media_type::OCI_LAYER_GZIP, offered.bytes);
    let source: Arc<dyn Source> = Arc::new(memory);
    let repository = Repository::new(&offered.registry.parse()?, &offered.repository)?;
    // A client of its own: what is learnt at one cut must not help at the next.
    let remote = Client::new(transport).remote(&repository);
    remote.put_blob(&blob, &source).await?;
    Ok(())
}
