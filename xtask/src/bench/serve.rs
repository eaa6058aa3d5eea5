//! Registries compared: ours and distribution v3, both with our client.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use registry_faults::peers;

use super::measure::{measured, median};
use super::programs::{Deed, Program, Reach};
use super::stage::{image, remove};
use super::works::LARGE;
use super::{Row, print};
use crate::serving::Serving;

/// The client pushes a large image to each registry and pulls it back, in turns.
pub(crate) fn compare(
    client: &Program,
    binary: &Path,
    images: &Path,
    rounds: usize,
) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(images)?;
    let mut serve = Command::new(binary);
    serve.args(["--quiet", "serve", "--address", "127.0.0.1:0", "--disk"]);
    let ours = Serving::start({
        serve.arg(folder.path().join("store"));
        serve
    })?;
    let mut subjects = vec![("registry serve --disk", ours.host()?.to_owned())];
    let theirs = peers::Server::start(peers::Kind::Registry3);
    match &theirs {
        Ok(server) => subjects.push(("distribution v3", server.host())),
        Err(reason) => println!("skipped: distribution v3: {reason}"),
    }
    let row =
        |work: &str| -> Vec<_> { subjects.iter().map(|(by, _)| Row::new(work, by)).collect() };
    let (mut pushes, mut pulls) = (row("serve-push"), row("serve-pull"));
    for round in 0..=rounds {
        for ((_, host), (push, pull)) in subjects.iter().zip(pushes.iter_mut().zip(&mut pulls)) {
            let reach = Reach {
                hosts: vec![host.clone()],
                authority: None,
                home: folder.path().to_owned(),
            };
            let image_there = format!("{host}/bench/round{round}:v1");
            let back = folder.path().join("back");
            let deeds = [
                Deed::Push { layout: image(images, LARGE)?, image: image_there.clone() },
                Deed::Pull { image: image_there, layout: back.clone() },
            ];
            for (deed, row) in deeds.iter().zip([push, pull]) {
                let mut command = client.command(deed, &reach).context("our client does both")?;
                row.count(round, measured(&mut command)?);
            }
            remove(&back)?;
        }
    }
    for (what, rows) in [("push", &mut pushes), ("pull", &mut pulls)] {
        for row in rows.iter_mut() {
            row.median = median(&row.seconds);
        }
        println!("\nserve-{what}: 4 × 256 MiB with our client, by registry");
        print(rows, "registry serve --disk");
    }
    pushes.extend(pulls);
    Ok(pushes)
}
