use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn descriptor(media_type: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{HEX}","size":7}}"#)
}

fn image(extra: &str) -> String {
    let config = descriptor(media_type::OCI_CONFIG);
    let layer = descriptor(media_type::OCI_LAYER_GZIP);
    format!(r#"{{"schemaVersion":2,{extra}"config":{config},"layers":[{layer}]}}"#)
}

fn index(entries: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#,
        media_type::OCI_INDEX
    )
}

fn read(text: impl Into<Bytes>, content_type: Option<&str>) -> Result<Manifest, Error> {
    Manifest::new(text.into(), content_type, "a:b")
}

fn reason(result: Result<Manifest, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_digest_is_of_the_exact_bytes() {
    let text = format!("{} \n", image(r#""unknown":[1,2],"#));
    let manifest = read(text.clone(), Some(media_type::OCI_MANIFEST)).unwrap();
    assert_eq!(manifest.bytes(), text.as_bytes());
    assert_eq!(*manifest.digest(), verify::digest(Algorithm::Sha256, text.as_bytes()));
    assert_eq!(manifest.descriptor().size, text.len() as u64);
}

#[test]
fn m13_parameters_and_case_of_a_content_type_do_not_matter() {
    let said = format!("{}; charset=utf-8", media_type::OCI_MANIFEST.to_uppercase());
    assert_eq!(read(image(""), Some(&said)).unwrap().media_type(), media_type::OCI_MANIFEST);
}

#[test]
fn m13_where_the_carrier_says_nothing_of_use_the_body_decides() {
    let docker = format!(r#""mediaType":"{}","#, media_type::DOCKER_MANIFEST);
    for said in [None, Some("text/plain"), Some("application/json")] {
        assert_eq!(read(image(&docker), said).unwrap().media_type(), media_type::DOCKER_MANIFEST);
        assert_eq!(read(image(""), said).unwrap().media_type(), media_type::OCI_MANIFEST);
    }
}

#[test]
fn m12_contradictions_are_refused() {
    let entry = descriptor(media_type::OCI_MANIFEST);
    let both = format!(r#"{{"schemaVersion":2,"layers":[],"manifests":[{entry}]}}"#);
    assert!(reason(read(both, None)).contains("at once"));
    let config = format!(r#"{{"config":{entry},"manifests":[]}}"#);
    assert!(reason(read(config, None)).contains("at once"));
    assert!(reason(read(index(&entry), Some(media_type::OCI_MANIFEST))).contains("calls itself"));
    let says_index = image(&format!(r#""mediaType":"{}","#, media_type::OCI_INDEX));
    assert!(reason(read(says_index, None)).contains("fields of an image"));
    assert!(reason(read(image(""), Some(media_type::OCI_INDEX))).contains("fields of an image"));
    let no_type = format!(r#"{{"manifests":[{entry}]}}"#);
    assert!(reason(read(no_type, Some(media_type::OCI_MANIFEST))).contains("fields of an index"));
}

#[test]
fn m06_what_is_no_manifest_is_refused() {
    for text in ["<html>", "", "null", "[]", "{}", r#"{"errors":[{"code":"X"}]}"#] {
        assert!(matches!(read(text, None), Err(Error::Manifest { .. })), "{text:?}");
    }
    let errors = r#"{"errors":[]}"#;
    assert!(reason(read(errors, Some(media_type::OCI_MANIFEST))).contains("error document"));
}

#[test]
fn m07_deep_nesting_is_an_error_and_no_overflow() {
    for text in ["[".repeat(100_000), r#"{"config":"#.repeat(100_000)] {
        assert!(matches!(read(text, None), Err(Error::Manifest { .. })));
    }
}

#[test]
fn m08_a_key_that_is_given_twice_is_refused() {
    for twice in [r#""layers":[],"#, r#""mediaType":"a","mediaType":"b","#] {
        assert!(reason(read(image(twice), None)).contains("duplicate field"), "{twice}");
    }
}

#[test]
fn m11_sizes_are_whole_and_not_negative() {
    for size in ["-1", "1.5", "\"7\"", "18446744073709551616", "null"] {
        let text = image("").replace(":7}", &format!(":{size}}}"));
        assert!(read(text, None).is_err(), "{size}");
    }
    assert!(read(image("").replace(r#","size":7"#, ""), None).is_err());
}

#[test]
fn m14_schema_1_is_carried_and_not_understood() {
    let layer = format!(r#"{{"blobSum":"sha256:{HEX}"}}"#);
    let text = format!(r#"{{"schemaVersion":1,"fsLayers":[{layer},{layer}]}}"#);
    for said in [None, Some("application/json"), Some(media_type::DOCKER_SCHEMA1)] {
        let manifest = read(text.clone(), said).unwrap();
        assert_eq!(manifest.media_type(), media_type::DOCKER_SCHEMA1);
        assert_eq!(manifest.bytes(), text.as_bytes());
        assert_eq!(manifest.fs_layers().len(), 1);
        assert_eq!(manifest.children().count(), 0);
        let refused = manifest.check_understood("a:b").unwrap_err().to_string();
        assert!(refused.contains("Docker's schema 1"), "{refused}");
    }
    assert!(reason(read(r#"{"schemaVersion":1}"#, None)).contains("fsLayers"));
}

/// `"signatures": …` that say where they stand and what was there before.
fn signatures(length: usize, tail: &str) -> String {
    let tail = URL_SAFE_NO_PAD.encode(tail);
    let protected = format!(r#"{{"formatLength":{length},"formatTail":"{tail}"}}"#);
    format!(r#""signatures": [{{"protected":"{}"}}]"#, URL_SAFE_NO_PAD.encode(protected))
}

#[test]
fn m14_signed_schema_1_is_also_named_by_what_was_signed() {
    let payload = "{\n   \"schemaVersion\": 1,\n   \"fsLayers\": []\n}";
    let end = payload.len() - 2;
    let text = format!("{},\n   {}\n}}", &payload[..end], signatures(end, "\n}"));
    let signed = verify::digest(Algorithm::Sha256, payload.as_bytes());
    let exact = verify::digest(Algorithm::Sha256, text.as_bytes());
    for named in [&signed, &exact] {
        let manifest = Manifest::verified(text.clone(), None, named, "a:b").unwrap();
        assert_eq!(manifest.media_type(), media_type::DOCKER_SCHEMA1_SIGNED);
        assert_eq!((manifest.digest(), manifest.name()), (&exact, &signed));
        assert!(manifest.is_named(named));
    }
    let other = verify::digest(Algorithm::Sha256, b"other");
    assert!(matches!(
        Manifest::verified(text.clone(), None, &other, "a:b"),
        Err(Error::Integrity { .. })
    ));
    assert!(!read(text, None).unwrap().is_named(&other));
}

#[test]
fn i02_a_signature_does_not_make_other_content_what_was_signed() {
    let open = |text: String| text.strip_suffix('}').unwrap().to_owned();
    let (wanted, evil) = (image(""), open(image(r#""annotations":{},"#)));
    let schema1 = r#"{"schemaVersion":1,"fsLayers":[]"#;
    let other = format!(r#"{{"schemaVersion":1,"fsLayers":[{{"blobSum":"sha256:{HEX}"}}]"#);
    let whole = format!("{schema1}}}");
    let end = schema1.len();
    let signed = signatures;
    // What is asked for, and what comes instead.
    let rows = [
        // A manifest that knows no signatures, with nothing of what was signed in it.
        (&wanted, format!("{evil},{}}}", signed(0, &wanted))),
        (&whole, format!("{evil},{}}}", signed(0, &whole))),
        (&wanted, format!("{schema1},{}}}", signed(0, &wanted))),
        // One that could be signed, and was not; of the right beginning, and not.
        (&whole, format!("{other},{}}}", signed(0, &whole))),
        (&whole, format!("{other},{}}}", signed(end - 1, "]}"))),
        // More than was signed: before the signatures, after them, in their name.
        (&whole, format!(r#"{schema1},"name":"x",{}}}"#, signed(end, "}"))),
        (&whole, format!(r#"{schema1},{},"name":"x"}}"#, signed(end, "}"))),
        (&whole, format!(r#"{schema1},"signatures":[],{}}}"#, signed(end, "}"))),
        // As it should be, in a manifest of the schema that has no signatures.
        (&wanted, format!("{},{}}}", open(image("")), signed(wanted.len() - 1, "}"))),
    ];
    for (wanted, served) in rows {
        let wanted = verify::digest(Algorithm::Sha256, wanted.as_bytes());
        let result = Manifest::verified(served.clone(), None, &wanted, "a:b");
        assert!(matches!(result, Err(Error::Integrity { .. })), "{served}: {result:?}");
        if let Ok(manifest) = read(served, None) {
            assert!(!manifest.is_named(&wanted));
        }
    }
}

#[test]
fn m14_an_unknown_schema_is_refused_as_that() {
    let text = image("").replace(r#""schemaVersion":2"#, r#""schemaVersion":3"#);
    assert!(reason(read(text, None)).contains("its schemaVersion is 3"));
    let one = image("").replace(r#""schemaVersion":2"#, r#""schemaVersion":1"#);
    let said = Some(media_type::OCI_MANIFEST);
    assert!(reason(read(one, said)).contains("its schemaVersion is 1"));
    let lie = read(image(""), Some(media_type::DOCKER_SCHEMA1_SIGNED));
    assert!(reason(lie).contains("its schemaVersion is 2"));
}

#[test]
fn a_foreign_type_is_carried_and_asked_nothing() {
    const FOREIGN: &str = "application/vnd.example.thing+json";
    let calls_itself = format!(r#"{{"mediaType":"{FOREIGN}","schemaVersion":1,"layers":[]}}"#);
    let said = Some("application/vnd.example.thing+json; charset=utf-8");
    for (text, said) in [
        (&*calls_itself, Some("application/json")),
        (&calls_itself, None),
        ("{}", said),
        (r#"{"layers":7,"config":"x"}"#, said),
        ("no JSON at all", said),
    ] {
        let manifest = read(text.to_owned(), said).unwrap();
        assert_eq!((manifest.media_type(), manifest.bytes().as_ref()), (FOREIGN, text.as_bytes()));
        assert_eq!(manifest.children().count(), 0);
        assert!(reason(manifest.check_understood("a:b").map(|()| manifest)).contains(FOREIGN));
    }
    let subject = descriptor(media_type::OCI_MANIFEST);
    let text = format!(r#"{{"artifactType":"application/x.a","subject":{subject}}}"#);
    let manifest = read(text, said).unwrap();
    assert!(manifest.subject().is_some());
    assert_eq!(manifest.artifact_type(), Some("application/x.a"));
    assert!(reason(read(r#"{"errors":[]}"#, said)).contains("error document"));
    // Which no manifest is, and no header can be.
    for said in ["text/html", "application/json", "application/vnd.a b", "application/vnd.a\nb"] {
        assert!(read("{}", Some(said)).is_err(), "{said:?}");
        assert!(read(serde_json::json!({ "mediaType": said }).to_string(), None).is_err());
    }
    // A type that is known is not to be had from elsewhere.
    let known = image(&format!(r#""mediaType":"{}","#, media_type::OCI_MANIFEST));
    assert_eq!(read(known, said).unwrap().media_type(), media_type::OCI_MANIFEST);
}

#[test]
fn m13_a_body_that_is_silent_about_its_type_and_reads_as_an_image_or_an_index_is_one() {
    let entry = descriptor(media_type::OCI_MANIFEST);
    let list = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
    for said in ["application/vnd.example.thing+json", "application/x-json"] {
        let one = read(image(""), Some(said)).unwrap();
        assert_eq!((one.media_type(), one.children().count()), (media_type::OCI_MANIFEST, 2));
        let several = read(list.clone(), Some(said)).unwrap();
        assert_eq!((several.media_type(), several.children().count()), (media_type::OCI_INDEX, 1));
    }
}

#[test]
fn what_a_foreign_type_lists_as_an_image_does_goes_along_with_it() {
    const FOREIGN: &str = "application/vnd.example.thing+json";
    let calls_itself = image(&format!(r#""mediaType":"{FOREIGN}","#));
    let layer = descriptor(media_type::OCI_LAYER);
    let no_config = format!(r#"{{"layers":[{layer}]}}"#);
    for (text, children) in [(calls_itself, 2), (no_config, 1)] {
        let manifest = read(text, Some(FOREIGN)).unwrap();
        assert_eq!((manifest.media_type(), manifest.children().count()), (FOREIGN, children));
        assert!(reason(manifest.check_understood("a:b").map(|()| manifest)).contains(FOREIGN));
    }
}

#[test]
fn an_artifact_of_before_oci_1_1_has_blobs_and_no_layers_of_an_image() {
    let blob = descriptor("application/x.signature");
    let text = format!(r#"{{"artifactType":"application/x.a","blobs":[{blob}],"config":{blob}}}"#);
    for kind in [media_type::OCI_ARTIFACT, media_type::ORAS_ARTIFACT] {
        let artifact = read(text.clone(), Some(kind)).unwrap();
        let types: Vec<_> = artifact.children().map(|child| child.media_type.as_str()).collect();
        assert_eq!(types, ["application/x.signature"]);
        assert!(reason(artifact.check_understood("a:b").map(|()| artifact)).contains("artifact"));
        assert!(read(r#"{"blobs":7}"#, Some(kind)).is_err());
    }
    assert!(read(image(r#""blobs":7,"#), None).is_ok(), "an image has no such field");
}

#[test]
fn m15_what_follows_the_json_is_refused() {
    for tail in ["x", "{}", "\0"] {
        assert!(read(image("") + tail, None).is_err(), "{tail:?}");
    }
    assert!(read([b"\xef\xbb\xbf", image("").as_bytes()].concat(), None).is_err());
}

#[test]
fn i06_i07_digests_that_are_none_are_refused() {
    for digest in ["sha1:abc", "md5:x", "sha256:../../x", "", &format!("SHA256:{HEX}")] {
        let text = image("").replace(&format!("sha256:{HEX}"), digest);
        assert!(read(text, None).is_err(), "{digest:?}");
    }
}

#[test]
fn i02_other_bytes_than_the_digest_are_refused() {
    let expected = verify::digest(Algorithm::Sha512, b"x");
    let result = Manifest::verified(image(""), None, &expected, "a:b");
    let Err(Error::Integrity { mismatch: Mismatch::Digest { actual, .. }, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(actual.algorithm(), Algorithm::Sha512);
    assert!(Manifest::verified(image(""), None, &actual, "a:b").is_ok());
}

#[test]
fn children_are_config_and_layers_or_entries_and_never_the_subject() {
    let subject = format!(r#""subject":{},"#, descriptor(media_type::OCI_MANIFEST));
    let manifest = read(image(&subject), None).unwrap();
    let types: Vec<_> = manifest.children().map(|child| child.media_type.as_str()).collect();
    assert_eq!(types, [media_type::OCI_CONFIG, media_type::OCI_LAYER_GZIP]);
    assert!(manifest.subject().is_some());
}

#[test]
fn an_artifact_type_that_is_empty_is_missing() {
    for (fields, expected) in [
        ("", media_type::OCI_CONFIG),
        (r#""artifactType":"","#, media_type::OCI_CONFIG),
        (r#""artifactType":"application/x","#, "application/x"),
    ] {
        let manifest = read(image(fields), None).unwrap();
        assert_eq!(manifest.artifact_type(), Some(expected));
        assert_ne!(manifest.descriptor().artifact_type.as_deref(), Some(""));
    }
    let list = index("").replace(r#""manifests""#, r#""artifactType":"","manifests""#);
    assert_eq!(read(list, None).unwrap().artifact_type(), None);
}

#[test]
fn an_index_can_be_narrowed_and_keeps_unknown_fields() {
    let entry = |arch: &str| {
        format!(
            r#"{{"mediaType":"{}","digest":"sha256:{HEX}","size":7,"x":1,"platform":{{"os":"linux","architecture":"{arch}"}}}}"#,
            media_type::OCI_MANIFEST
        )
    };
    let both = read(index(&format!("{},{}", entry("amd64"), entry("arm64"))), None).unwrap();
    let wanted: Platform = "linux/arm64".parse().unwrap();
    let one = both.with_entries(|entry| entry.platform.as_ref() == Some(&wanted)).unwrap();
    assert_eq!(one.platforms(), [wanted]);
    assert!(std::str::from_utf8(one.bytes()).unwrap().contains(r#""x":1"#));
    assert_eq!(one.media_type(), media_type::OCI_INDEX);
}

#[test]
fn the_views_of_oci_spec_agree() {
    let manifest = read(image(""), None).unwrap();
    assert_eq!(manifest.to_oci_image().unwrap().layers().len(), manifest.layers().len());
    assert!(manifest.to_oci_index().is_err());
}

#[test]
fn an_array_is_no_manifest_although_its_items_would_fit_the_fields() {
    let config = descriptor(media_type::OCI_CONFIG);
    let text =
        format!(r#"[2,"{}",null,{config},[],null,null,null,null]"#, media_type::OCI_MANIFEST);
    for said in [None, Some(media_type::OCI_MANIFEST)] {
        let reason = reason(read(text.clone(), said));
        assert!(reason.contains("it is no JSON object"), "{reason}");
    }
}

#[test]
fn a_clone_shares_what_was_read() {
    let entry = r#"{"mediaType":"x","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":1}"#;
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
    let index = Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap();
    assert!(std::ptr::eq(index.manifests(), index.clone().manifests()));
}
