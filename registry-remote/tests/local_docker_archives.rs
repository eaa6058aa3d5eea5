//! Docker archives that others wrote, older and newer, and those that lie.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod local;

use std::{fs, io::Write as _, path::Path, sync::Arc};

use local::{by_tag, read_all, read_blob, tar_of, told, transfer};
use registry_name::{Algorithm, Digest, Identifier};
use registry_remote::{
    ArchiveKind, ArchiveSource, ErrorKind, Layout, Manifest, Source as _, media_type, verify,
};
use serde_json::{Value, json};

fn sha256(bytes: &[u8]) -> Digest {
    verify::digest(Algorithm::Sha256, bytes)
}

fn layer(text: &str) -> Vec<u8> {
    tar_of(&[("file", text.as_bytes())])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Zstandard, which may begin with a frame that is to be skipped (RFC 8878, section 3.1.2).
fn zstd_behind_a_skipped_frame(bytes: &[u8]) -> Vec<u8> {
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    [skipped, zstd::encode_all(bytes, 1).unwrap()].concat()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<_> = layers.iter().map(|layer| sha256(layer).to_string()).collect();
    json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": ids } })
        .to_string()
        .into_bytes()
}

fn manifest(config: &str, tags: &Value, layers: &[&str]) -> Vec<u8> {
    json!([{ "Config": config, "RepoTags": tags, "Layers": layers }]).to_string().into_bytes()
}

/// A tar of files, and of links as (name, target).
fn archive(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(tar_of(files));
    // Behind the files there is the end; the links go in front of it.
    let length = builder.get_ref().len() - 1024;
    builder.get_mut().truncate(length);
    for (name, target) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, name, target).unwrap();
    }
    builder.into_inner().unwrap()
}

async fn open(directory: &Path, bytes: &[u8]) -> Result<ArchiveSource, registry_remote::Error> {
    ArchiveSource::open(local::write(directory, "file.tar", bytes)).await
}

#[tokio::test]
async fn an_older_archive_gets_a_manifest_that_depends_on_its_content_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (layer("one"), layer("two"));
    let (packed, zstd) = (gzip(&two), zstd::encode_all(&*one, 1).unwrap());
    let skipped = zstd_behind_a_skipped_frame(&two);
    let config = config(&[&one, &two, &one, &one, &two]);
    let config_name = format!("{}.json", sha256(&config).hex());
    let names = ["a/layer.tar", "b/layer.tar", "c/layer.tar", "d/layer.tar", "e/layer.tar"];
    let tags = json!(["team/app:v1", "ghcr.io/team/app:v2"]);
    let manifest = manifest(&config_name, &tags, &names);
    let files: [(&str, &[u8]); 7] = [
        ("a/layer.tar", &one),
        ("b/layer.tar", &packed),
        ("d/layer.tar", &zstd),
        ("e/layer.tar", &skipped),
        ("a/VERSION", b"1.0"),
        (&config_name, &config),
        ("manifest.json", &manifest),
    ];
    let mut other_order = files;
    other_order.reverse();
    let links = [("c/layer.tar", "../a/layer.tar")];

    let first = open(scratch.path(), &archive(&files, &links)).await.unwrap();
    assert_eq!(first.kind(), ArchiveKind::Docker);
    let root = first.only().unwrap();
    let image = first.manifest(&root).await.unwrap();
    let types: Vec<_> =
        image.layers().iter().map(|l| l.media_type.rsplit('.').next().unwrap()).collect();
    assert_eq!(types, ["tar", "tar+gzip", "tar", "tar+zstd", "tar+zstd"]);
    assert_eq!(image.layers()[0].digest, sha256(&one));
    assert_eq!(image.layers()[1].digest, sha256(&packed));
    assert_eq!(image.layers()[0], image.layers()[2]);
    assert_eq!(read_all(&first, root.digest().unwrap()).await.unwrap(), 6);
    assert_eq!(read_blob(&first, image.config().unwrap()).await.unwrap(), config);
    assert_eq!(first.tags().len(), 2);
    for name in ["team/app:v1", "docker.io/team/app:v1", "ghcr.io/team/app:v2"] {
        assert_eq!(first.image(&name.parse().unwrap()).unwrap(), root);
    }
    let error = first.image(&"team/app:v2".parse().unwrap()).unwrap_err();
    assert!(told(&error).contains("it has: docker.io/team/app:v1, ghcr.io/team/app:v2"), "{error}");
    let tagged = first.manifest(&by_tag("v2")).await.unwrap();
    assert_eq!(Some(tagged.digest()), root.digest());

    let second = open(scratch.path(), &archive(&other_order, &links)).await.unwrap();
    assert_eq!(second.only().unwrap(), root);
    let layout = Arc::new(Layout::create(scratch.path().join("layout")));
    transfer(Arc::new(second), &root, layout.clone(), Some("v1")).await.unwrap();
    assert_eq!(read_all(layout.as_ref(), root.digest().unwrap()).await.unwrap(), 6);
}

