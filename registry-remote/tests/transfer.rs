//! Pull, push and copy against a registry, with the requests they cost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_name::Identifier;
use registry_remote::{
    CopyOptions, Error, ErrorKind, Manifest, Memory, Sink, Source, copy, media_type,
};
use stage::{Stage, image, image_with, index, json, noise, tag};

type Shared = Arc<Memory>;

async fn push(memory: &Shared, stage: &Stage, path: &str, name: &str) -> registry_remote::Report {
    let source: Arc<dyn Source> = memory.clone();
    let sink: Arc<dyn Sink> = Arc::new(stage.remote(path));
    let tag = tag(name);
    let from = Identifier::Tag(tag.clone());
    copy(&source, &from, &sink, Some(&tag), &CopyOptions::default()).await.unwrap()
}

async fn pull(
    stage: &Stage,
    path: &str,
    name: &str,
    options: &CopyOptions,
) -> Result<(Shared, registry_remote::Report), Error> {
    let memory = Shared::default();
    let source: Arc<dyn Source> = Arc::new(stage.remote(path));
    let sink: Arc<dyn Sink> = memory.clone();
    let tag = tag(name);
    let from = Identifier::Tag(tag.clone());
    let report = copy(&source, &from, &sink, Some(&tag), options).await?;
    Ok((memory, report))
}

/// Every blob and manifest below `root`, compared byte for byte.
async fn assert_same(ours: &Memory, theirs: &Memory, name: &str) {
    let identifier = Identifier::Tag(tag(name));
    let mut waiting = vec![ours.manifest(&identifier).await.unwrap()];
    let arrived = theirs.manifest(&identifier).await.unwrap();
    assert_eq!(arrived.bytes(), waiting[0].bytes());
    while let Some(manifest) = waiting.pop() {
        for child in manifest.children() {
            if child.is_manifest() {
                let identifier = Identifier::Digest(child.digest.clone());
                let ours = ours.manifest(&identifier).await.unwrap();
                assert_eq!(theirs.manifest(&identifier).await.unwrap().bytes(), ours.bytes());
                waiting.push(ours);
            } else {
                assert!(ours.blob(&child.digest).is_some());
                assert_eq!(theirs.blob(&child.digest), ours.blob(&child.digest));
            }
        }
    }
}

#[tokio::test]
async fn what_is_pushed_comes_back_byte_for_byte() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    // Below and above what travels in one request, and empty.
    let layers = [noise(1, 100), noise(2, 3 << 20), noise(3, (64 << 10) + 1), Vec::new()];
    image(&memory, &layers, Some("v1"));
    let report = push(&memory, &stage, "app", "v1").await;
    assert_eq!((report.manifests, report.written), (1, 5));
    let (pulled, report) = pull(&stage, "app", "v1", &CopyOptions::default()).await.unwrap();
    assert_eq!(report.written, 5);
    assert_same(&memory, &pulled, "v1").await;
}

#[tokio::test]
async fn an_index_travels_whole_and_nested() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let amd = image(&memory, &[noise(1, 10), noise(2, 20)], None);
    let arm = image(&memory, &[noise(1, 10), noise(3, 20)], None);
    let inner = index(&memory, &[(&arm, "linux/arm64/v8")], "inner");
    index(&memory, &[(&amd, "linux/amd64"), (&inner, "linux/arm64")], "v1");
    push(&memory, &stage, "app", "v1").await;
    let (pulled, _) = pull(&stage, "app", "v1", &CopyOptions::default()).await.unwrap();
    assert_same(&memory, &pulled, "v1").await;
}

