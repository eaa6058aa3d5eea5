//! One blob, fetched or pushed by our library: what the matrices of cuts play, here and in the library's own tests.

use std::sync::Arc;

use bytes::Bytes;
use registry_faults::cuts::Wanted;
use registry_faults::upload_cuts::Offered;
use registry_name::Repository;
use registry_remote::{Client, Descriptor, Memory, Sink as _, Source, media_type, read_blob};
use registry_transport::{Error, RetryPolicy, Transport};

/// A transport that waits for next to nothing: there are many cuts.
pub(super) fn hasty() -> Result<Transport, Error> {
    Transport::builder().policy(RetryPolicy::default().divided_by(10_000)).build()
}

pub(super) async fn fetch(client: Client, wanted: Wanted) -> Result<Bytes, String> {
    fetched(&client, &wanted).await.map_err(|error| format!("{error:?}"))
}

/// By a client of its own: what is learnt at one cut must not help at the next.
pub(super) async fn push(transport: Transport, offered: Offered) -> Result<(), String> {
    pushed(Client::new(transport), offered).await.map_err(|error| format!("{error:?}"))
}

/// Any error on the way.
type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn fetched(client: &Client, wanted: &Wanted) -> Result<Bytes, Broken> {
    let repository = Repository::new(&wanted.registry.parse()?, &wanted.repository)?;
    let layer = media_type::OCI_LAYER_GZIP;
    let blob = Descriptor::new(layer, wanted.digest.parse()?, wanted.size);
    Ok(read_blob(&client.remote(&repository), &blob, wanted.size).await?)
}

async fn pushed(client: Client, offered: Offered) -> Result<(), Broken> {
    let repository = Repository::new(&offered.registry.parse()?, &offered.repository)?;
    let memory = Memory::new();
    let blob = memory.add_blob(media_type::OCI_LAYER_GZIP, offered.bytes);
    let source: Arc<dyn Source> = Arc::new(memory);
    client.remote(&repository).put_blob(&blob, &source).await?;
    Ok(())
}
