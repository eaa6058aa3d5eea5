//! The same work against registries that others wrote, where they are installed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_faults::peers::{Kind, Server};
use registry_name::{Identifier, Repository, Tag};
use registry_remote::{
    Client, CopyOptions, Error, ErrorKind, Manifest, Memory, Remote, Report, Sink, Source, copy,
};
use stage::{client, image, image_with, index, noise, remote, tag};

/// Runs `work` with each installed registry, and says which are not.
async fn with_each<F: Future<Output = ()>>(work: impl Fn(Kind, Client, String) -> F) {
    for kind in Kind::ALL {
        match Server::start(kind) {
            Ok(server) => work(kind, client(), server.host()).await,
            Err(reason) => registry_faults::skip!("a registry of another make: {reason}"),
        }
    }
}

async fn put(memory: &Arc<Memory>, remote: &Remote, name: &str) -> Result<Report, Error> {
    let source: Arc<dyn Source> = memory.clone();
    let sink: Arc<dyn Sink> = Arc::new(remote.clone());
    let tag = tag(name);
    let from = Identifier::Tag(tag.clone());
    copy(&source, &from, &sink, Some(&tag), &CopyOptions::default()).await
}

async fn get(remote: &Remote, name: &str) -> (Arc<Memory>, Manifest) {
    let memory = Arc::new(Memory::new());
    let sink: Arc<dyn Sink> = memory.clone();
    let source: Arc<dyn Source> = Arc::new(remote.clone());
    let from = Identifier::Tag(tag(name));
    copy(&source, &from, &sink, Some(&tag(name)), &CopyOptions::default()).await.unwrap();
    let manifest = memory.manifest(&from).await.unwrap();
    (memory, manifest)
}

