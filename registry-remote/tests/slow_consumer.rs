//! A reader that is slower than any deadline (X10): what it does not take stays with the registry, and
//! its pauses are not the registry's.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use registry_faults::{
    content::{Blob, Image, LAYER_GZIP, noise},
    origin::{Script, Stage},
    registry::Registry,
};
use registry_name::Repository;
use registry_remote::{Client, Descriptor, Source, verified_blob};
use registry_transport::{Deadlines, Transport};

const SIZE: u64 = 64 << 20;
/// What may be on its way: the system's buffers on both sides, which grow to about 10 MiB, and ours.
const UNDERWAY: u64 = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn x10_a_slow_reader_is_neither_hurried_nor_buffered_for_nor_taken_for_a_stall() {
    let layer = Blob::new(LAYER_GZIP, noise(1, SIZE.try_into().unwrap()));
    let image = Image::of(Image::small().config, vec![layer.clone()]);
    let registry = Registry::new().with_image("app", "v1", &image);
    let stage = Stage::single(Script::registry(registry)).unwrap();
    let mut deadlines = Deadlines::default();
    let short = Duration::from_millis(500);
    (deadlines.body_idle, deadlines.floor_span) = (short, short);
    let client = Client::new(Transport::builder().deadlines(deadlines).build().unwrap());
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let source: Arc<dyn Source> = Arc::new(client.remote(&repository));
    let blob = Descriptor::new(LAYER_GZIP, layer.digest.parse().unwrap(), SIZE);

    let mut stream = verified_blob(source.as_ref(), &blob).await.unwrap();
    let path = format!("*/blobs/{}", layer.digest);
    let sent = || stage.log().requests("GET", &path).map(|seen| seen.sent).sum::<u64>();
    let (mut taken, mut next) = (0, 1);
    while let Some(chunk) = stream.next().await {
        taken += chunk.unwrap().len() as u64;
        if taken >= next && next < SIZE / 2 {
            tokio::time::sleep(2 * deadlines.floor_span).await;
            let sent = sent();
            assert!(sent <= taken + UNDERWAY, "{sent} were sent, and {taken} were taken");
            next = taken + SIZE / 4;
        }
    }
    assert_eq!((taken, sent()), (SIZE, SIZE));
    assert_eq!(stage.log().count("GET", &path), 1);
}
