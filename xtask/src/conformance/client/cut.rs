//! The whole matrix of cut downloads against our library; programs would need a process for each.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use registry_faults::cuts::{self, Wanted};
use registry_name::Repository;
use registry_remote::{Client, Descriptor, media_type, read_blob};
use registry_transport::{RetryPolicy, Transport};

use super::super::{Arguments, Report, Row, report::Verdict};

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
    let row = Row {
        side: "client",
        subject: "registry-remote".to_owned(),
        name: NAME.to_owned(),
        ids: IDS.iter().map(|id| (*id).to_owned()).collect(),
        title: format!("{cuts} cut downloads, {requests} requests, {mib} MiB sent"),
        verdict: match played.faults.len() {
            0 => Verdict::Passed,
            _ => Verdict::Failed(played.faults),
        },
        time: started.elapsed(),
        transcript: Vec::new(),
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