#[tokio::test]
async fn several_images_have_to_be_named() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (layer("one"), layer("two"));
    let (first, second) = (config(&[&one]), config(&[&two]));
    let manifest = json!([
        { "Config": "1.json", "RepoTags": ["a:latest"], "Layers": ["1.tar"] },
        { "Config": "2.json", "RepoTags": ["b:latest"], "Layers": ["2.tar"] },
    ])
    .to_string();
    let bytes = tar_of(&[
        ("1.json", &first),
        ("1.tar", &one),
        ("2.json", &second),
        ("2.tar", &two),
        ("manifest.json", manifest.as_bytes()),
    ]);
    let source = open(scratch.path(), &bytes).await.unwrap();
    let error = source.only().unwrap_err();
    let text = told(&error);
    assert!(text.contains("docker.io/library/a:latest, docker.io/library/b:latest"), "{text}");
    let error = source.manifest(&by_tag("latest")).await.unwrap_err();
    assert!(told(&error).contains("several images for tag latest"), "{}", told(&error));
    let named = source.image(&"b".parse().unwrap()).unwrap();
    let image = source.manifest(&named).await.unwrap();
    assert_eq!(image.layers()[0].digest, sha256(&two));
}

#[tokio::test]
async fn layers_other_than_those_of_the_configuration_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (layer("one"), layer("two"));
    let tags = json!(null);
    let zstd = zstd::encode_all(&*one, 1).unwrap();
    for wrong in [one.clone(), gzip(&one), zstd, zstd_behind_a_skipped_frame(&one)] {
        let config = config(&[&two]);
        let manifest = manifest("c.json", &tags, &["l.tar"]);
        let files = [("c.json", &*config), ("l.tar", &*wrong), ("manifest.json", &*manifest)];
        let error = open(scratch.path(), &tar_of(&files)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
    }
    let config = config(&[&one, &two]);
    let manifest = manifest("c.json", &tags, &["l.tar"]);
    let files = [("c.json", &*config), ("l.tar", &*one), ("manifest.json", &*manifest)];
    let error = open(scratch.path(), &tar_of(&files)).await.unwrap_err();
    assert!(told(&error).contains("1 layers, and 2"), "{}", told(&error));
}

