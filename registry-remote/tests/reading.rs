//! Single questions to a registry: heads, conditions, summaries, platforms.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_authn::Credential;
use registry_faults::{
    content::{self, Image},
    origin::{Length, Reply, Script, Seen, Stage as Origins, on},
    registry::{Access, Registry as Fake},
};
use registry_name::{Algorithm, Identifier};
use registry_remote::{
    Client, CopyOptions, Descriptor, Error, ErrorKind, Manifest, Memory, Remote, Sink, Source,
    Version, copy, media_type, select, verify,
};
use registry_transport::{Host, Hosts, Mirror, RetryPolicy, Transport};
use stage::{Stage, image, index, json, noise, push, remote, tag};

fn by_tag(name: &str) -> Identifier {
    Identifier::Tag(tag(name))
}

/// A registry that holds one image as `real/app:v1`, with these rules laid over it.
fn scripted(script: impl FnOnce(Script) -> Script) -> (Origins, Remote) {
    let fake = Fake::new().with_image("real/app", "v1", &Image::small());
    let origins = Origins::start(vec![("A", script(Script::registry(fake)))]).unwrap();
    let remote = remote(&stage::client(), origins.host(), "real/app");
    (origins, remote)
}

fn count(origins: &Origins, method: &str) -> usize {
    origins.origin("A").unwrap().log().count(method, "*/manifests/*")
}

