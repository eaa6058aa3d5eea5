use registry_name::Algorithm;

use super::*;
use crate::verify;

fn image(layers: &[Descriptor]) -> Manifest {
    let config =
        Descriptor::new(media_type::OCI_CONFIG, verify::digest(Algorithm::Sha256, b"{}"), 2);
    let text = json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string();
    Manifest::new(text, None, "an image").unwrap()
}

fn layer(algorithm: Algorithm, size: u64) -> Descriptor {
    Descriptor::new(media_type::OCI_LAYER, verify::digest(algorithm, b"layer"), size)
}

fn shape(kind: ArchiveKind, root: &Manifest, blobs: &[Descriptor]) -> Result<Shape, Error> {
    let parts = Parts { roots: vec![(root, Vec::new())], manifests: vec![root], blobs };
    Shape::new(kind, &parts, None)
}

/// The archive, zeros where blobs go.
fn bytes(shape: &Shape) -> Vec<u8> {
    let mut all = vec![0; usize::try_from(shape.length).unwrap()];
    for (at, part) in &shape.fixed {
        let at = usize::try_from(*at).unwrap();
        all[at..at + part.len()].copy_from_slice(part);
    }
    all
}

#[test]
fn blobs_are_where_a_reader_of_tar_files_finds_them() {
    let layers = [layer(Algorithm::Sha256, 700), layer(Algorithm::Sha512, 1)];
    let root = image(&layers);
    let mut blobs = layers.to_vec();
    blobs.push(root.config().unwrap().clone());
    let shape = shape(ArchiveKind::Oci, &root, &blobs).unwrap();
    let all = bytes(&shape);
    let mut archive = tar::Archive::new(&*all);
    let mut found = 0;
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        for blob in &blobs {
            if name == format!("blobs/{}/{}", blob.digest.algorithm(), blob.digest.hex()) {
                assert_eq!(shape.blobs[&blob.digest], entry.raw_file_position(), "{name}");
                assert_eq!(entry.size(), blob.size);
                found += 1;
            }
        }
    }
    assert_eq!(found, 3);
    assert_eq!(shape.length % 512, 0);
}

#[test]
fn a_layer_beyond_eight_gibibytes_has_room() {
    let big = layer(Algorithm::Sha256, 9 << 30);
    let root = image(std::slice::from_ref(&big));
    let shape = shape(ArchiveKind::Oci, &root, std::slice::from_ref(&big)).unwrap();
    assert!(shape.length > 9 << 30 && shape.length < (9 << 30) + 16384);
}

#[test]
fn sizes_that_no_disk_has_are_refused() {
    for size in [u64::MAX, u64::MAX / 2, i64::MAX as u64] {
        let big = layer(Algorithm::Sha256, size);
        let root = image(std::slice::from_ref(&big));
        let error = shape(ArchiveKind::Oci, &root, &[big]).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    }
}

#[test]
fn what_nobody_could_open_again_is_refused_before_anything_is_written() {
    let root = image(&[]);
    let tags: Vec<Tag> = (0..30_000).map(|n| format!("tag-{n}").parse().unwrap()).collect();
    let many = |count: usize| {
        let roots = vec![(&root, tags.iter().take(count).collect())];
        Shape::new(ArchiveKind::Oci, &Parts { roots, manifests: vec![&root], blobs: &[] }, None)
    };
    many(10_000).unwrap();
    let error = many(30_000).unwrap_err();
    assert!(error.to_string().starts_with("the size of index.json"), "{error}");

    let blob = |n: u32| {
        let digest = verify::digest(Algorithm::Sha256, &n.to_be_bytes());
        Descriptor::new(media_type::OCI_LAYER, digest, 4)
    };
    let blobs: Vec<_> = (0..50_000).map(blob).collect();
    shape(ArchiveKind::Oci, &root, &blobs[..49_995]).unwrap();
    let error = shape(ArchiveKind::Oci, &root, &blobs[..49_996]).unwrap_err();
    assert!(error.to_string().starts_with("the number of entries"), "{error}");

    let digest = verify::digest(Algorithm::Sha256, b"a long configuration");
    for (size, fits) in [(8 << 20, true), ((8 << 20) + 1, false)] {
        let config = Descriptor::new(media_type::OCI_CONFIG, digest.clone(), size);
        let text = json!({ "schemaVersion": 2, "config": config, "layers": [] }).to_string();
        let root = Manifest::new(text, None, "an image").unwrap();
        assert!(shape(ArchiveKind::Oci, &root, &[]).is_ok());
        match shape(ArchiveKind::Docker, &root, &[]) {
            Err(error) => assert!(!fits && error.to_string().contains("8 MiB"), "{error}"),
            Ok(_) => assert!(fits),
        }
    }
}

#[test]
fn a_docker_archive_without_one_of_its_layers_is_refused() {
    let missing = layer(Algorithm::Sha256, 7);
    let root = image(std::slice::from_ref(&missing));
    let error = shape(ArchiveKind::Docker, &root, &[]).unwrap_err();
    assert!(error.to_string().contains("every layer"), "{error}");
    assert!(shape(ArchiveKind::Oci, &root, &[]).is_ok());
}
