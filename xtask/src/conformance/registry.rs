//! The registry side: requirements of the distribution specification, played against the embedded registry or any other.
//!
//! Identifiers are the specification's endpoints (`end-2` is the pull of a blob). Every check makes what it needs, in a repository of
//! its own run.

mod pull;
mod push;
mod referrers;
mod tags;
mod wire;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use registry_serve::Registry;

use super::{Arguments, Report, Row, report::Verdict};
use wire::Wire;

pub(super) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let embedded = match &arguments.url {
        Some(_) => None,
        None => Some(Registry::builder().spawn().await?),
    };
    let (subject, url) = match (&arguments.url, &embedded) {
        (None, Some(running)) => ("registry-serve".to_owned(), running.url()),
        (Some(url), _) => (url.clone(), url.clone()),
        (None, None) => unreachable!("one of the two was just made"),
    };
    // A repository that nobody has used: what earlier runs left must not decide.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let login = arguments.login.as_ref().map(|variable| {
        std::env::var(variable).with_context(|| format!("the variable {variable} cannot be read"))
    });
    let repository = format!("{}/run-{run}", arguments.repository);
    let wire = Wire::new(&url, &repository, login.transpose()?.as_deref())?;

    Report::begin("registry", &subject);
    let mut bench = Bench { wire, subject, arguments, report };
    pull::checks(&mut bench).await;
    push::checks(&mut bench).await;
    tags::checks(&mut bench).await;
    referrers::checks(&mut bench).await;
    if let Some(running) = embedded {
        running.shutdown().await;
    }
    Ok(())
}

/// Where checks are run and judged.
struct Bench<'a> {
    wire: Wire,
    subject: String,
    arguments: &'a Arguments,
    report: &'a mut Report,
}

impl Bench<'_> {
    /// Runs one check, in a repository of its own.
    async fn check(
        &mut self,
        name: &'static str,
        ids: &[&str],
        title: &str,
        check: impl AsyncFnOnce(Wire) -> Result<()>,
    ) {
        if !self.arguments.is_selected(name, ids) {
            return;
        }
        let started = Instant::now();
        let verdict = match check(self.wire.within(name)).await {
            Ok(()) => Verdict::Passed,
            Err(error) => match error.downcast::<NotOffered>() {
                Ok(NotOffered(why)) => Verdict::Skipped(why),
                Err(error) => Verdict::Failed(vec![format!("{error:#}")]),
            },
        };
        let row = Row::new("registry", &self.subject, name, ids, title, verdict);
        self.report.add(Row { time: started.elapsed(), ..row }, false);
    }
}

/// Something optional that this registry does not do.
#[derive(Debug)]
struct NotOffered(String);

impl std::fmt::Display for NotOffered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotOffered {}

/// Ends a check whose subject need not do what it asks for.
fn not_offered<T>(why: impl Into<String>) -> Result<T> {
    Err(NotOffered(why.into()).into())
}
