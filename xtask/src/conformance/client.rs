//! The client side: every hostile scenario of `registry-faults`, played against our library or against a program.

mod blob;
mod cut;
mod huge;
mod kill;
mod library;
mod programs;
mod upload_cut;

use anyhow::Result;
use registry_faults::catalogue;
use registry_faults::scenario::{Client, Scenario};

use super::{Arguments, Report, Row, report::Verdict};

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let ours = ["library".to_owned(), "registry".to_owned()];
    let clients = if arguments.program.is_empty() { &ours[..] } else { &arguments.program };
    for name in clients {
        if name == "library" {
            play(arguments, report, "registry-remote", &library::Library).await?;
            cut::run(arguments, report).await?;
            upload_cut::run(arguments, report).await?;
        } else {
            let program = programs::Program::find(name)?;
            play(arguments, report, name, &program).await?;
            if name == "registry" {
                kill::run(arguments, program.path(), report)?;
                huge::run(arguments, program.path(), report)?;
            }
        }
    }
    Ok(())
}

/// Whether one of the matrices of cuts is asked for.
pub(super) fn has_matrix(arguments: &Arguments) -> bool {
    let matrices = [(cut::NAME, cut::IDS), (upload_cut::NAME, upload_cut::IDS)];
    matrices.iter().any(|(name, ids)| arguments.is_selected(name, ids))
}

async fn play(
    arguments: &Arguments,
    report: &mut Report,
    subject: &str,
    client: &impl Client,
) -> Result<()> {
    Report::begin("client", subject);
    for scenario in catalogue::all() {
        if arguments.is_selected(scenario.name, scenario.ids) {
            let row = match client.lacks(&scenario) {
                Some(reason) => of(&scenario, subject, Verdict::Skipped(reason)),
                None => judge(&scenario, subject, client).await?,
            };
            report.add(row, arguments.transcript);
        }
    }
    Ok(())
}

async fn judge(scenario: &Scenario, subject: &str, client: &impl Client) -> Result<Row> {
    let played = scenario.play(client).await?;
    let transcript = if played.passed() { Vec::new() } else { played.transcript };
    let judged = of(scenario, subject, verdict(played.faults));
    Ok(Row { time: played.elapsed, transcript, ..judged })
}

fn of(scenario: &Scenario, subject: &str, verdict: Verdict) -> Row {
    Row::new("client", subject, scenario.name, scenario.ids, scenario.title, verdict)
}

fn verdict(faults: Vec<String>) -> Verdict {
    if faults.is_empty() { Verdict::Passed } else { Verdict::Failed(faults) }
}