#[tokio::test]
async fn one_platform_is_an_image_and_several_are_an_index() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let amd = image(&memory, &[noise(1, 10)], None);
    let arm = image(&memory, &[noise(2, 10), noise(3, 10)], None);
    let s390 = image(&memory, &[noise(4, 10), noise(5, 10), noise(6, 10)], None);
    let offered = [(&amd, "linux/amd64"), (&arm, "linux/arm64/v8"), (&s390, "linux/s390x")];
    index(&memory, &offered, "v1");
    push(&memory, &stage, "app", "v1").await;

    let mut options = CopyOptions::default();
    options.platforms = vec!["linux/arm64".parse().unwrap()];
    let (_, report) = pull(&stage, "app", "v1", &options).await.unwrap();
    assert_eq!(report.root.digest, *arm.digest());

    options.platforms.push("linux/amd64".parse().unwrap());
    let (pulled, report) = pull(&stage, "app", "v1", &options).await.unwrap();
    assert_eq!(report.root.media_type, media_type::OCI_INDEX);
    let narrowed = pulled.manifest(&Identifier::Tag(tag("v1"))).await.unwrap();
    let platforms: Vec<_> = narrowed.platforms().iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8"]);
    assert!(pulled.manifest(&Identifier::Digest(s390.digest().clone())).await.is_err());

    options.platforms.push("plan9/mips".parse().unwrap());
    let error = pull(&stage, "app", "v1", &options).await.unwrap_err();
    let place = Source::location(&stage.remote("app"));
    assert_eq!(
        error.to_string(),
        format!(
            "no image for platform plan9/mips; offered: linux/amd64, linux/arm64/v8, linux/s390x (v1 of {place})"
        )
    );
}

/// Among many tags it matters which one has no such image; and a list of referrers has none at all.
#[tokio::test]
async fn a_platform_is_asked_of_images_and_the_one_that_lacks_it_is_named() {
    let memory = Shared::default();
    let (linux, windows) =
        (image(&memory, &[noise(1, 10)], None), image(&memory, &[noise(2, 10)], None));
    index(&memory, &[(&linux, "linux/amd64")], "v1");
    index(&memory, &[(&windows, "windows/amd64")], "win");
    let list = tag(&linux.digest().to_string().replacen(':', "-", 1));
    let signature = json(image(&memory, &[noise(3, 10)], None).descriptor());
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{signature}]}}"#,
        media_type::OCI_INDEX
    );
    memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(list.clone()));
    let source: Arc<dyn Source> = memory;
    let mut options = CopyOptions::default();
    options.platforms = vec!["linux/amd64".parse().unwrap()];
    for (tags, fails) in
        [(vec![tag("v1"), list.clone()], false), (vec![tag("v1"), tag("win")], true)]
    {
        let sink: Arc<dyn Sink> = Arc::new(Memory::new());
        let wanted: Vec<_> = tags.iter().map(copy::Wanted::tag).collect();
        match copy::plan(&source, &wanted, &sink, &options).await {
            Ok(plan) if !fails => assert_eq!(plan.manifests().len(), 3),
            Err(error) if fails => assert!(error.to_string().contains("(win of "), "{error}"),
            other => panic!("{tags:?}: {other:?}"),
        }
    }
}

/// Some name an index by its content. That is no list of referrers, since its entries have platforms.
#[tokio::test]
async fn an_index_under_the_tag_of_a_list_is_an_index() {
    let stage = Stage::start().await;
    let (old, new) = (Shared::default(), Shared::default());
    let name = format!("sha256-{}", "a".repeat(64));
    index(&old, &[(&image(&old, &[noise(1, 10)], None), "linux/amd64")], &name);
    let linux = image(&new, &[noise(2, 10)], None);
    let windows = image(&new, &[noise(3, 10)], None);
    let both = index(&new, &[(&linux, "linux/amd64"), (&windows, "windows/amd64")], &name);
    for memory in [&old, &new] {
        push(memory, &stage, "app", &name).await;
    }
    let there = stage.remote("app").get_manifest(&tag(&name).into()).await.unwrap();
    assert_eq!(there.digest(), both.digest());
    let mut options = CopyOptions::default();
    options.platforms = vec!["linux/amd64".parse().unwrap()];
    let (source, sink): (Arc<dyn Source>, Arc<dyn Sink>) = (new, Arc::new(Memory::new()));
    let taken = copy(&source, &tag(&name).into(), &sink, None, &options).await.unwrap();
    assert_eq!(taken.root.digest, *linux.digest());
}