#[tokio::test]
async fn a_layer_that_cannot_be_decompressed_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let one = layer("one");
    let config = config(&[&one]);
    for whole in [gzip(&one), zstd::encode_all(&*one, 1).unwrap()] {
        let cut = &whole[..whole.len() / 2];
        let trailing = [&*whole, b"more"].concat();
        for broken in [cut, &trailing] {
            let manifest = manifest("c.json", &json!(null), &["l.tar"]);
            let files = [("c.json", &*config), ("l.tar", broken), ("manifest.json", &*manifest)];
            let error = open(scratch.path(), &tar_of(&files)).await.unwrap_err();
            assert!(told(&error).contains("cannot be uncompressed"), "{}", told(&error));
        }
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_what_its_name_says_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let one = layer("one");
    let config = config(&[&one]);
    let other = sha256(b"other");
    for name in [format!("{}.json", other.hex()), format!("blobs/sha256/{}", other.hex())] {
        let manifest = manifest(&name, &json!([]), &["l.tar"]);
        let files = [(&*name, &*config), ("l.tar", &*one), ("manifest.json", &*manifest)];
        let error = open(scratch.path(), &tar_of(&files)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
    }
}

#[tokio::test]
async fn a_configuration_is_as_long_as_anywhere_else() {
    let scratch = tempfile::tempdir().unwrap();
    let one = layer("one");
    let long = |mebibytes: usize| {
        let ids = [sha256(&one).to_string()];
        let config =
            json!({ "author": "a".repeat(mebibytes << 20), "rootfs": { "diff_ids": ids } });
        config.to_string().into_bytes()
    };
    let older = |config: &[u8]| {
        let manifest = manifest("c.json", &json!(["app:v1"]), &["l.tar"]);
        tar_of(&[("c.json", config), ("l.tar", &one), ("manifest.json", &manifest)])
    };
    let newer =
        |config: &[u8]| current(config, media_type::OCI_CONFIG, media_type::OCI_LAYER, &one, false);
    for archive in [older(&long(7)), newer(&long(7))] {
        open(scratch.path(), &archive).await.unwrap();
    }
    for archive in [older(&long(8)), newer(&long(8))] {
        let error = open(scratch.path(), &archive).await.unwrap_err();
        assert!(told(&error).ends_with("exceeds the limit of 8 MiB"), "{}", told(&error));
    }
}

#[tokio::test]
async fn a_configuration_without_layers_may_say_so_in_any_way() {
    let scratch = tempfile::tempdir().unwrap();
    for config in [&b"{}"[..], br#"{"rootfs":null}"#, br#"{"rootfs":{"diff_ids":null}}"#] {
        let manifest = manifest("c.json", &json!(["app:v1"]), &[]);
        let files = [("c.json", config), ("manifest.json", &*manifest)];
        open(scratch.path(), &tar_of(&files)).await.unwrap();
    }
}

#[tokio::test]
async fn what_manifest_json_names_must_be_in_the_archive() {
    let scratch = tempfile::tempdir().unwrap();
    let one = layer("one");
    let config = config(&[&one]);
    for name in ["none.tar", "../l.tar", "/l.tar", "a"] {
        let manifest = manifest("c.json", &json!([]), &[name]);
        let files = [("c.json", &*config), ("l.tar", &*one), ("manifest.json", &*manifest)];
        let bytes = archive(&files, &[("a", "b"), ("b", "a")]);
        let error = open(scratch.path(), &bytes).await.unwrap_err();
        assert!(told(&error).contains(&format!("names {name}, which is not there")), "{error}");
    }
}

/// Where the two documents of an archive disagree about an image, what is loaded is what
/// `manifest.json` lists.
#[tokio::test]
async fn an_index_json_that_leaves_layers_out_is_not_believed() {
    let scratch = tempfile::tempdir().unwrap();
    let one = layer("one");
    let config = config(&[&one]);
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes).hex());
    let described = |kind: &str, bytes: &[u8]| json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": sha256(bytes).to_string(), "size": bytes.len() });
    for layers in [json!([]), json!([described("layer.v1.tar", &one)])] {
        let whole = layers != json!([]);
        let image = json!({ "schemaVersion": 2, "config": described("config.v1+json", &config), "layers": layers }).to_string();
        let mut entry = described("manifest.v1+json", image.as_bytes());
        entry["annotations"] = json!({ "io.containerd.image.name": "docker.io/library/app:v1" });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
        let manifest = manifest(&blob(&config), &json!(["app:v1"]), &[&blob(&one)]);
        let bytes = tar_of(&[
            (&blob(&one), &one),
            (&blob(&config), &config),
            (&blob(image.as_bytes()), image.as_bytes()),
            ("index.json", index.as_bytes()),
            ("manifest.json", &manifest),
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ]);
        let source = open(scratch.path(), &bytes).await.unwrap();
        let found = source.image(&"app:v1".parse().unwrap()).unwrap();
        let found: Manifest = source.manifest(&found).await.unwrap();
        assert_eq!(found.layers().len(), 1);
        assert_eq!(found.bytes() == image.as_bytes(), whole);
    }
}

/// An archive as Docker writes it now, of one image with one layer.
fn current(
    config: &[u8],
    config_type: &str,
    layer_type: &str,
    layer: &[u8],
    nested: bool,
) -> Vec<u8> {
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes).hex());
    let described = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": sha256(bytes).to_string(), "size": bytes.len() });
    let index_of = |kind: &str, bytes: &[u8]| {
        json!({ "schemaVersion": 2, "manifests": [described(kind, bytes)] }).to_string()
    };
    let image = json!({ "schemaVersion": 2, "config": described(config_type, config), "layers": [described(layer_type, layer)] }).to_string();
    let inner = index_of(media_type::OCI_MANIFEST, image.as_bytes());
    let index =
        if nested { index_of(media_type::OCI_INDEX, inner.as_bytes()) } else { inner.clone() };
    let manifest = manifest(&blob(config), &json!(["app:v1"]), &[&blob(layer)]);
    tar_of(&[
        (&blob(layer), layer),
        (&blob(config), config),
        (&blob(image.as_bytes()), image.as_bytes()),
        (&blob(inner.as_bytes()), inner.as_bytes()),
        ("index.json", index.as_bytes()),
        ("manifest.json", &manifest),
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
    ])
}

