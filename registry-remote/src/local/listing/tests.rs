use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use registry_name::Identifier;

use super::*;
use crate::{ByteStream, Manifest, media_type};

fn listing(rows: &[(&str, &str, char)]) -> Listing {
    let entry = |(tag, name, fill): &(&str, &str, char)| {
        let digest = format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap();
        let mut entry = Descriptor::new("", digest, 7);
        let given = [(REF_NAME, tag), (IMAGE_NAME, name)];
        let given = given.into_iter().filter(|(_, value)| !value.is_empty());
        entry.annotations.extend(given.map(|(key, value)| (key.to_owned(), (*value).to_owned())));
        entry
    };
    Listing::new(rows.iter().map(entry).collect())
}

fn fill(found: Result<&Descriptor, Error>) -> Result<char, String> {
    let digit = |entry: &Descriptor| entry.digest.hex().chars().next().unwrap();
    found.map(digit).map_err(|error| error.to_string())
}

#[test]
fn a_bare_tag_comes_before_a_name_that_ends_in_it() {
    let listing = listing(&[("a.example/b:v1", "", 'a'), ("v1", "", 'b'), ("v2", "", 'c')]);
    let tag = |text: &str| fill(listing.tag(&text.parse().unwrap(), "here"));
    assert_eq!(tag("v1"), Ok('b'));
    assert_eq!(tag("v2"), Ok('c'));
    assert_eq!(tag("v3"), Err("here has no tag v3; it has: a.example/b:v1, v1, v2".to_owned()));
    let tags: Vec<_> = listing.tags().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["v1", "v2"]);
}

#[test]
fn a_name_is_found_however_it_is_written() {
    let listing =
        listing(&[("v1", "docker.io/library/app:v1", 'a'), ("v1", "ghcr.io/x/app:v1", 'b')]);
    let image = |text: &str| fill(listing.image(&text.parse().unwrap(), "here"));
    assert_eq!(image("app:v1"), Ok('a'));
    assert_eq!(image("ghcr.io/x/app:v1"), Ok('b'));
    assert_eq!(image(&format!("other@sha256:{}", "b".repeat(64))), Ok('b'));
    assert!(image("app").unwrap_err().starts_with("here has no image app:latest; it has: "));
}

#[test]
fn a_tag_of_several_images_is_not_guessed() {
    let listing = listing(&[("v1", "", 'a'), ("v1", "", 'b'), ("v1", "", 'a')]);
    let error = fill(listing.tag(&"v1".parse().unwrap(), "here")).unwrap_err();
    assert!(error.starts_with("here has several images for tag v1: sha256:aaa"), "{error}");
}

#[test]
fn one_image_of_several_names_is_the_only_one() {
    assert_eq!(fill(listing(&[("v1", "", 'a'), ("v2", "", 'a')]).only("here")), Ok('a'));
    assert_eq!(fill(listing(&[]).only("here")), Err("here has no image".to_owned()));
    let many: Vec<_> =
        (0..12).map(|n| (format!("v{n:02}"), char::from_digit(n, 16).unwrap())).collect();
    let many: Vec<_> = many.iter().map(|(tag, fill)| (tag.as_str(), "", *fill)).collect();
    let error = fill(listing(&many).only("here")).unwrap_err();
    assert!(error.ends_with("v08, v09, and 2 more"), "{error}");
}

#[test]
fn a_bare_tag_is_no_name() {
    let listing = listing(&[("latest", "", 'a')]);
    assert!(listing.image(&"latest:latest".parse().unwrap(), "here").is_err());
}

/// A place of manifests, which counts how often one is read.
#[derive(Debug, Default)]
struct Counting {
    manifests: HashMap<Digest, Manifest>,
    read: AtomicUsize,
}

#[async_trait]
impl Source for Counting {
    fn location(&self) -> String {
        "here".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok(self.manifests[identifier.digest().unwrap()].clone())
    }

    async fn open_blob(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        unreachable!("only manifests are asked for")
    }
}

#[tokio::test]
async fn what_refers_to_any_of_many_is_read_once() {
    let subject = |fill: char| -> Digest {
        format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()
    };
    let mut here = Counting::default();
    let mut entries = Vec::new();
    for (fill, count) in [('a', 2), ('b', 1), ('c', 1)] {
        for n in 0..count {
            let about = Descriptor::new(media_type::OCI_MANIFEST, subject(fill), 7);
            let config = Descriptor::new(media_type::OCI_EMPTY, subject('0'), 2);
            let text = serde_json::json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config,
                "layers": [], "subject": about, "annotations": { "n": n.to_string() },
            });
            let manifest = Manifest::new(text.to_string(), None, "a referrer").unwrap();
            entries.push(manifest.descriptor().clone());
            here.manifests.insert(manifest.digest().clone(), manifest);
        }
    }
    let listing = Listing::new(entries);
    for (fill, expected) in [('a', 2), ('b', 1), ('c', 1), ('d', 0), ('a', 2)] {
        let found = listing.referrers(&here, &subject(fill), None).await.unwrap();
        assert_eq!(found.len(), expected, "{fill}");
    }
    assert_eq!(here.read.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn the_list_of_referrers_of_a_sha512_is_under_its_shortened_tag() {
    let subject: Digest = format!("sha512:{}", "b".repeat(128)).parse().unwrap();
    let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let entry = Descriptor::new(media_type::OCI_MANIFEST, digest, 7);
    let text = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let list = Manifest::new(text, None, "test").unwrap();
    let memory = crate::Memory::new();
    memory.add_manifest(list.clone(), None);
    let mut listed = list.descriptor().clone();
    listed.annotations.insert(REF_NAME.to_owned(), format!("sha512-{}", "b".repeat(64)));
    let found = Listing::new(vec![listed]).referrers(&memory, &subject, None).await.unwrap();
    assert_eq!(found, [entry]);
}