#[tokio::test]
async fn i04_a_head_that_is_refused_or_lies_is_followed_by_get_and_not_tried_again() {
    let digest = Image::small().manifest.digest;
    let rows = [
        Reply::new(404),
        Reply::new(405),
        Reply::new(501),
        Reply::registry().without_header("docker-content-digest"),
        Reply::registry().without_header("content-type"),
    ];
    for reply in rows {
        let (origins, remote) = scripted(|script| script.rule(on("HEAD", "*").always(reply)));
        for _ in 0..2 {
            let found = remote.head_manifest(&by_tag("v1")).await.unwrap().unwrap();
            assert_eq!(found.digest.to_string(), digest);
            assert_eq!(found.media_type, content::MANIFEST);
        }
        assert_eq!(count(&origins, "GET"), 2);
        assert_eq!(count(&origins, "HEAD"), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn a_descriptor_holds_the_same_whoever_made_it() {
    let manifest = Image::small().with_manifest(|manifest| {
        manifest["artifactType"] = "application/x".into();
        manifest["annotations"] = [("a", "b")].into_iter().collect();
    });
    let manifest = manifest.manifest;
    let size = manifest.bytes.len();
    let mut expected =
        Descriptor::new(content::MANIFEST, manifest.digest.parse().unwrap(), size as u64);
    let told = Reply::new(200)
        .header("Content-Type", content::MANIFEST)
        .header("Docker-Content-Digest", &manifest.digest);
    let head = told.clone().header("Content-Length", size.to_string());
    let body = told.body(manifest.bytes);
    for head in [head, Reply::new(405)] {
        let body = body.clone();
        let (_origins, remote) = scripted(|script| {
            script.rule(on("HEAD", "*").always(head)).rule(on("GET", "*").always(body))
        });
        let found = remote.head_manifest(&by_tag("v1")).await.unwrap().unwrap();
        expected.artifact_type = None;
        assert_eq!(found, expected, "what a HEAD can tell");
        let got = remote.get(&by_tag("v1")).await.unwrap();
        expected.artifact_type = Some("application/x".to_owned());
        assert_eq!(*got.descriptor(), expected);
        assert_eq!(*got.manifest().unwrap().descriptor(), expected);
    }
}

#[tokio::test]
async fn an_error_of_head_is_told_with_what_get_says() {
    let said = r#"{"errors":[{"code":"DENIED","message":"not on a Saturday"}]}"#;
    let (_origins, remote) = scripted(|script| {
        script
            .rule(on("HEAD", "*").always(Reply::new(403)))
            .rule(on("GET", "*").always(Reply::new(403).text(said)))
    });
    let Err(Error::Registry { source, .. }) = remote.head_manifest(&by_tag("v1")).await else {
        panic!("it was refused");
    };
    assert_eq!(source.diagnostics()[0].message, "not on a Saturday");
}

#[tokio::test]
async fn i04_a_blob_is_asked_for_with_get_only_where_head_is_what_was_refused() {
    let layer = Image::small().last_layer().clone();
    let (digest, size) = (layer.digest.parse().unwrap(), layer.bytes.len() as u64);
    let length = |length| Reply::new(200).length(Length::Claimed(length));
    let rows = [
        (Reply::registry(), Ok(size), 0),
        (length(0), Ok(size), 1),
        (Reply::new(405), Ok(size), 1),
        (Reply::new(501), Ok(size), 1),
        (Reply::new(400), Ok(size), 1),
        // The transport asks for the reason once.
        (Reply::new(403), Ok(size), 2),
        (Reply::new(404), Err(ErrorKind::NotFound), 0),
        (Reply::new(401), Err(ErrorKind::Denied), 0),
        (Reply::new(429), Err(ErrorKind::RateLimited), 0),
        (Reply::new(500), Err(ErrorKind::Network), 0),
    ];
    for (reply, expected, gets) in rows {
        let said = format!("{reply:?}");
        let fake = Fake::new().with_image("real/app", "v1", &Image::small());
        let script = Script::registry(fake).rule(on("HEAD", "*").always(reply));
        let origins = Origins::single(script).unwrap();
        let transport = Transport::builder().policy(RetryPolicy::default().divided_by(50));
        let client = Client::new(transport.build().unwrap());
        let found = remote(&client, origins.host(), "real/app").head_blob(&digest).await;
        let found = found.map(|found| found.size).map_err(|error| error.kind());
        assert_eq!((found, origins.log().count("GET", "*/blobs/*")), (expected, gets), "{said}");
    }
}

#[tokio::test]
async fn i03_what_head_says_is_not_believed_of_the_bytes() {
    let other = Image::small().with_manifest(|manifest| manifest["x"] = 1.into()).manifest;
    let digest: registry_name::Digest = other.digest.parse().unwrap();
    let claim = Reply::new(200)
        .header("Content-Type", content::MANIFEST)
        .header("Docker-Content-Digest", &other.digest)
        .header("Content-Length", "10");
    let body = Reply::new(200)
        .header("Content-Type", content::MANIFEST)
        .body(Image::small().manifest.bytes);
    let (_origins, remote) = scripted(|script| {
        script.rule(on("HEAD", "*").always(claim)).rule(on("GET", "*").always(body))
    });
    let found = remote.head_manifest(&by_tag("v1")).await.unwrap().unwrap();
    assert_eq!(found.digest, digest);
    let error = remote.get(&Identifier::Digest(digest)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[tokio::test]
async fn i08_a_digest_in_another_algorithm_is_checked_too() {
    let manifest = Image::small().manifest;
    let digest = Identifier::Digest(manifest.digest.parse().unwrap());
    let told = |bytes: &[u8]| {
        let told = verify::digest(Algorithm::Sha512, bytes);
        let reply = Reply::registry().header("Docker-Content-Digest", told.as_str());
        scripted(|script| script.rule(on("GET", "*").always(reply)))
    };
    let (_origins, remote) = told(&manifest.bytes);
    assert_eq!(remote.get(&digest).await.unwrap().descriptor().digest.to_string(), manifest.digest);
    let (_origins, remote) = told(b"something else");
    assert_eq!(remote.get(&digest).await.unwrap_err().kind(), ErrorKind::Integrity);
}

#[tokio::test]
async fn a_poller_pays_for_a_manifest_only_when_it_changed() {
    let stage = Stage::start().await;
    let remote = stage.remote("app");
    let memory = Arc::new(Memory::new());
    image(&memory, &[noise(1, 10)], Some("v1"));
    push(&memory, &remote, "v1").await;
    let first = remote.get(&by_tag("v1")).await.unwrap().version();
    for previous in [first.clone(), Version::from(first.digest.clone())] {
        let asked = stage.requests(remote.get_if_changed(&by_tag("v1"), &previous)).await;
        assert!(asked.0.unwrap().is_none());
        assert_eq!(asked.1, ["GET /v2/app/manifests/v1"]);
    }
    let changed = image(&memory, &[noise(2, 10)], Some("v1"));
    push(&memory, &remote, "v1").await;
    let new = remote.get_if_changed(&by_tag("v1"), &first).await.unwrap().unwrap();
    assert_eq!(new.bytes(), changed.bytes());
    let kept = serde_json::to_string(&new.version()).unwrap();
    let version: Version = serde_json::from_str(&kept).unwrap();
    assert!(remote.get_if_changed(&by_tag("v1"), &version).await.unwrap().is_none());
}

#[tokio::test]
async fn a_registry_without_conditions_is_asked_with_head() {
    let whole = Reply::new(200)
        .header("Content-Type", content::MANIFEST)
        .body(Image::small().manifest.bytes);
    let (origins, remote) = scripted(|script| script.rule(on("GET", "*").always(whole)));
    let known = remote.get(&by_tag("v1")).await.unwrap().version();
    for _ in 0..3 {
        assert!(remote.get_if_changed(&by_tag("v1"), &known).await.unwrap().is_none());
    }
    assert_eq!((count(&origins, "GET"), count(&origins, "HEAD")), (2, 2));
    let older = Version::from(
        format!("sha256:{}", "0".repeat(64)).parse::<registry_name::Digest>().unwrap(),
    );
    assert!(remote.get_if_changed(&by_tag("v1"), &older).await.unwrap().is_some());
}

#[tokio::test]
async fn p07_what_a_mirror_said_of_a_tag_is_not_taken_for_somebody_elses_change() {
    let (old, now) = (Image::small(), Image::small().with_manifest(|it| it["x"] = 1.into()));
    let new = Image::small().with_manifest(|it| it["x"] = 2.into()).manifest;
    let stocked = |image| Script::registry(Fake::new().with_image("real/app", "v1", image));
    let lost = stocked(&now).rule(on("PUT", "*/manifests/*").times(1, Reply::new(502)));
    let origins = Origins::start(vec![("A", lost), ("B", stocked(&old))]).unwrap();
    let mirror = format!("http://{}", origins.origin("B").unwrap().host());
    let host = Host::new().mirror(Mirror::new(mirror.parse().unwrap()));
    let hosts = Hosts::default().host(origins.host().parse().unwrap(), host);
    let transport = Transport::builder().hosts(hosts).policy(RetryPolicy::default().divided_by(50));
    let remote = remote(&Client::new(transport.build().unwrap()), origins.host(), "real/app");
    let seen = remote.get(&by_tag("v1")).await.unwrap();
    assert_eq!(seen.descriptor().digest.to_string(), old.manifest.digest);
    remote.put_raw(new.bytes, Some(content::MANIFEST), &[tag("v1")]).await.unwrap();
    assert_eq!(count(&origins, "PUT"), 2);
}

#[tokio::test]
async fn a_summary_names_what_was_asked_for_and_every_platform() {
    let stage = Stage::start().await;
    let memory = Arc::new(Memory::new());
    let config = memory.add_blob(
        media_type::OCI_CONFIG,
        r#"{"os":"windows","architecture":"amd64","os.version":"10.0.1","os.features":["win32k"]}"#,
    );
    let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, json(&config));
    let windows = Manifest::new(text, None, "test").unwrap();
    memory.add_manifest(windows.clone(), Some(tag("alone")));
    let arm = image(&memory, &[noise(1, 10)], None);
    let offered = [
        (&windows, "windows/amd64:10.0.1+win32k"),
        (&arm, "linux/arm/v7"),
        (&arm, "unknown/unknown"),
    ];
    let both = index(&memory, &offered, "both");
    let remote = stage.remote("team/app");
    push(&memory, &remote, "both").await;
    push(&memory, &remote, "alone").await;

    let summary = remote.summary(&by_tag("both")).await.unwrap();
    assert_eq!(summary.host.as_str(), stage.running.host());
    assert_eq!((&*summary.repository, summary.tag), ("team/app", Some(tag("both"))));
    assert_eq!((&summary.digest, &*summary.media_type), (both.digest(), media_type::OCI_INDEX));
    let platforms: Vec<_> = summary
        .platforms
        .iter()
        .map(|p| (p.os.as_str(), p.architecture.as_str(), p.variant.as_deref(), &p.digest))
        .collect();
    let expected =
        [("windows", "amd64", None, windows.digest()), ("linux", "arm", Some("v7"), arm.digest())];
    assert_eq!(platforms, expected);

    let by_digest = Identifier::Digest(windows.digest().clone());
    let summary = remote.summary(&by_digest).await.unwrap();
    assert_eq!(summary.tag, None);
    let text = serde_json::to_string(&summary).unwrap();
    for part in [r#""osVersion":"10.0.1""#, r#""features":["win32k"]"#, r#""mediaType":""#] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains(r#""tag""#) && !text.contains("variant"), "{text}");
    assert_eq!(serde_json::from_str::<registry_remote::Summary>(&text).unwrap(), summary);
}

#[tokio::test]
async fn g10_the_first_that_matches_is_taken_and_where_none_does_all_are_named() {
    let memory = Memory::new();
    let named: Vec<_> = (1..=5).map(|n| image(&memory, &[noise(n, 10)], None)).collect();
    let inner =
        index(&memory, &[(&named[3], "linux/s390x"), (&named[4], "linux/riscv64")], "inner");
    let offered = [
        (&named[0], "unknown/unknown"),
        (&named[1], "linux/arm64/v8"),
        (&named[2], "linux/arm64/v8"),
    ];
    let entries = index(&memory, &offered, "flat");
    let text = String::from_utf8(entries.bytes().to_vec()).unwrap();
    let text = text.replace("]}", &format!(",{}]}}", json(inner.descriptor())));
    let outer = Manifest::new(text, None, "test").unwrap();
    let find = |wanted: &'static str| {
        let (memory, outer) = (&memory, outer.clone());
        async move { select::image(memory, outer, &wanted.parse().unwrap()).await }
    };
    let found = [("linux/arm64", 1), ("*/*", 1), ("linux/s390x", 3), ("linux/riscv64", 4)];
    for (wanted, expected) in found {
        assert_eq!(find(wanted).await.unwrap().digest(), named[expected].digest(), "{wanted}");
    }
    let error = find("plan9/mips").await.unwrap_err().to_string();
    let expected =
        "no image for platform plan9/mips; offered: linux/arm64/v8, linux/s390x, linux/riscv64";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn g10_images_whose_entries_name_no_platform_are_asked_themselves() {
    let memory = Memory::new();
    let mut entries = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let config = format!(r#"{{"os":"linux","architecture":"{architecture}"}}"#);
        let config = memory.add_blob(media_type::OCI_CONFIG, config);
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, json(&config));
        let manifest = Manifest::new(text, Some(media_type::OCI_MANIFEST), "test").unwrap();
        memory.add_manifest(manifest.clone(), None);
        entries.push(manifest.descriptor().clone());
    }
    let list: Vec<_> = entries.iter().map(json).collect();
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, list.join(","));
    let outer = Manifest::new(text, None, "test").unwrap();
    let wanted = "linux/arm64".parse().unwrap();
    let found = select::image(&memory, outer.clone(), &wanted).await.unwrap();
    assert_eq!(*found.digest(), entries[1].digest);
    let error = select::image(&memory, outer, &"linux/mips".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("offered: linux/amd64, linux/arm64"), "{error}");
}

#[tokio::test]
async fn a_wildcard_keeps_every_entry_that_matches_through_indexes_within() {
    let memory = Arc::new(Memory::new());
    let named: Vec<_> = (1..=4).map(|n| image(&memory, &[noise(n, 10)], None)).collect();
    let inner = index(&memory, &[(&named[2], "linux/s390x"), (&named[3], "windows/arm64")], "in");
    let flat = index(&memory, &[(&named[0], "linux/amd64"), (&named[1], "windows/amd64")], "flat");
    let text = String::from_utf8(flat.bytes().to_vec()).unwrap();
    let text = text.replace("]}", &format!(",{}],\"x\":1}}", json(inner.descriptor())));
    memory.add_manifest(Manifest::new(text, None, "test").unwrap(), Some(tag("all")));
    let source: Arc<dyn Source> = memory;
    let taken = Arc::new(Memory::new());
    let sink: Arc<dyn Sink> = taken.clone();
    let mut options = CopyOptions::default();
    options.platforms = vec!["linux/*".parse().unwrap()];
    copy(&source, &by_tag("all"), &sink, Some(&tag("linux")), &options).await.unwrap();
    let narrowed = taken.manifest(&by_tag("linux")).await.unwrap();
    let platforms: Vec<_> = narrowed.platforms().iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/s390x"]);
    assert!(std::str::from_utf8(narrowed.bytes()).unwrap().contains(r#""x":1"#));
    assert!(taken.manifest(&Identifier::Digest(named[2].digest().clone())).await.is_ok());
    options.platforms.push("plan9/*".parse().unwrap());
    let error = copy(&source, &by_tag("all"), &sink, None, &options).await.unwrap_err();
    assert!(matches!(error, Error::NoPlatform { .. }), "{error}");
}

#[tokio::test]
async fn a_transport_builder_keeps_its_policy_and_gets_the_clients_credential_and_user_agent() {
    let access = Access::Basic { user: "robot".into(), password: "secret".into() };
    let fake = Fake::new().with_access(access).with_image("real/app", "v1", &Image::small());
    let busy = on("GET", "*/blobs/*").always(Reply::new(503));
    let origins = Origins::single(Script::registry(fake).rule(busy)).unwrap();
    let client = Client::builder()
        .transport_builder(Transport::builder().policy(RetryPolicy::none()))
        .credential(origins.host().parse().unwrap(), Credential::basic("robot", "secret"))
        .user_agent("example/1.0")
        .build()
        .unwrap();
    let remote = remote(&client, origins.host(), "real/app");
    let manifest = remote.manifest(&by_tag("v1")).await.unwrap();
    assert!(remote.blob(&manifest.layers()[0]).await.is_err());
    let log = origins.log();
    assert_eq!(log.count("GET", "*/blobs/*"), 1);
    let agent = |seen: &Seen| seen.request.header("user-agent").map(str::to_owned);
    assert!(log.seen.iter().all(|seen| agent(seen).unwrap().starts_with("example/1.0 ")));
}
