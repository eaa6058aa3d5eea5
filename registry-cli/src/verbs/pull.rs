//! `registry pull IMAGE PLACE`

use crate::{along::Along, failure::Failure, place::Place, session::Session, transfer::transfer};

/// Pull an image from a registry to this machine
///
/// Prints PLACE@DIGEST. A path that ends in `.tar` becomes a docker archive, any other an OCI
/// layout; what is in a layout already stays. Without a tag in PLACE, the image keeps its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What: REPOSITORY[:TAG][@DIGEST]
    image: String,
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:IMAGE] or a path
    place: String,
    #[command(flatten)]
    along: Along,
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let from = self.along.image(&session.long(&self.image)?)?;
        let to = self.along.place(Place::to_write(&self.place)?)?;
        transfer(session, &from, &to, &self.along).await
    }
}