#[tokio::test]
async fn a_copy_within_a_registry_mounts_and_a_second_one_does_nothing() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    image(&memory, &[noise(1, 100_000), noise(2, 10)], Some("v1"));
    push(&memory, &stage, "from", "v1").await;
    let (source, sink) = (stage.remote("from"), stage.remote("to"));
    let options = CopyOptions::default();
    let report = stage::transfer(&source, &sink, "v1", &options).await.unwrap();
    assert_eq!((report.mounted, report.written, report.bytes), (3, 0, 0));

    let again = stage::transfer(&source, &sink, "v1", &options);
    let (report, mut requests) = stage.requests(again).await;
    assert_eq!(report.unwrap().manifests, 0);
    // Both are on their way at once.
    requests.sort();
    assert_eq!(requests, ["GET /v2/from/manifests/v1", "HEAD /v2/to/manifests/v1"]);
}

#[tokio::test]
async fn requests_are_few() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let layers: Vec<_> = (0..40).map(|n| noise(n, 70_000)).collect();
    image(&memory, &layers, Some("v1"));

    let (_, pushed) = stage.requests(push(&memory, &stage, "app", "v1")).await;
    assert!(pushed.len() <= 85, "{} requests: {pushed:#?}", pushed.len());

    let all = CopyOptions::default();
    let (pulled, requests) = stage.requests(pull(&stage, "app", "v1", &all)).await;
    pulled.unwrap();
    assert!(requests.len() <= 42, "{} requests: {requests:#?}", requests.len());

    let copied = stage::transfer(&stage.remote("app"), &stage.remote("copy"), "v1", &all).await;
    assert_eq!(copied.unwrap().mounted, 41);
    let (_, requests) = stage
        .requests(stage::transfer(&stage.remote("app"), &stage.remote("other"), "v1", &all))
        .await;
    assert!(requests.len() <= 45, "{} requests: {requests:#?}", requests.len());

    let remote = stage.remote("app");
    let (_, requests) =
        stage.requests(Box::pin(remote.head_manifest(&Identifier::Tag(tag("v1"))))).await;
    assert_eq!(requests, ["HEAD /v2/app/manifests/v1"]);
}

#[tokio::test]
async fn a_small_blob_travels_in_the_request_that_begins_its_upload() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    image(&memory, &[noise(1, 100)], Some("v1"));
    let (_, requests) = stage.requests(push(&memory, &stage, "app", "v1")).await;
    let posts = requests.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!((posts, requests.len()), (2, 4), "{requests:#?}");
    assert!(requests[1].starts_with("POST /v2/app/blobs/uploads/?digest=sha256:"), "{requests:#?}");
}

#[tokio::test]
async fn a_source_that_lies_about_a_blob_is_named_and_nothing_is_published() {
    for size in [100, 1 << 20] {
        let stage = Stage::start().await;
        let memory = Shared::default();
        image(&memory, &[noise(1, size)], Some("v1"));
        let lying = Arc::new(Lying(memory));
        let source: Arc<dyn Source> = lying;
        let sink: Arc<dyn Sink> = Arc::new(stage.remote("app"));
        let v1 = tag("v1");
        let from = Identifier::Tag(v1.clone());
        let copied = copy(&source, &from, &sink, Some(&v1), &CopyOptions::default()).await;
        let error = copied.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert!(stage.remote("app").head_manifest(&from).await.unwrap().is_none());
    }
}

/// Flips a bit of every layer.
#[derive(Debug)]
struct Lying(Shared);

#[async_trait::async_trait]
impl Source for Lying {
    fn location(&self) -> String {
        "a liar".to_owned()
    }

    async fn manifest(&self, identifier: &Identifier) -> Result<Manifest, Error> {
        self.0.manifest(identifier).await
    }

