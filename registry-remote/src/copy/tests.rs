//! Every byte is hashed at most once. [`tally`] counts in [`Hasher`](crate::verify::Hasher), the one
//! place of this crate that hashes; what a registry hashes is its own.

use registry_faults::content::noise;
use registry_name::Repository;
use registry_serve::{Registry, Running};
use registry_transport::Transport;

use super::*;
use crate::{
    ArchiveKind, ArchiveSource, ArchiveWriter, Client, Layout, Manifest, Memory, Remote,
    media_type, verify::tally,
};

/// Larger than what travels in one request, and than what is read at once.
const LARGE: usize = 2 << 20;
const SMALL: usize = 1000;

fn v1() -> Tag {
    "v1".parse().unwrap()
}

fn image(memory: &Memory, seed: u64) -> Manifest {
    let layers =
        [SMALL, LARGE].map(|size| memory.add_blob(media_type::OCI_LAYER, noise(seed, size)));
    let ids = layers.each_ref().map(|layer| layer.digest.to_string());
    let config = serde_json::json!({ "rootfs": { "type": "layers", "diff_ids": ids } });
    let config = memory.add_blob(media_type::OCI_CONFIG, config.to_string());
    let text = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let manifest = Manifest::new(text.to_string(), None, "a test").unwrap();
    memory.add_manifest(manifest.clone(), Some(v1()));
    manifest
}

fn remote(served: &Running, path: &str) -> Remote {
    let repository: Repository = format!("{}/{path}", served.host()).parse().unwrap();
    Client::new(Transport::builder().build().unwrap()).remote(&repository)
}

/// Copies, and says how often the small and the large layer were hashed on the way.
async fn hashed(manifest: &Manifest, source: Arc<dyn Source>, sink: Arc<dyn Sink>) -> [usize; 2] {
    let count = || [0, 1].map(|at| tally::of(&manifest.layers()[at].digest));
    let before = count();
    let options = CopyOptions::default();
    copy(&source, &v1().into(), &sink, Some(&v1()), &options).await.unwrap();
    let after = count();
    [0, 1].map(|at| after[at] - before[at])
}

#[tokio::test]
async fn what_is_written_here_is_hashed_once() {
    let scratch = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, 0xf00d_0001);
    let served = Registry::builder().spawn().await.unwrap();
    let layout = Arc::new(Layout::create(scratch.path().join("layout")));
    assert_eq!(hashed(&manifest, memory.clone(), layout.clone()).await, [1, 1]);
    for kind in [ArchiveKind::Oci, ArchiveKind::Docker] {
        let path = scratch.path().join(kind.as_str());
        let archive = Arc::new(ArchiveWriter::new(&path, kind, None));
        assert_eq!(hashed(&manifest, layout.clone(), archive).await, [1, 1], "{kind}");
        let archive = Arc::new(ArchiveSource::open(&path).await.unwrap());
        let memory = Arc::new(Memory::new());
        assert_eq!(hashed(&manifest, archive, memory).await, [1, 1], "{kind}");
    }
    hashed(&manifest, memory, Arc::new(remote(&served, "app"))).await;
    let pulled = Arc::new(Layout::create(scratch.path().join("pulled")));
    assert_eq!(hashed(&manifest, Arc::new(remote(&served, "app")), pulled).await, [1, 1]);
}

#[tokio::test]
async fn what_a_registry_commits_is_not_hashed_here_too() {
    let memory = Arc::new(Memory::new());
    let manifest = image(&memory, 0xf00d_0002);
    let (one, two) =
        (Registry::builder().spawn().await.unwrap(), Registry::builder().spawn().await.unwrap());
    let [small, large] = hashed(&manifest, memory, Arc::new(remote(&one, "app"))).await;
    assert!(small <= 1 && large == 0, "{small} {large}");
    let (source, sink) = (Arc::new(remote(&one, "app")), Arc::new(remote(&two, "app")));
    let [small, large] = hashed(&manifest, source, sink).await;
    assert!(small <= 1 && large == 0, "{small} {large}");
    // Mounted, so not even read.
    let (source, sink) = (Arc::new(remote(&one, "app")), Arc::new(remote(&one, "copy")));
    assert_eq!(hashed(&manifest, source, sink).await, [0, 0]);
}
