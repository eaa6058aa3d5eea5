//! An image that stands alone, where a platform is asked for: its configuration says what it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_name::Identifier;
use registry_remote::{
    CopyOptions, Error, ErrorKind, Manifest, Memory, Sink, Source, copy, media_type,
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
                let expected = format!("no image for platform {platform}; offered: {offered}");
                assert_eq!(error.to_string(), expected);
            }
            other => panic!("{config} {platforms:?}: {other:?}"),
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
