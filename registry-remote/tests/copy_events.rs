//! What a copy tells while it runs, and what is left of one that is dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::{
    num::NonZeroU64,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use registry_faults::{
    content::Image,
    origin::{self, End, Reply, Script, on},
    registry::Registry,
};
use registry_name::{Digest, Identifier};
use registry_remote::{
    ArchiveKind, ArchiveSource, ArchiveWriter, ByteStream, Client, CopyEvent, CopyOptions,
    Descriptor, Error, ErrorKind, Layout, Manifest, Memory, Sink, Source, Stored, copy, media_type,
    read_blob,
};
use registry_transport::{Cancellation, RetryPolicy, Transport};
use stage::{Stage, image, noise, tag};
use tokio::sync::Notify;

/// The events of a copy of `v1`.
async fn events(
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    change: impl FnOnce(&mut CopyOptions),
) -> Result<Vec<CopyEvent>, Error> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = CopyOptions::default();
    let listener = Arc::clone(&told);
    options.events = Some(Arc::new(move |event| listener.lock().unwrap().push(event.clone())));
    change(&mut options);
    copy(&source, &tag("v1").into(), &sink, Some(&tag("v1")), &options).await?;
    Ok(told.lock().unwrap().clone())
}

/// What is told of one blob, bytes summed up.
fn story(events: &[CopyEvent], about: &Digest) -> (Vec<&'static str>, u64) {
    let mut bytes = 0;
    let mut words = Vec::new();
    for event in events {
        let (word, blob) = match event {
            CopyEvent::Queued { blob } => ("queued", &blob.digest),
            CopyEvent::Started { blob } => ("started", &blob.digest),
            CopyEvent::Reading { blob, .. } => ("reading", blob),
            CopyEvent::Resumed { blob, .. } => ("resumed", blob),
            CopyEvent::Retried { blob } => ("retried", blob),
            CopyEvent::Blob { blob, stored: Stored::Written } => ("written", &blob.digest),
            CopyEvent::Blob { blob, stored: Stored::Mounted } => ("mounted", &blob.digest),
            CopyEvent::Blob { blob, stored: Stored::Present } => ("present", &blob.digest),
            CopyEvent::Moved { blob, bytes: moved } if blob == about => {
                bytes += moved;
                continue;
            }
            _ => continue,
        };
        if blob == about {
            words.push(word);
        }
    }
    (words, bytes)
}

#[tokio::test]
async fn a_blob_is_queued_started_read_and_done_whichever_way_it_goes() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, &[noise(1, 200_000)], Some("v1"));
    let layer = &manifest.layers()[0];
    let app = || Arc::new(stage.remote("app"));
    let moved = (vec!["queued", "started", "reading", "written"], layer.size);
    let pushed = events(memory.clone(), app(), |_| {}).await.unwrap();
    assert_eq!(story(&pushed, &layer.digest), moved);
    let pulled = events(app(), Arc::new(Memory::new()), |_| {}).await.unwrap();
    assert_eq!(story(&pulled, &layer.digest), moved);
    let copied = events(app(), Arc::new(stage.remote("copy")), |_| {}).await.unwrap();
    assert_eq!(story(&copied, &layer.digest), (vec!["queued", "started", "mounted"], 0));
    let half = Arc::new(Memory::new());
    half.add_blob(layer.media_type.clone(), memory.blob(&layer.digest).unwrap());
    let filled = events(app(), half, |_| {}).await.unwrap();
    assert_eq!(story(&filled, &layer.digest), (vec!["queued", "started", "present"], 0));

    let last = pushed.last().unwrap();
    let done = matches!(last, CopyEvent::Manifest { manifest: done, tags }
        if done.digest == *manifest.digest() && *tags == [tag("v1")]);
    assert!(done, "{last:?}");
}

#[tokio::test]
async fn a_tag_that_stays_is_told_of() {
    let (old, new) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    image(&old, &[noise(1, 10)], Some("v1"));
    let manifest = image(&new, &[noise(2, 10)], Some("v1"));
    let told = events(new, old, |options| options.no_clobber = true).await.unwrap();
    let skipped = told.iter().any(|event| {
        matches!(event, CopyEvent::Skipped { tag, digest }
            if tag.as_str() == "v1" && digest == manifest.digest())
    });
    assert!(skipped, "{told:?}");
}

