//! `registry push PLACE IMAGE`

use crate::{along::Along, failure::Failure, place::Place, session::Session, transfer::transfer};

/// Push an image from this machine to a registry
///
/// Prints REPOSITORY@DIGEST. A directory is an OCI layout; what a file is, its content says. An
/// index travels whole, unless --platform says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:IMAGE] or a path
    place: String,
    /// Where to: REPOSITORY[:TAG][@DIGEST]; with a digest, only that content is pushed
    image: String,
    #[command(flatten)]
    along: Along,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let from = self.along.place(Place::to_read(&self.place)?)?;
        let to = self.along.image(&self.image)?;
        transfer(session, &from, &to, &self.along).await
    }
}
