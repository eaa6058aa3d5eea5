//! Blobs that are made here, and pushed before anybody knows what they are called.

use std::sync::Arc;

use futures_util::StreamExt as _;
use registry_name::Algorithm;

use super::{identity::Identity, stream::put_stream};
use crate::{
    Descriptor, Error, Input, Layer, Source,
    compose::{Blobs, Content},
    image::DiffHasher,
    local::blocking,
    media_type,
    remote::Remote,
};

impl Remote {
    /// Uploads a blob: bytes, a file, or a stream of unknown size that is read once. Size and digest
    /// are in the answer, and of a layer (a tar file, plain or compressed with gzip or Zstandard, as
    /// the media type says) its diff id, so that
    /// [`ImageBuilder::existing`](crate::ImageBuilder::existing) can take it.
    ///
    /// Bytes and files are hashed first, and sent only where the registry does not have them. A
    /// stream is sent while it is read: up to 16 MiB of it are held in memory (up to 64 MiB where a
    /// registry asks for larger pieces), and what is larger goes through a temporary file as well.
    ///
    /// Dropping the future ends the upload, and deletes its session at the registry.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use registry_remote::{Client, ImageBuilder, Input, Platform, media_type};
    ///
    /// let remote = Client::anonymous()?.remote(&"registry.example/team/app".parse()?);
    /// let tar = Input::reader(tokio::fs::File::open("made-on-the-way").await?);
    /// let layer = remote.upload(media_type::OCI_LAYER, tar).await?;
    /// println!("{} has {} bytes", layer.digest(), layer.descriptor().size);
    ///
    /// let mut image = ImageBuilder::new(&Platform::linux_amd64());
    /// image.existing(&layer)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the input or the registry said; [`Error::Local`] where the temporary file failed;
    /// [`Error::Integrity`] where a layer is compressed and cannot be uncompressed.
    pub async fn upload(&self, media_type: &str, input: Input) -> Result<Layer, Error> {
        let (stream, content) = input.open().await?;
        let diff = media_type::is_layer(media_type).then(|| DiffHasher::new(Algorithm::Sha256));
        let (mut descriptor, diff_id) = if let Some(content) = content {
            let name = format!("what is pushed to {}", self.repository());
            let mut identity = Identity::new(diff, name);
            let mut stream = stream;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                identity = blocking(move || identity.update(&chunk).map(|()| identity)).await?;
            }
            let (descriptor, diff_id) = identity.finish()?;
            self.put_content(&descriptor, content).await?;
            (descriptor, diff_id)
        } else {
            put_stream(self, stream, diff).await?
        };
        media_type.clone_into(&mut descriptor.media_type);
        Ok(Layer::new(Arc::new(self.clone()), descriptor, diff_id))
    }

    pub(super) async fn put_content(
        &self,
        descriptor: &Descriptor,
        content: Content,
    ) -> Result<(), Error> {
        let source: Arc<dyn Source> = Arc::new(Blobs::one(descriptor, content));
        super::put_blob(self, descriptor, &source).await.map(drop)
    }
}