#[tokio::test]
async fn layers_other_than_those_of_the_configuration_are_refused_beside_an_index_json_too() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (layer("one"), layer("two"));
    let sha512 = verify::digest(Algorithm::Sha512, &one);
    let sha512 = json!({ "rootfs": { "diff_ids": [sha512.to_string()] } }).to_string();
    let (right, wrong) = (config(&[&one]), config(&[&two]));
    let (packed, zstd) = (gzip(&one), zstd::encode_all(&*one, 1).unwrap());
    let skipped = zstd_behind_a_skipped_frame(&one);
    for (kind, stored) in [
        (media_type::OCI_LAYER, &one),
        (media_type::OCI_LAYER_GZIP, &packed),
        (media_type::OCI_LAYER_ZSTD, &zstd),
        (media_type::OCI_LAYER_ZSTD, &skipped),
    ] {
        for nested in [false, true] {
            for right in [&right, sha512.as_bytes()] {
                let bytes = current(right, media_type::OCI_CONFIG, kind, stored, nested);
                open(scratch.path(), &bytes).await.unwrap();
            }
            let bytes = current(&wrong, media_type::OCI_CONFIG, kind, stored, nested);
            let error = open(scratch.path(), &bytes).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{kind} {nested} {error:?}");
        }
    }
    for ids in [vec![], vec![&*one, &*two]] {
        let config = config(&ids);
        let bytes = current(&config, media_type::OCI_CONFIG, media_type::OCI_LAYER, &one, false);
        let error = open(scratch.path(), &bytes).await.unwrap_err();
        let expected = format!("1 layers, and {}", ids.len());
        assert!(told(&error).contains(&expected), "{}", told(&error));
    }
    // What an artifact has is no image's.
    let bytes = current(b"{}", "application/x.artifact", "application/x.layer", &one, false);
    open(scratch.path(), &bytes).await.unwrap();
}

#[tokio::test]
async fn more_images_or_layers_than_anybody_saves_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let config = config(&[]);
    let images = |count: usize, layers: usize| {
        let image = json!({ "Config": "c", "Layers": vec!["l"; layers] });
        json!(vec![image; count]).to_string()
    };
    for (manifest, what) in
        [(images(10_001, 0), "the number of images"), (images(2, 50_001), "the number of layers")]
    {
        let files = [("c", &*config), ("manifest.json", manifest.as_bytes())];
        let error = open(scratch.path(), &tar_of(&files)).await.unwrap_err();
        assert!(matches!(error, registry_remote::Error::Limit { .. }), "{error:?}");
        assert!(told(&error).starts_with(what), "{}", told(&error));
    }
    let manifest = images(10_000, 0);
    let files = [("c", &*config), ("manifest.json", manifest.as_bytes())];
    open(scratch.path(), &tar_of(&files)).await.unwrap();
}

#[tokio::test]
async fn a_compressed_archive_says_how_to_decompress_it() {
    let scratch = tempfile::tempdir().unwrap();
    let plain = tar_of(&[("index.json", b"{}")]);
    let rows = [
        (gzip(&plain), "gunzip"),
        (zstd::encode_all(&*plain, 1).unwrap(), "unzstd"),
        (b"BZh91AY&SY".to_vec(), "bunzip2"),
        (vec![0xfd, b'7', b'z', b'X', b'Z', 0], "unxz"),
    ];
    for (bytes, program) in rows {
        let error = open(scratch.path(), &bytes).await.unwrap_err();
        assert!(told(&error).ends_with(&format!("decompress it with {program}")), "{error}");
    }
}

#[tokio::test]
async fn a_tar_of_a_layout_is_an_archive_whatever_wrote_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, root) = local::real_index(scratch.path()).await;
    let path = scratch.path().join("file.tar");
    let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
    builder.append_dir_all(".", source.path()).unwrap();
    builder.into_inner().unwrap();
    let archive = ArchiveSource::open(&path).await.unwrap();
    assert_eq!(archive.only().unwrap(), Identifier::Digest(root.clone()));
    assert_eq!(read_all(&archive, &root).await.unwrap(), 10);
}
