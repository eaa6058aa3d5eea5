//! `registry ls REPO`

use std::fmt::{Display, Write as _};

use registry_name::{Repository, Tag};
use serde::Serialize;

use crate::{args::Format, failure::Failure, session::Session};

/// List the tags of a repository
///
/// One a line, in the registry's order.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The repository, without tag or digest
    #[arg(value_name = "REPO")]
    repository: String,
}

#[derive(Debug, Serialize)]
struct Listed {
    repository: Repository,
    tags: Vec<Tag>,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        session.no_platform()?;
        let repository: Repository = session.long(&self.repository)?.parse()?;
        let mut pages = session.client()?.remote(&repository).tags();
        let mut listed = Listed { repository, tags: Vec::new() };
        while let Some(tags) = pages.next().await? {
            match session.global.output {
                Format::Text => session.data(lines(&tags).as_bytes())?,
                Format::Json => listed.tags.extend(tags),
            }
        }
        session.note_invalid(pages.invalid().len(), "tag");
        match session.global.output {
            Format::Text => Ok(()),
            Format::Json => session.document(&listed),
        }
    }
}

/// Each on a line of its own.
pub(super) fn lines<T: Display>(names: &[T]) -> String {
    let mut lines = String::new();
    for name in names {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{name}");
    }
    lines
}
