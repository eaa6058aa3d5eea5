//! How many round trips a transfer waits for, one after the other, whatever they take: a registry
//! that answers in waves. It collects requests until nothing more can happen without an answer,
//! and then answers all of them at once.
//!
//! With a round trip of 50 ms it is these numbers, not the count of requests, that a user feels.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use registry_faults::registry::Registry;
use registry_remote::{Client, CopyOptions, Memory, Remote, Sink, Source, copy};
use registry_transport::{
    Transport,
    service::{HttpError, HttpRequest, HttpResponse, HttpService},
};
use stage::{image, index, noise, service, tag};
use tokio::{sync::oneshot, task::yield_now};

/// Turns of the scheduler without a new request after which all that can run has run.
const QUIET: usize = 500;
/// Enough that nothing waits for its turn.
const ALL_AT_ONCE: usize = 100;

#[derive(Debug, Default)]
struct Waves {
    registry: Mutex<Registry>,
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

#[derive(Debug)]
struct Service(Arc<Waves>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (release, released) = oneshot::channel();
        let request = service::request(request).await;
        self.0.waiting.lock().unwrap().push(release);
        released.await.unwrap();
        let answer = self.0.registry.lock().unwrap().answer(&request);
        Ok(service::response(&request.method, answer))
    }
}

impl Waves {
    /// Answers wave after wave, and counts them, until `work` is done.
    async fn count<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let mut waves = 0;
        let mut work = pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                () = self.settle() => {}
            }
            let wave = std::mem::take(&mut *self.waiting.lock().unwrap());
            assert!(!wave.is_empty(), "nothing is asked, and nothing is done");
            waves += 1;
            for release in wave {
                release.send(()).unwrap_or_default();
            }
        };
        (result, waves)
    }

    /// Until nothing more is asked.
    async fn settle(&self) {
        let mut seen = 0;
        let mut quiet = 0;
        while quiet < QUIET {
            yield_now().await;
            let now = self.waiting.lock().unwrap().len();
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
    }
}

struct Scene {
    waves: Arc<Waves>,
    client: Client,
    memory: Arc<Memory>,
}

impl Scene {
    fn new() -> Self {
        let waves = Arc::new(Waves::default());
        let service = Arc::new(Service(Arc::clone(&waves)));
        let client = Client::new(Transport::builder().service(service).build().unwrap());
        Self { waves, client, memory: Arc::default() }
    }

    fn remote(&self, path: &str) -> Remote {
        stage::remote(&self.client, "localhost:5000", path)
    }

    /// The waves of copying `v1`.
    async fn waves(&self, source: Arc<dyn Source>, sink: Arc<dyn Sink>, jobs: usize) -> usize {
        let mut options = CopyOptions::default();
        options.jobs = jobs;
        let v1 = tag("v1");
        let from = v1.clone().into();
        let copied = copy(&source, &from, &sink, Some(&v1), &options);
        let (report, waves) = self.waves.count(copied).await;
        report.unwrap();
        waves
    }
}

#[tokio::test]
async fn forty_small_layers_wait_for_few_round_trips() {
    for (jobs, expected) in [
        // The question whether it is there; begin; send; the manifest.
        (ALL_AT_ONCE, [4, 2, 3, 1]),
        (copy::DEFAULT_JOBS, [8, 4, 5, 1]),
    ] {
        let scene = Scene::new();
        let layers: Vec<_> = (0..40).map(|n| noise(n, 70_000)).collect();
        image(&scene.memory, &layers, Some("v1"));
        let push = scene.waves(scene.memory.clone(), Arc::new(scene.remote("a")), jobs).await;
        let sink = Arc::new(Memory::new());
        let pull = scene.waves(Arc::new(scene.remote("a")), sink, jobs).await;
        let ends = || (Arc::new(scene.remote("a")), Arc::new(scene.remote("b")));
        let (source, sink) = ends();
        let copied = scene.waves(source, sink, jobs).await;
        let (source, sink) = ends();
        let again = scene.waves(source, sink, jobs).await;
        assert_eq!(
            [push, pull, copied, again],
            expected,
            "push, pull, copy and again, {jobs} jobs"
        );
    }
}

#[tokio::test]
async fn platforms_of_an_index_do_not_wait_for_each_other() {
    let scene = Scene::new();
    let images: Vec<_> = (0..6).map(|n| image(&scene.memory, &[noise(n, 70_000)], None)).collect();
    let entries: Vec<_> = images.iter().map(|image| (image, "linux/amd64")).collect();
    index(&scene.memory, &entries, "v1");
    let push = scene.waves(scene.memory.clone(), Arc::new(scene.remote("a")), ALL_AT_ONCE).await;
    // The tag; the platforms; begin; send; the platforms; the index.
    assert_eq!(push, 6);
    let sink = Arc::new(Memory::new());
    let pull = scene.waves(Arc::new(scene.remote("a")), sink, ALL_AT_ONCE).await;
    // The index, the platforms, their blobs.
    assert_eq!(pull, 3);
    let again = scene.waves(Arc::new(scene.remote("a")), Arc::new(scene.remote("a")), 1).await;
    assert_eq!(again, 1);
}