    async fn open_blob(
        &self,
        descriptor: &registry_remote::Descriptor,
        _: u64,
    ) -> Result<registry_remote::ByteStream, Error> {
        let mut bytes = self.0.blob(&descriptor.digest).unwrap().to_vec();
        if descriptor.media_type == media_type::OCI_LAYER_GZIP {
            bytes[7] ^= 1;
        }
        Ok(Box::pin(futures_util::stream::iter([Ok(bytes.into())])))
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let stage = Stage::start().await;
    let error = pull(&stage, "app", "v1", &CopyOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("/app:v1"), "{error}");
    let head = stage.remote("app").head_manifest(&Identifier::Tag(tag("v1"))).await;
    assert!(head.unwrap().is_none());
}

#[tokio::test]
async fn a_tag_is_deleted_alone_and_a_manifest_with_its_tags() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let manifest = image(&memory, &[noise(1, 10)], Some("v1"));
    push(&memory, &stage, "app", "v1").await;
    let remote = stage.remote("app");
    remote.put_manifest_tags(&manifest, &[tag("v2")]).await.unwrap();
    remote.delete_tag(&tag("v1")).await.unwrap();
    assert_eq!(remote.tags().all().await.unwrap(), [tag("v2")]);
    remote.delete_manifest(manifest.digest()).await.unwrap();
    assert_eq!(remote.tags().all().await.unwrap(), []);
    let missing = remote.delete_tag(&tag("v1")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn lists_come_page_by_page_and_whole() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let manifest = image(&memory, &[noise(1, 10)], Some("v0"));
    let repositories: Vec<_> = (0..3).map(|n| format!("app{n}")).collect();
    for path in &repositories {
        push(&memory, &stage, path, "v0").await;
    }
    let remote = stage.remote("app0");
    let names: Vec<_> = (0..5).map(|n| tag(&format!("v{n}"))).collect();
    for name in &names {
        remote.put_manifest_tags(&manifest, std::slice::from_ref(name)).await.unwrap();
    }
    assert_eq!(remote.tags().all().await.unwrap(), names);
    let registry = remote.repository().registry();
    let listed = stage.client.catalog(&registry).all().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|found| found.path().to_owned()).collect();
    assert_eq!(listed, repositories);
}

#[tokio::test]
async fn an_artifact_with_a_subject_is_listed_as_a_referrer() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let subject = image(&memory, &[noise(1, 10)], Some("v1"));
    let fields = format!(
        r#""artifactType":"application/x.test","annotations":{{"k":"v"}},"subject":{},"#,
        json(subject.descriptor())
    );
    let artifact = image_with(&memory, &[noise(2, 10)], &fields);
    memory.add_manifest(artifact.clone(), Some(tag("artifact")));
    push(&memory, &stage, "app", "v1").await;
    push(&memory, &stage, "app", "artifact").await;
    let remote = stage.remote("app");
    for (wanted, found) in [(None, 1), (Some("application/x.test"), 1), (Some("other"), 0)] {
        let referrers = remote.referrers(subject.digest(), wanted).await.unwrap();
        assert!(referrers.by_registry);
        assert_eq!(referrers.descriptors.len(), found, "{wanted:?}");
    }
    let listed = &remote.referrers(subject.digest(), None).await.unwrap().descriptors[0];
    assert_eq!(listed.digest, *artifact.digest());
    assert_eq!(listed.annotations["k"], "v");
}

#[tokio::test]
async fn a_manifest_named_by_sha512_keeps_that_name_beside_its_tag() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let known = image(&memory, &[noise(1, 10)], None);
    let digest = registry_remote::verify::digest(registry_name::Algorithm::Sha512, known.bytes());
    let manifest =
        Manifest::verified(known.bytes().clone(), Some(known.media_type()), &digest, "test")
            .unwrap();
    memory.add_manifest(manifest.clone(), Some(tag("v1")));
    let report = push(&memory, &stage, "app", "v1").await;
    assert_eq!(report.root.digest, digest);
    let remote = stage.remote("app");
    for name in [Identifier::Digest(digest), Identifier::Tag(tag("v1"))] {
        assert_eq!(remote.get_manifest(&name).await.unwrap().bytes(), manifest.bytes());
    }
}

#[tokio::test]
async fn g09_content_that_is_embedded_in_its_descriptor_is_not_fetched() {
    let stage = Stage::start().await;
    let memory = Shared::default();
    let mut config = memory.add_blob(media_type::OCI_CONFIG, "{}");
    let mut fetched = Vec::new();
    for (data, name) in [("e30=", "right"), ("e31=", "wrong")] {
        config.data = Some(data.to_owned());
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, json(&config));
        memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag(name)));
        push(&memory, &stage, "app", name).await;
        let all = CopyOptions::default();
        let (pulled, requests) = stage.requests(pull(&stage, "app", name, &all)).await;
        assert_same(&memory, &pulled.unwrap().0, name).await;
        fetched.push(requests.iter().filter(|line| line.contains("/blobs/")).count());
    }
    assert_eq!(fetched, [0, 1]);
}
