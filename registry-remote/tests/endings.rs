//! How an answer's body ends is of no interest once every byte is here.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod stage;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use registry_name::Algorithm;
use registry_remote::{Client, Descriptor, media_type, read_blob, verify};
use registry_transport::{
    Transport,
    service::{HttpError, HttpRequest, HttpResponse, HttpService},
};
use tokio::time::Instant;

const BYTES: &[u8] = b"every byte of it";

/// Sends every byte and no end, as a server does over HTTP/2 that forgets `END_STREAM`.
#[derive(Debug)]
struct Unended {
    announced: bool,
}

#[async_trait]
impl HttpService for Unended {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut headers = HeaderMap::new();
        if self.announced {
            headers.insert(CONTENT_LENGTH, BYTES.len().into());
        }
        let body = stream::iter([Ok(Bytes::from_static(BYTES))]).chain(stream::pending());
        Ok(HttpResponse::new(StatusCode::OK, headers, Box::pin(body)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_here_and_does_not_end_costs_two_seconds_at_most() {
    let digest = verify::digest(Algorithm::Sha256, BYTES);
    let blob = Descriptor::new(media_type::OCI_LAYER, digest, BYTES.len() as u64);
    for announced in [true, false] {
        let transport = Transport::builder().service(Arc::new(Unended { announced }) as _);
        let remote =
            stage::remote(&Client::new(transport.build().unwrap()), "registry.example", "app");
        let begun = Instant::now();
        assert_eq!(read_blob(&remote, &blob, 100).await.unwrap(), BYTES);
        // The clock stands still but for what is waited for.
        assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
