//! What other programs read of what we write, and we of what they write.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{path::Path, sync::Arc};

use local::{KIB, by_tag, read_all, real_image, real_index, transfer};
use registry_faults::{alone, peers, skip};
use registry_name::Digest;
use registry_remote::{ArchiveKind, ArchiveSource, ArchiveWriter, Layout, Manifest, Source as _};

/// Runs skopeo, and answers what it printed.
fn skopeo(arguments: &[&str]) -> Option<Vec<u8>> {
    let Some(program) = peers::find("skopeo") else {
        skip!("skopeo is not installed");
        return None;
    };
    let mut command = alone(&program, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let output = command.arg("--insecure-policy").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {arguments:?}: {said}");
    Some(output.stdout)
}

fn place(kind: &str, path: &Path, name: &str) -> String {
    format!("{kind}:{}:{name}", path.display())
}

fn digest_of(bytes: &[u8]) -> Digest {
    registry_remote::verify::digest(registry_name::Algorithm::Sha256, bytes)
}

#[tokio::test]
async fn skopeo_reads_the_layouts_and_archives_that_we_write_with_equal_digests() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let directory = scratch.path().join("layout");
    let archive = scratch.path().join("oci.tar");
    let layout = Arc::new(Layout::create(&directory));
    transfer(source.clone(), &by_tag("multi"), layout, Some("v1")).await.unwrap();
    let writer = Arc::new(ArchiveWriter::new(&archive, ArchiveKind::Oci, None));
    transfer(source, &by_tag("multi"), writer, Some("v1")).await.unwrap();
    for (kind, path) in [("oci", &directory), ("oci-archive", &archive)] {
        let from = place(kind, path, "v1");
        let Some(raw) = skopeo(&["inspect", "--raw", &from]) else { return };
        assert_eq!(digest_of(&raw), root, "{kind}");
        let to = scratch.path().join(format!("copy-{kind}"));
        skopeo(&["copy", "--all", "--preserve-digests", &from, &place("oci", &to, "v1")]).unwrap();
        let copied = Layout::open(to).await.unwrap();
        assert_eq!(copied.manifest(&by_tag("v1")).await.unwrap().digest(), &root);
        assert_eq!(read_all(&copied, &root).await.unwrap(), 10);
    }
}

#[tokio::test]
async fn skopeo_reads_the_docker_archives_that_we_write() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_image(scratch.path()).await;
    let config = source.manifest(&root.into()).await.unwrap().config().unwrap().digest.clone();
    let path = scratch.path().join("docker.tar");
    let name = Some("team/app:v1".parse().unwrap());
    let writer = Arc::new(ArchiveWriter::new(&path, ArchiveKind::Docker, name));
    transfer(source, &by_tag("v1"), writer, None).await.unwrap();
    let from = place("docker-archive", &path, "team/app:v1");
    let Some(raw) = skopeo(&["inspect", "--raw", "--config", &from]) else { return };
    assert_eq!(digest_of(&raw), config, "the configuration is the image's identity there");
    // It decompresses the layers on the way and compares them with the configuration.
    let to = scratch.path().join("copy");
    skopeo(&["copy", &from, &place("oci", &to, "v1")]).unwrap();
}

#[tokio::test]
async fn we_read_what_skopeo_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_image(scratch.path()).await;
    let from = place("oci", source.path(), "v1");
    let oci = scratch.path().join("oci.tar");
    let to = place("oci-archive", &oci, "v2");
    if skopeo(&["copy", "--preserve-digests", &from, &to]).is_none() {
        return;
    }
    let archive = ArchiveSource::open(&oci).await.unwrap();
    assert_eq!(archive.kind(), ArchiveKind::Oci);
    assert_eq!(archive.manifest(&by_tag("v2")).await.unwrap().digest(), &root);
    assert_eq!(read_all(&archive, &root).await.unwrap(), 6);

    // Uncompressed layers are stored as they are.
    let plain = scratch.path().join("plain");
    let sample = registry_faults::sample::large(&plain, "v1", 3, 64 * KIB).unwrap();
    let source = Layout::open(&plain).await.unwrap();
    let root: Digest = sample.digest().parse().unwrap();
    let from = place("oci", &plain, "v1");
    let docker = scratch.path().join("docker.tar");
    skopeo(&["copy", &from, &place("docker-archive", &docker, "team/app:v2")]).unwrap();
    let archive = ArchiveSource::open(&docker).await.unwrap();
    assert_eq!(archive.kind(), ArchiveKind::Docker);
    let image = archive.image(&"team/app:v2".parse().unwrap()).unwrap();
    let ours = archive.manifest(&image).await.unwrap();
    let theirs = source.manifest(&root.into()).await.unwrap();
    assert_eq!(ours.config().unwrap().digest, theirs.config().unwrap().digest);
    let layers = |manifest: &Manifest| -> Vec<_> {
        manifest.layers().iter().map(|layer| layer.digest.clone()).collect()
    };
    assert_eq!(layers(&ours), layers(&theirs));
    assert_eq!(read_all(&archive, ours.digest()).await.unwrap(), 5);
}

