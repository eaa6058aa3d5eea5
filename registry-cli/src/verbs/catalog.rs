//! `registry catalog HOST`

use registry_name::{Registry, Repository};
use serde::Serialize;

use super::ls::lines;
use crate::{args::Format, failure::Failure, session::Session};

/// List the repositories of a registry
///
/// One a line, as paths at the registry. Many registries do not offer this, or only to
/// administrators.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The registry: ghcr.io, localhost:5000
    #[arg(value_name = "HOST")]
    registry: String,
}

#[derive(Debug, Serialize)]
struct Listed {
    registry: Registry,
    repositories: Vec<String>,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        session.no_platform()?;
        let registry: Registry = self.registry.parse()?;
        let mut pages = session.client()?.catalog(&registry);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            let paths = page.iter().map(Repository::path);
            match session.global.output {
                Format::Text => session.data(lines(&paths.collect::<Vec<_>>()).as_bytes())?,
                Format::Json => all.extend(paths.map(str::to_owned)),
            }
        }
        session.note_invalid(pages.invalid().len(), "repository");
        match session.global.output {
            Format::Text => Ok(()),
            Format::Json => session.document(&Listed { registry, repositories: all }),
        }
    }
}
