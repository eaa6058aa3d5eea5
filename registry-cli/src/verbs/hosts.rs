//! `registry hosts [NAME]`

mod shown;

use registry_name::Registry;
use registry_transport::Hosts;

use self::shown::{Explained, Overview};
use crate::{failure::Failure, session::Session};

/// Show how a registry is reached, and which file decided it
///
/// Of a registry (ghcr.io) or an image (ghcr.io/acme/app): mirrors, endpoint, every setting with the
/// file and line that it comes from, what is said there and does not count, and where was looked.
/// Without a name: which registries the files are about.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A registry, or an image as in the other commands
    #[arg(value_name = "REGISTRY|IMAGE")]
    name: Option<String>,
}

impl Arguments {
    pub(crate) fn run(self, session: &Session) -> Result<(), Failure> {
        session.no_platform()?;
        let files = session.files()?;
        let Some(name) = self.name else {
            session.answer(&Overview::of(files))?;
            return files.check().map_err(Failure::HostsFile);
        };
        let (registry, path) = match name.parse::<Registry>() {
            Ok(registry) if !name.contains('/') => (registry, None),
            _ => {
                let image = session.image(&name)?;
                let repository = image.repository();
                (repository.registry(), Some(repository.path().to_owned()))
            }
        };
        let explanation = files.explain(&registry, path.as_deref());
        let endpoint = Hosts::default().files(files.clone()).endpoint(&registry).ok();
        session.answer(&Explained::of(&explanation, endpoint.as_ref()))?;
        // Certificates are read when they are needed.
        let reached = files.host(&registry, path.as_deref().unwrap_or_default());
        match explanation.broken().cloned().or_else(|| reached.err()) {
            Some(broken) => Err(Failure::HostsFile(broken)),
            None => Ok(()),
        }
    }
}