/// Runs a program of `cargo xtask peers`, and answers what it printed. It takes nothing from, and
/// leaves nothing in, the user's own configuration.
fn run(name: &str, home: &Path, arguments: &[&str]) -> Option<String> {
    let Some(program) = peers::find(name) else {
        skip!("{name} is not installed");
        return None;
    };
    let output = alone(&program, home).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test]
async fn regctl_reads_the_layouts_that_we_write_and_we_what_it_adds_to_them() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_index(scratch.path()).await;
    let directory = scratch.path().join("layout");
    let layout = Arc::new(Layout::create(&directory));
    transfer(source, &by_tag("multi"), layout.clone(), Some("v1")).await.unwrap();
    let place = |tag: &str| format!("ocidir://{}:{tag}", directory.display());
    let regctl = |arguments: &[&str]| run("regctl", scratch.path(), arguments);
    let Some(digest) = regctl(&["image", "digest", &place("v1")]) else { return };
    assert_eq!(digest, root.to_string());
    regctl(&["image", "copy", &place("v1"), &place("v2")]).unwrap();
    assert_eq!(layout.manifest(&by_tag("v2")).await.unwrap().digest(), &root);
    assert_eq!(layout.tags().await.unwrap().len(), 2);
    assert_eq!(read_all(layout.as_ref(), &root).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn crane_takes_our_layouts_and_archives_and_we_take_its_tarballs() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = real_image(scratch.path()).await;
    let config = source.manifest(&root.clone().into()).await.unwrap();
    let config = config.config().unwrap().digest.clone();
    let directory = scratch.path().join("layout");
    let layout = Arc::new(Layout::create(&directory));
    transfer(source, &by_tag("v1"), layout, Some("v1")).await.unwrap();

    let running = registry_serve::Registry::builder().spawn().await.unwrap();
    let image = format!("{}/team/app:v1", running.host());
    let crane = |arguments: &[&str]| run("crane", scratch.path(), arguments);
    let Some(pushed) = crane(&["push", directory.to_str().unwrap(), &image]) else { return };
    assert!(pushed.ends_with(root.as_str()), "{pushed}");

    // Uncompressed layers are what every reader takes.
    let plain = scratch.path().join("plain");
    registry_faults::sample::large(&plain, "v1", 2, 64 * KIB).unwrap();
    let plain = Arc::new(Layout::open(plain).await.unwrap());
    let tarball = scratch.path().join("docker.tar");
    let name = Some("team/app:v1".parse().unwrap());
    let writer = Arc::new(ArchiveWriter::new(&tarball, ArchiveKind::Docker, name));
    transfer(plain, &by_tag("v1"), writer, None).await.unwrap();
    crane(&["validate", "--tarball", tarball.to_str().unwrap()]).unwrap();

    for format in ["tarball", "legacy"] {
        let path = scratch.path().join(format!("{format}.tar"));
        crane(&["pull", "--format", format, &image, path.to_str().unwrap()]).unwrap();
        let archive = ArchiveSource::open(&path).await.unwrap();
        assert_eq!(archive.kind(), ArchiveKind::Docker);
        let ours = archive.manifest(&by_tag("v1")).await.unwrap();
        assert_eq!(archive.image(&image.parse().unwrap()).unwrap().digest(), Some(ours.digest()));
        assert_eq!(ours.config().unwrap().digest, config, "{format}");
        assert_eq!(read_all(&archive, ours.digest()).await.unwrap(), 6);
    }
}
