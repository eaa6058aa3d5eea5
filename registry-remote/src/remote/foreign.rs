//! Layers that a registry does not keep itself: their descriptors say where else they are
//! ([image-spec, descriptor](https://github.com/opencontainers/image-spec/blob/main/descriptor.md#properties), `urls`).

use registry_transport::{Budget, ErrorKind, Url};

use super::{Blob, Remote};
use crate::{Descriptor, Error};

/// URLs of one layer that are asked, at most.
const MAX_URLS: usize = 8;
/// The longest URL that is asked, bytes.
const MAX_LENGTH: usize = 8 << 10;

impl Remote {
    /// The same repository, which reads a blob that the registry does not have from the `urls` of
    /// its descriptor.
    ///
    /// The URLs are asked in their order, and no more than the first eight. They are judged as
    /// redirects of the registry are: plain HTTP and private addresses only where the registry is
    /// reached like that itself. No secret goes along, whatever the host. The bytes have to be
    /// what size and digest say, as everywhere.
    ///
    /// [`copy`](crate::copy()) does this where
    /// [`nondistributable`](crate::CopyOptions::nondistributable) is set.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use registry_remote::Client;
    ///
    /// let remote = Client::anonymous()?.remote(&"registry.example/windows/app".parse()?);
    /// let manifest = remote.get_manifest(&"v1".parse()?).await?;
    /// for layer in manifest.layers() {
    ///     let bytes = remote.with_foreign_layers().blob(layer).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_foreign_layers(&self) -> Self {
        Self { foreign: true, ..self.clone() }
    }

    /// A blob from `offset` on, from the registry, or from where else it may be had.
    pub(super) async fn open(
        &self,
        descriptor: &Descriptor,
        offset: u64,
        budget: Budget,
    ) -> Result<Blob, Error> {
        let urls = if self.foreign { &descriptor.urls[..] } else { &[] };
        let mut last = match Blob::open(self.clone(), descriptor, offset, None, budget).await {
            Err(error) if is_missing(&error) && !urls.is_empty() => error,
            done => return done,
        };
        for url in urls.iter().take(MAX_URLS) {
            let Some(url) = Some(url).filter(|url| url.len() <= MAX_LENGTH) else { continue };
            let Ok(url) = Url::parse(url) else { continue };
            let budget = Budget::for_blob(descriptor.size);
            match Blob::open(self.clone(), descriptor, offset, Some(url), budget).await {
                Ok(blob) => return Ok(blob),
                Err(error) => {
                    tracing::warn!(blob = %descriptor.digest, %error, "foreign layer");
                    last = error;
                }
            }
        }
        Err(last)
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Registry { source, .. } if source.kind() == ErrorKind::NotFound)
}