#[tokio::test]
async fn push_pull_and_copy() {
    with_each(|kind, client, host| async move {
        let memory = Arc::new(Memory::new());
        let layers = [noise(1, 100), noise(2, 3 << 20), noise(3, 70_000)];
        let amd = image(&memory, &layers, None);
        let arm = image(&memory, &layers[1..], None);
        let pushed = index(&memory, &[(&amd, "linux/amd64"), (&arm, "linux/arm64")], "v1");
        let app = remote(&client, &host, "team/app");
        let report = put(&memory, &app, "v1").await.unwrap();
        assert_eq!(report.written, 5, "{kind:?}");
        let (arrived, manifest) = get(&app, "v1").await;
        assert_eq!(manifest.bytes(), pushed.bytes(), "{kind:?}");
        for layer in amd.layers() {
            assert_eq!(arrived.blob(&layer.digest), memory.blob(&layer.digest), "{kind:?}");
        }

        let copied = remote(&client, &host, "team/copy");
        let report = stage::transfer(&app, &copied, "v1", &CopyOptions::default()).await.unwrap();
        assert_eq!((report.mounted, report.written), (5, 0), "{kind:?}");
        assert_eq!(get(&copied, "v1").await.1.digest(), pushed.digest(), "{kind:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    with_each(|kind, client, host| async move {
        let memory = Arc::new(Memory::new());
        let app = remote(&client, &host, "app");
        image(&memory, &[noise(1, 100_000), noise(2, 200_000)], Some("v1"));
        put(&memory, &app, "v1").await.unwrap();
        image(&memory, &[noise(1, 100_000), noise(3, 200_000)], Some("v2"));
        let report = put(&memory, &app, "v2").await.unwrap();
        assert_eq!((report.written, report.present), (2, 1), "{kind:?}");
    })
    .await;
}

#[tokio::test]
async fn referrers_are_kept_with_and_without_the_api() {
    with_each(|kind, client, host| async move {
        let memory = Arc::new(Memory::new());
        let app = remote(&client, &host, "app");
        let subject = image(&memory, &[noise(1, 10)], Some("v1"));
        put(&memory, &app, "v1").await.unwrap();
        for n in [2, 3] {
            let fields = format!(
                r#""artifactType":"application/x.{n}","annotations":{{"n":"{n}"}},"subject":{},"#,
                stage::json(subject.descriptor())
            );
            let artifact = image_with(&memory, &[noise(n, 10)], &fields);
            let name = format!("artifact{n}");
            memory.add_manifest(artifact, Some(tag(&name)));
            put(&memory, &app, &name).await.unwrap();
        }
        let found = app.referrers(subject.digest(), None).await.unwrap().descriptors;
        assert_eq!(found.len(), 2, "{kind:?}");
        let found = app.referrers(subject.digest(), Some("application/x.3")).await.unwrap();
        assert_eq!(found.descriptors[0].annotations["n"], "3", "{kind:?}");
    })
    .await;
}

#[tokio::test]
async fn a_tag_is_deleted_or_the_error_says_what_else_it_is() {
    with_each(|kind, client, host| async move {
        let memory = Arc::new(Memory::new());
        let app = remote(&client, &host, "app");
        let manifest = image(&memory, &[noise(1, 10)], Some("v1"));
        put(&memory, &app, "v1").await.unwrap();
        app.put_manifest_tags(&manifest, &[tag("same")]).await.unwrap();
        image(&memory, &[noise(2, 10)], Some("other"));
        put(&memory, &app, "other").await.unwrap();
        match app.delete_tag(&tag("v1")).await {
            Ok(()) => {
                assert_ne!(kind, Kind::DockerRegistry, "has no such delete");
                let gone = app.head_manifest(&Identifier::Tag(tag("v1"))).await.unwrap();
                assert!(gone.is_none(), "{kind:?}");
            }
            Err(Error::TagDelete { digest, also, .. }) => {
                assert_eq!(kind, Kind::DockerRegistry);
                assert_eq!((digest, also), (manifest.digest().clone(), vec![tag("same")]));
            }
            Err(other) => panic!("{kind:?}: {other:?}"),
        }
        let kept = app.head_manifest(&Identifier::Tag(tag("same"))).await.unwrap();
        assert_eq!(kept.unwrap().digest, *manifest.digest(), "{kind:?}");
        app.delete_manifest(manifest.digest()).await.unwrap();
        let digest = Identifier::Digest(manifest.digest().clone());
        assert!(app.head_manifest(&digest).await.unwrap().is_none(), "{kind:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_not_found() {
    with_each(|kind, client, host| async move {
        let app = remote(&client, &host, "app");
        let error = app.manifest(&Identifier::Tag(tag("v1"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{kind:?}: {error}");
        let error = app.tags().all().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{kind:?}: {error}");
    })
    .await;
}

#[tokio::test]
async fn polls_pages_and_sums_up() {
    with_each(|kind, client, host| async move {
        // It gives all that there is, in any order, whatever it is asked for.
        let pages = kind != Kind::DockerRegistry;
        let memory = Arc::new(Memory::new());
        let app = remote(&client, &host, "team/app");
        let [amd, arm] = [1, 2].map(|n| image(&memory, &[noise(n, 10)], None));
        let both = index(&memory, &[(&amd, "linux/amd64"), (&arm, "linux/arm64/v8")], "v1");
        for name in ["v1", "v2", "v3"] {
            memory.add_manifest(both.clone(), Some(tag(name)));
            put(&memory, &app, name).await.unwrap();
        }
        put(&memory, &remote(&client, &host, "team/other"), "v1").await.unwrap();

        let v1 = Identifier::Tag(tag("v1"));
        let known = app.get(&v1).await.unwrap().version();
        assert!(app.get_if_changed(&v1, &known).await.unwrap().is_none(), "{kind:?}");
        let summary = app.summary(&v1).await.unwrap();
        let platforms: Vec<_> = summary
            .platforms
            .iter()
            .map(|p| (&*p.os, &*p.architecture, p.variant.as_deref(), &p.digest))
            .collect();
        let expected =
            [("linux", "amd64", None, amd.digest()), ("linux", "arm64", Some("v8"), arm.digest())];
        assert_eq!((&summary.digest, &*platforms), (both.digest(), &expected[..]), "{kind:?}");

        let changed = image(&memory, &[noise(3, 10)], Some("v1"));
        put(&memory, &app, "v1").await.unwrap();
        let new = app.get_if_changed(&v1, &known).await.unwrap().unwrap();
        assert_eq!(new.bytes(), changed.bytes(), "{kind:?}");

        let names = |mut tags: Vec<Tag>| {
            tags.sort();
            tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(app.tags().all().await.unwrap()), "v1 v2 v3", "{kind:?}");
        assert_eq!(names(app.tags().page_size(1).all().await.unwrap()), "v1 v2 v3", "{kind:?}");
        let page = app.tags().page_size(2).next().await.unwrap().unwrap();
        assert_eq!(names(page), if pages { "v1 v2" } else { "v1 v2 v3" }, "{kind:?}");
        let rest = app.tags().after(&tag("v1")).all().await.unwrap();
        assert_eq!(names(rest), if pages { "v2 v3" } else { "v1 v2 v3" }, "{kind:?}");

        let registry = app.repository().registry();
        let listed = client.catalog(&registry).page_size(1).all().await.unwrap();
        let mut listed: Vec<_> = listed.iter().map(Repository::path).collect();
        listed.sort_unstable();
        assert_eq!(listed, ["team/app", "team/other"], "{kind:?}");
        let mut rest = client.catalog(&registry).after(app.repository()).page_size(5);
        let rest = rest.next().await.unwrap().unwrap();
        assert_eq!(rest.iter().map(Repository::path).collect::<Vec<_>>(), ["team/other"]);
    })
    .await;
}
