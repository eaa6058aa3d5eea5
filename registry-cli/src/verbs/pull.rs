//! `registry pull IMAGE PLACE`

use crate::{
    failure::Failure,
    place::{Endpoint, Place},
    session::Session,
    transfer::transfer,
};

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
}

impl Arguments {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let from = Endpoint::Image(self.image.parse()?);
        let to = Endpoint::Place(Place::to_write(&self.place)?);
        transfer(session, &from, &to).await
    }
}