#[tokio::test]
async fn d01_an_interrupted_download_is_told_of_where_it_goes_on() {
    let content = Image::new(&[200_000]);
    let layer = content.last_layer().digest.clone();
    let registry = Registry::new().with_image("app", "v1", &content);
    let cut = Reply::registry().cut(150_000, End::Fin);
    let script =
        Script::registry(registry).rule(on("GET", format!("*/blobs/{layer}")).times(1, cut));
    let origin = origin::Stage::single(script).unwrap();
    let hasty = RetryPolicy::default().divided_by(100);
    let client = Client::new(Transport::builder().policy(hasty).build().unwrap());
    let source = Arc::new(stage::remote(&client, origin.host(), "app"));
    let told = events(source, Arc::new(Memory::new()), |_| {}).await.unwrap();
    let resumed = told.iter().find_map(|event| match event {
        CopyEvent::Resumed { blob, offset } => Some((blob.to_string(), *offset)),
        _ => None,
    });
    assert_eq!(resumed, Some((layer, 150_000)));
}

#[tokio::test]
async fn u01_an_interrupted_upload_is_told_of_where_it_goes_on() {
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, &[noise(1, 200_000)], Some("v1"));
    // Two pieces, the second of which is cut.
    let uploads = "*/blobs/uploads/*";
    let too_large = Reply::new(413).reading_only(1000).then(End::Fin);
    let cut = Reply::new(500).reading_only(10_000).unsaid(End::Rst);
    let script = Script::registry(Registry::new())
        .rule(on("PUT", uploads).with_header("content-type").always(too_large))
        .rule(on("PATCH", uploads).times(1, Reply::registry()).times(1, cut));
    let origin = origin::Stage::single(script).unwrap();
    let hasty = RetryPolicy::default().divided_by(100);
    let client = Client::new(Transport::builder().policy(hasty).build().unwrap());
    let sink = Arc::new(stage::remote(&client, origin.host(), "app"));
    // The small configuration learns nothing, since it travels with the request that begins it.
    let told = events(memory, sink, |_| {}).await.unwrap();
    let layer = &manifest.layers()[0];
    let (words, _) = story(&told, &layer.digest);
    let again = ["reading", "retried", "reading", "resumed", "reading"];
    assert_eq!(words, [&["queued", "started"][..], &again, &["written"]].concat());
    let resumed = told.iter().find_map(|event| match event {
        CopyEvent::Resumed { offset, .. } => Some(*offset),
        _ => None,
    });
    assert_eq!(resumed, Some(layer.size / 2));
}

#[tokio::test]
async fn a_layer_that_may_not_travel_is_told_of() {
    let memory = Arc::new(Memory::new());
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let layer = stage::json(&memory.add_blob(foreign, noise(1, 10)));
    let config = stage::json(&memory.add_blob(media_type::OCI_CONFIG, "{}"));
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{layer},{layer}]}}"#,
        media_type::OCI_MANIFEST,
    );
    let manifest = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(manifest, Some(tag("v1")));
    for (nondistributable, expected) in [(false, 1), (true, 0)] {
        let sink = Arc::new(Memory::new());
        let change = |options: &mut CopyOptions| options.nondistributable = nondistributable;
        let told = events(memory.clone(), sink, change).await.unwrap();
        let left = told.iter().filter(|event| matches!(event, CopyEvent::LeftOut { .. })).count();
        assert_eq!(left, expected);
    }
}

/// Damages each blob the first time that it is read.
#[derive(Debug)]
struct Damaged(Arc<Memory>, Mutex<Vec<Digest>>);

#[async_trait]
impl Source for Damaged {
    fn location(&self) -> String {
        "a bad line".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.0.manifest(identifier).await
    }

    async fn open_blob(&self, blob: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let stream = self.0.open_blob(blob, offset).await?;
        let mut read = self.1.lock().unwrap();
        if read.contains(&blob.digest) {
            return Ok(stream);
        }
        read.push(blob.digest.clone());
        Ok(stream.map(|chunk| chunk.map(|chunk| chunk.iter().map(|byte| !byte).collect())).boxed())
    }
}

#[tokio::test]
async fn a_blob_that_is_read_again_is_told_of() {
    let scratch = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, &[noise(1, 1000)], Some("v1"));
    let source = Arc::new(Damaged(memory, Mutex::default()));
    let told = events(source, Arc::new(Layout::create(scratch.path())), |_| {}).await.unwrap();
    let (words, _) = story(&told, &manifest.layers()[0].digest);
    assert_eq!(words, ["queued", "started", "reading", "retried", "reading", "written"]);
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_for_all_blobs_together() {
    let memory = Arc::new(Memory::new());
    let layers: Vec<_> = (0..4).map(|n| noise(n, 2500)).collect();
    image(&memory, &layers, Some("v1"));
    let started = tokio::time::Instant::now();
    let limit = |options: &mut CopyOptions| options.rate = NonZeroU64::new(1000);
    events(memory, Arc::new(Memory::new()), limit).await.unwrap();
    // The clock is not a real one: it jumps to whatever is waited for.
    let waited = started.elapsed().as_secs();
    assert!((10..12).contains(&waited), "10000 bytes and a configuration took {waited} s");
}

