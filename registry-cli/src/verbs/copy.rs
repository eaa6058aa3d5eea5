//! `registry copy SRC DST`

use crate::{along::Along, failure::Failure, session::Session, transfer::transfer};

/// Copy an image between registries, layouts and archives
///
/// Prints DST@DIGEST, and with --all-tags a line DST:TAG@DIGEST for each. A word with a known prefix (oci:, oci-archive:, docker-archive:), or one that
/// starts with `/`, `./` or `../`, is a PLACE; any other is an IMAGE.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What: an IMAGE or a PLACE
    #[arg(value_name = "SRC")]
    source: String,
    /// Where to: an IMAGE or a PLACE
    #[arg(value_name = "DST")]
    destination: String,
    #[command(flatten)]
    along: Along,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let from = self.along.source(session, &self.source)?;
        let to = self.along.destination(&self.destination)?;
        transfer(session, &from, &to, &self.along).await
    }
}
