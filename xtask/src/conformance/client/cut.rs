//! The whole matrix of cut downloads against our library; programs would need a process for each.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use registry_faults::cuts::{self, Wanted};
use registry_name::Repository;
use registry_remote::{Client, Descriptor, media_type, read_blob};
use registry_transport::{RetryPolicy, Transport};

use super::super::{Arguments, Report, Row};
use super::{row, verdict};

pub(super) const NAME: &str = "download-cut-matrix";
pub(super) const IDS: &[&str] = &["D01", "D02", "D08", "D10", "D12"];

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    if !arguments.is_selected(NAME, IDS) {
        return Ok(());
    }
    let started = Instant::now();
    // It waits for next to nothing: there are many cuts.
    let policy = RetryPolicy::default().divided_by(10_000);
    let client = Client::new(Transport::builder().policy(policy).build()?);
    let fetch = move |wanted| {
        let client = client.clone();
        async move { fetch(&client, &wanted).await.map_err(|error| format!("{error:#}")) }
    };
    let played = cuts::play(&cuts::all(), fetch).await?;
    let (cuts, requests, mib) = (played.cuts, played.requests, played.sent >> 20);
    let title = format!("{cuts} cut downloads, {requests} requests, {mib} MiB sent");
    let row = Row {
        time: started.elapsed(),
        ..row("registry-remote", NAME, IDS, &title, verdict(played.faults))
    };
    report.add(row, false);
    Ok(())
}

async fn fetch(client: &Client, wanted: &Wanted) -> Result<Bytes> {
    let repository = Repository::new(&wanted.registry.parse()?, &wanted.repository)?;
    let layer = media_type::OCI_LAYER_GZIP;
    let blob = Descriptor::new(layer, wanted.digest.parse()?, wanted.size);
    Ok(read_blob(&client.remote(&repository), &blob, wanted.size).await?)
}