#[tokio::test]
async fn a_copy_that_is_cancelled_says_so_and_publishes_nothing() {
    let memory = Arc::new(Memory::new());
    image(&memory, &[noise(1, 100), noise(2, 200_000)], Some("v1"));
    for jobs in [1, 16] {
        let scratch = tempfile::tempdir().unwrap();
        let cancellation = Cancellation::new();
        let cancel = cancellation.clone();
        let sink = Arc::new(Layout::create(scratch.path().join("layout")));
        let cancelled = events(memory.clone(), sink, |options| {
            options.jobs = jobs;
            options.cancellation = Some(cancellation);
            options.events = Some(Arc::new(move |event| {
                if matches!(event, CopyEvent::Started { .. }) {
                    cancel.cancel();
                }
            }));
        });
        let error = cancelled.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
        Layout::open(scratch.path().join("layout")).await.unwrap_err();
    }
}

/// Drops a copy at each of its events in turn: whatever is left under the tag is whole.
#[tokio::test]
async fn x02_a_copy_that_is_dropped_leaves_nothing_half_published() {
    let stage = Stage::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory::new());
    image(&memory, &[noise(1, 100), noise(2, 200_000)], Some("v1"));
    for kind in ["memory", "layout", "archive", "registry"] {
        let mut at = 0;
        loop {
            let path = scratch.path().join(format!("{kind}{at}"));
            let here = Arc::new(Memory::new());
            let there = Arc::new(stage.remote(&format!("{kind}{at}")));
            let sink: Arc<dyn Sink> = match kind {
                "memory" => here.clone(),
                "layout" => Arc::new(Layout::create(&path)),
                "archive" => Arc::new(ArchiveWriter::new(&path, ArchiveKind::Oci, None)),
                _ => there.clone(),
            };
            let finished = drop_at(at, memory.clone(), sink).await;
            let found: Result<Arc<dyn Source>, Error> = match kind {
                "memory" => Ok(here),
                "layout" => Layout::open(&path).await.map(|found| Arc::new(found) as _),
                "archive" => ArchiveSource::open(&path).await.map(|found| Arc::new(found) as _),
                _ => Ok(there),
            };
            let whole = match found {
                Ok(found) => is_whole_if_tagged(found.as_ref()).await,
                Err(_) => false,
            };
            assert!(whole || !finished, "{kind} {at}");
            if finished {
                break;
            }
            at += 1;
        }
        assert!(at > 5, "{kind} was dropped {at} times");
    }
}

/// Whether the copy finished before its event of this number.
async fn drop_at(at: usize, source: Arc<dyn Source>, sink: Arc<dyn Sink>) -> bool {
    let (count, enough) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let mut options = CopyOptions::default();
    let notify = Arc::clone(&enough);
    options.events = Some(Arc::new(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) == at {
            notify.notify_one();
        }
    }));
    let (from, v1) = (tag("v1").into(), tag("v1"));
    tokio::select! {
        biased;
        () = enough.notified() => false,
        report = copy(&source, &from, &sink, Some(&v1), &options) => report.is_ok(),
    }
}

async fn is_whole_if_tagged(source: &dyn Source) -> bool {
    let Ok(manifest) = source.manifest(&tag("v1").into()).await else { return false };
    for child in manifest.children() {
        read_blob(source, child, 1 << 20).await.unwrap();
    }
    true
}

#[tokio::test]
async fn a_copy_with_the_options_of_a_client_ends_with_it() {
    let memory = Arc::new(Memory::new());
    image(&memory, &[noise(1, 10)], Some("v1"));
    let cancellation = Cancellation::new();
    let client = Client::builder().cancellation(&cancellation).jobs(3).build().unwrap();
    let options = client.copy_options();
    assert_eq!(options.jobs, 3);
    cancellation.cancel();
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) = (memory, Arc::new(Memory::new()));
    let copied = copy(&source, &tag("v1").into(), &sink, Some(&tag("v1")), &options).await;
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Cancelled);
}
