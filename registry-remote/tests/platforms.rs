//! Where a platform is asked for and nothing else says what an image is for, its configuration does:
//! of an image that stands alone, and of an entry without a platform.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_name::{Algorithm, Identifier};
use registry_remote::{
    CopyOptions, Descriptor, Error, ErrorKind, Manifest, Memory, Sink, Source, copy, get,
    media_type, select, verify,
};
use stage::{Stage, json, tag};

/// A memory with one image, tagged `v1`, of this configuration.
fn image_of(config_type: &str, config: &str) -> Memory {
    let memory = Memory::new();
    let config = memory.add_blob(config_type, config.to_owned());
    let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, json(&config));
    let manifest = Manifest::new(text, Some(media_type::OCI_MANIFEST), "test").unwrap();
    memory.add_manifest(manifest, Some(tag("v1")));
    memory
}

async fn take(memory: Memory, platforms: &[&str]) -> Result<(), Error> {
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) =
        (Arc::new(memory), Arc::new(Memory::new()));
    let mut options = CopyOptions::default();
    options.platforms = platforms.iter().map(|text| text.parse().unwrap()).collect();
    let from = Identifier::Tag(tag("v1"));
    copy(&source, &from, &sink, Some(&tag("v1")), &options).await.map(drop)
}

#[tokio::test]
async fn an_image_is_refused_for_a_platform_that_its_configuration_contradicts() {
    let arm = r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#;
    let windows = r#"{"os":"windows","architecture":"amd64","os.version":"10.0.1"}"#;
    let docker = "application/vnd.docker.container.image.v1+json";
    let rows: [(&str, &str, &[&str], Option<&str>); 9] = [
        (media_type::OCI_CONFIG, arm, &["linux/arm64"], None),
        (media_type::OCI_CONFIG, arm, &["linux/arm64/v8"], None),
        (media_type::OCI_CONFIG, arm, &["linux/arm64/v7"], Some("linux/arm64/v7")),
        (media_type::OCI_CONFIG, arm, &["linux/amd64"], Some("linux/amd64")),
        (docker, arm, &["linux/amd64"], Some("linux/amd64")),
        (media_type::OCI_CONFIG, arm, &["linux/arm64", "linux/amd64"], Some("linux/amd64")),
        (docker, windows, &["windows/amd64:10.0.1"], None),
        (docker, windows, &["windows/amd64:10.0.2"], Some("windows/amd64:10.0.2")),
        (docker, windows, &["linux/amd64"], Some("linux/amd64")),
    ];
    for (config_type, config, platforms, refused) in rows {
        match (take(image_of(config_type, config), platforms).await, refused) {
            (Ok(()), None) => {}
            (Err(error), Some(platform)) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                let offered = if config == arm { "linux/arm64/v8" } else { "windows/amd64:10.0.1" };
                let expected =
                    format!("no image for platform {platform}; offered: {offered} (v1 of memory)");
                assert_eq!(error.to_string(), expected);
            }
            other => panic!("{config} {platforms:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_image_does_not_hide_the_image_behind_it() {
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let memory = Arc::new(image_of(media_type::OCI_CONFIG, config));
    let image = memory.manifest(&tag("v1").into()).await.unwrap();
    let amd64 = Some("linux/amd64".parse().unwrap());
    let disk = memory.add_blob("application/x-disk", "a disk");
    let others = ["application/vnd.example.thing+json", media_type::OCI_ARTIFACT];
    let [foreign, artifact] = others.map(|kind| {
        let text = format!(r#"{{"mediaType":"{kind}"}}"#);
        let other = Manifest::new(text, None, "test").unwrap();
        memory.add_manifest(other.clone(), None);
        other.descriptor().clone()
    });
    let entries = [disk, foreign, artifact, image.descriptor().clone()].map(|mut entry| {
        entry.platform.clone_from(&amd64);
        json(&entry)
    });
    let index = |entries: &[String]| {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap()
    };
    memory.add_manifest(index(&entries), Some(tag("all")));
    memory.add_manifest(index(&entries[..3]), Some(tag("none")));
    let source: Arc<dyn Source> = memory.clone();
    let all = get(&source, &tag("all").into()).await.unwrap();
    assert_eq!(all.image(None).await.unwrap().digest(), image.digest());
    assert_eq!(all.manifest().unwrap().platforms().len(), 1);
    let none = get(&source, &tag("none").into()).await.unwrap();
    let error = none.image(None).await.unwrap_err();
    assert!(error.to_string().ends_with("the index names no platform at all"), "{error}");
    let stage = Stage::start().await;
    let remote = stage.remote("app");
    stage::push(&memory, &remote, "all").await;
    let summary = remote.summary(&tag("all").into()).await.unwrap();
    assert_eq!(summary.platforms.len(), 1, "{summary:?}");
    assert_eq!(summary.platforms[0].digest, *image.digest());
}

/// Of several platforms each has to be an image's, whatever else is listed for it and goes along.
#[tokio::test]
async fn what_is_no_image_stands_for_no_platform() {
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let memory = Arc::new(image_of(media_type::OCI_CONFIG, config));
    let image = memory.manifest(&tag("v1").into()).await.unwrap();
    let disk = memory.add_blob("application/x-disk", "a disk");
    let for_platform = |entry: &Descriptor, platform: &str| {
        let mut entry = entry.clone();
        entry.platform = Some(platform.parse().unwrap());
        json(&entry)
    };
    let amd64 = for_platform(image.descriptor(), "linux/amd64");
    let arm64 = for_platform(&disk, "linux/arm64");
    for (name, entries) in [("both", vec![amd64, arm64.clone()]), ("disk", vec![arm64])] {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let index = Manifest::new(text, Some(media_type::OCI_INDEX), "test").unwrap();
        memory.add_manifest(index, Some(tag(name)));
    }
    let rows: [(&str, &[&str], Option<&str>); 5] = [
        ("both", &["linux/*"], None),
        ("both", &["linux/amd64", "linux/*"], None),
        ("both", &["linux/amd64", "linux/arm64"], Some("linux/arm64; offered: linux/amd64 (")),
        ("both", &["linux/amd64", "plan9/mips"], Some("plan9/mips; offered: linux/amd64 (")),
        ("disk", &["linux/*"], Some("linux/*; the index names no platform at all (")),
    ];
    for (name, platforms, refused) in rows {
        let (source, taken): (Arc<dyn Source>, _) = (memory.clone(), Arc::new(Memory::new()));
        let sink: Arc<dyn Sink> = taken.clone();
        let (from, to) = (Identifier::Tag(tag(name)), tag(name));
        let mut options = CopyOptions::default();
        options.platforms = platforms.iter().map(|text| text.parse().unwrap()).collect();
        match (copy(&source, &from, &sink, Some(&to), &options).await, refused) {
            (Ok(_), None) => {
                let index = taken.manifest(&from).await.unwrap();
                assert_eq!(index.manifests().len(), 2, "{platforms:?}");
            }
            (Err(error), Some(expected)) => {
                assert!(error.to_string().contains(expected), "{platforms:?}: {error}");
            }
            other => panic!("{name} {platforms:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_configuration_that_names_no_platform_contradicts_none() {
    let rows = [
        (media_type::OCI_CONFIG, r#"{"config":{}}"#),
        (media_type::OCI_CONFIG, r#"{"os":"","architecture":""}"#),
        (media_type::OCI_CONFIG, "no JSON"),
        (media_type::OCI_CONFIG, r#"{"os":"linux","architecture":"arm64"}"#),
        ("application/x.artifact", r#"{"os":"plan9","architecture":"mips"}"#),
    ];
    for (config_type, config) in rows {
        take(image_of(config_type, config), &["linux/arm64/v8"]).await.unwrap();
    }
}

#[tokio::test]
async fn looking_at_the_configuration_costs_one_request_and_only_where_a_platform_is_asked_for() {
    let stage = Stage::start().await;
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let memory = Arc::new(image_of(media_type::OCI_CONFIG, config));
    let remote = stage.remote("app");
    let source: Arc<dyn Source> = memory;
    let sink: Arc<dyn Sink> = Arc::new(remote.clone());
    let from = Identifier::Tag(tag("v1"));
    copy(&source, &from, &sink, Some(&tag("v1")), &CopyOptions::default()).await.unwrap();

    let mut options = CopyOptions::default();
    for (platform, requests) in [(None, 2), (Some("linux/amd64"), 3)] {
        options.platforms = platform.iter().map(|text| text.parse().unwrap()).collect();
        let pull = async { transfer_to_memory(&remote, &options).await.unwrap() };
        let ((), made) = stage.requests(pull).await;
        assert_eq!(made.len(), requests, "{made:?}");
    }
}

async fn transfer_to_memory(
    remote: &registry_remote::Remote,
    options: &CopyOptions,
) -> Result<(), Error> {
    let source: Arc<dyn Source> = Arc::new(remote.clone());
    let sink: Arc<dyn Sink> = Arc::new(Memory::new());
    let from = Identifier::Tag(tag("v1"));
    copy(&source, &from, &sink, Some(&tag("v1")), options).await.map(drop)
}

#[tokio::test]
async fn g10_several_platforms_keep_images_whose_entries_name_none() {
    let source = Arc::new(Memory::new());
    let entry = |n: usize, platform: &str| {
        let config = format!(r#"{{"n":{n},{platform}}}"#);
        let config = source.add_blob(media_type::OCI_CONFIG, config);
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, json(&config));
        let manifest = Manifest::new(text, Some(media_type::OCI_MANIFEST), "test").unwrap();
        source.add_manifest(manifest.clone(), None);
        manifest.descriptor().clone()
    };
    let add = |entries: &[Descriptor]| {
        let list: Vec<_> = entries.iter().map(json).collect();
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, list.join(","));
        source.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag("v1")));
    };
    let mut entries = vec![
        entry(0, r#""os":"linux","architecture":"amd64""#),
        entry(1, r#""os":"windows","architecture":"amd64""#),
        entry(2, r#""os":"linux","architecture":"arm64""#),
        entry(3, r#""created":"never""#),
    ];
    // An artifact says of itself that it is no image: it is not even looked for.
    let nowhere = verify::digest(Algorithm::Sha256, b"nowhere");
    let mut artifact = Descriptor::new(media_type::OCI_MANIFEST, nowhere, 100);
    artifact.artifact_type = Some("application/x".to_owned());
    entries.push(artifact);
    add(&entries);
    let from: Arc<dyn Source> = source.clone();
    let mut options = CopyOptions::default();
    for (platforms, expected) in [
        (&["linux/*"][..], Some(&[0, 2][..])),
        (&["linux/amd64", "windows/amd64"], Some(&[0, 1])),
        (&["linux/*", "plan9/*"], None),
    ] {
        options.platforms = platforms.iter().map(|text| text.parse().unwrap()).collect();
        let sink: Arc<dyn Sink> = Arc::new(Memory::new());
        let plan = copy::plan(&from, &[copy::Wanted::tag(&tag("v1"))], &sink, &options).await;
        let Some(expected) = expected else {
            let said = plan.unwrap_err().to_string();
            assert!(
                said.ends_with("linux/amd64, linux/arm64, windows/amd64 (v1 of memory)"),
                "{said}"
            );
            continue;
        };
        let plan = plan.unwrap();
        let root = plan.manifests().last().unwrap();
        let kept: Vec<_> = root.manifests().iter().map(|entry| &entry.digest).collect();
        let expected: Vec<_> = expected.iter().map(|at| &entries[*at].digest).collect();
        assert_eq!(kept, expected);
    }
    let many: Vec<_> = (0..33).map(|n| entry(n, r#""created":"never""#)).collect();
    options.platforms = vec!["linux/*".parse().unwrap()];
    for (count, limited) in [(33, true), (32, false)] {
        add(&many[..count]);
        let sink: Arc<dyn Sink> = Arc::new(Memory::new());
        let error = copy(&from, &tag("v1").into(), &sink, None, &options).await.unwrap_err();
        assert_eq!(matches!(error, Error::Limit { .. }), limited, "{error}");
        let wanted = "linux/amd64".parse().unwrap();
        let index = source.manifest(&tag("v1").into()).await.unwrap();
        let error = select::image(source.as_ref(), index, &wanted).await.unwrap_err();
        assert_eq!(matches!(error, Error::Limit { .. }), limited, "{error}");
    }
}

#[tokio::test]
async fn a_summary_names_every_image_or_says_that_there_are_too_many() {
    let stage = Stage::start().await;
    let (memory, remote) = (Arc::new(Memory::new()), stage.remote("app"));
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let config = json(&memory.add_blob(media_type::OCI_CONFIG, config));
    let image = |n: usize| {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[],"annotations":{{"n":"{n}"}}}}"#
        );
        let manifest = Manifest::new(text, Some(media_type::OCI_MANIFEST), "test").unwrap();
        memory.add_manifest(manifest.clone(), None);
        json(manifest.descriptor())
    };
    let images: Vec<_> = (0..33).map(image).collect();
    for (count, name) in [(32, "all"), (33, "more")] {
        let list = images[..count].join(",");
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{list}]}}"#);
        memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag(name)));
        stage::push(&memory, &remote, name).await;
    }
    let (summary, made) = stage.requests(remote.summary(&tag("all").into())).await;
    assert_eq!((summary.unwrap().platforms.len(), made.len()), (32, 1 + 2 * 32));
    let error = remote.summary(&tag("more").into()).await.unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    assert!(error.to_string().contains("entries without a platform"), "{error}");
}
