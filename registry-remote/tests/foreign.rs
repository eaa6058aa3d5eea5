//! Layers that the registry lacks and that their descriptors give URLs for (R13): asked only when
//! told to, without a secret, and verified like any other.
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use registry_authn::{Credential, Fixed};
use registry_faults::{
    content::{Blob, Image, noise},
    origin::{End, Reply, Script, Stage, on},
    registry::{Access, Registry},
    scenario::{CANARIES, PASSWORD, USER},
};
use registry_name::{Identifier, Repository};
use registry_remote::{
    Client, CopyOptions, Descriptor, Error, ErrorKind, Layout, Remote, Sink, Source, copy,
};
use registry_transport::{RetryPolicy, Transport};

const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// A layer that no registry here has.
fn layer() -> Blob {
    Blob::new(FOREIGN, noise(7, 100_000))
}

fn at(urls: &[String]) -> Descriptor {
    let layer = layer();
    let size = layer.bytes.len() as u64;
    let mut descriptor = Descriptor::new(FOREIGN, layer.digest.parse().unwrap(), size);
    descriptor.urls = urls.to_vec();
    descriptor
}

/// A registry that wants a password.
fn guarded() -> Script {
    let access = Access::Basic { user: USER.into(), password: PASSWORD.into() };
    Script::registry(Registry::new().with_image("app", "v1", &Image::small()).with_access(access))
}

fn stage(store: Reply) -> Stage {
    let rule = on("GET", "/layer").always(store);
    Stage::start([("A", guarded()), ("B", Script::new().rule(rule))]).unwrap()
}

fn found() -> Reply {
    Reply::new(200).body(layer().bytes)
}

/// The registry's repository, with its password.
fn remote(stage: &Stage) -> Remote {
    let repository: Repository = format!("{}/app", stage.host()).parse().unwrap();
    let keychain = Fixed::for_registry(repository.registry(), Credential::basic(USER, PASSWORD));
    let policy = RetryPolicy::default().divided_by(1000);
    let transport = Transport::builder().keychain(Arc::new(keychain)).policy(policy);
    Client::new(transport.build().unwrap()).remote(&repository)
}

async fn read(remote: &Remote, descriptor: &Descriptor) -> Result<Bytes, Error> {
    let chunks: Vec<_> = remote.blob(descriptor).await?.try_collect().await?;
    Ok(chunks.concat().into())
}

fn store(stage: &Stage) -> String {
    format!("{}/layer", stage.origin("B").unwrap().url())
}

fn assert_nothing_leaked(stage: &Stage) {
    assert_eq!(stage.origin("B").unwrap().log().leaks(&CANARIES), []);
    // The registry did get to see the password.
    assert_ne!(stage.log().leaks(&CANARIES), []);
}

#[tokio::test]
async fn r13_a_foreign_layer_is_not_asked_for_at_its_url_unless_told_to() {
    let stage = stage(found());
    let error = read(&remote(&stage), &at(&[store(&stage)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(stage.origin("B").unwrap().log().seen.is_empty());
}

#[tokio::test]
async fn r13_a_foreign_layer_comes_from_the_first_url_that_has_it_without_any_secret() {
    let stage = stage(found());
    let store = store(&stage);
    let urls = [
        "file:///etc/hostname".to_owned(),
        "no URL at all".to_owned(),
        store.replace("http://", "http://canary-user@"),
        store.replace("/layer", "/gone"),
        store,
    ];
    let bytes = read(&remote(&stage).with_foreign_layers(), &at(&urls)).await.unwrap();
    assert_eq!(bytes, layer().bytes);
    let log = stage.origin("B").unwrap().log();
    let asked: Vec<_> = log.seen.iter().map(|seen| seen.request.target.as_str()).collect();
    assert_eq!(asked, ["/gone", "/layer"]);
    assert_nothing_leaked(&stage);
}

#[tokio::test]
async fn r13_a_layer_that_the_registry_denies_is_not_asked_for_elsewhere() {
    for (status, kind) in [(403, ErrorKind::Denied), (400, ErrorKind::Other)] {
        let script = guarded().rule(on("GET", "*/blobs/*").always(Reply::new(status)));
        let store_script = Script::new().rule(on("GET", "/layer").always(found()));
        let stage = Stage::start([("A", script), ("B", store_script)]).unwrap();
        let foreign = remote(&stage).with_foreign_layers();
        let error = read(&foreign, &at(&[store(&stage)])).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(stage.origin("B").unwrap().log().seen.len(), 0);
    }
}

#[tokio::test]
async fn r13_a_url_that_wants_a_login_is_given_none() {
    for challenge in ["Basic realm=\"store\"", "Bearer realm=\"http://{A}/token\""] {
        let stage = stage(Reply::new(401).header("WWW-Authenticate", challenge));
        let foreign = remote(&stage).with_foreign_layers();
        let error = read(&foreign, &at(&[store(&stage)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert_eq!(stage.origin("B").unwrap().log().seen.len(), 1);
        assert_eq!(stage.log().count("*", "/token"), 0);
        assert_nothing_leaked(&stage);
    }
}

#[tokio::test]
async fn r13_a_url_at_the_registry_itself_is_not_asked_in_the_callers_name() {
    let challenge = Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\"");
    for (answer, works) in [(found(), true), (challenge, false)] {
        let script = guarded().rule(on("GET", "/private").always(answer));
        let stage = Stage::single(script).unwrap();
        let url = format!("http://{}/private", stage.host());
        let read = read(&remote(&stage).with_foreign_layers(), &at(&[url])).await;
        assert_eq!(read.is_ok(), works, "{read:?}");
        let log = stage.log();
        let asked: Vec<_> = log.requests("GET", "/private").collect();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].request.header("authorization"), None);
    }
}

#[tokio::test]
async fn r13_a_url_that_redirects_to_the_registry_brings_no_secret_there() {
    let script = guarded().rule(on("GET", "/private").always(found()));
    let away = Reply::new(307).header("Location", "http://{A}/private");
    let store_script = Script::new().rule(on("GET", "/layer").always(away));
    let stage = Stage::start([("A", script), ("B", store_script)]).unwrap();
    let foreign = remote(&stage).with_foreign_layers();
    assert_eq!(read(&foreign, &at(&[store(&stage)])).await.unwrap(), layer().bytes);
    let log = stage.log();
    let seen = log.requests("GET", "/private").next().unwrap();
    assert_eq!(seen.request.header("authorization"), None);
    assert_nothing_leaked(&stage);
}

#[tokio::test]
async fn r13_what_a_url_gives_has_to_be_the_layer() {
    for (answer, wrong) in [
        (found().flip_bit(50_000), "digest"),
        (found().append("x"), "size"),
        (Reply::new(200).body(layer().bytes.slice(1..)), "size"),
    ] {
        let stage = stage(answer);
        let foreign = remote(&stage).with_foreign_layers();
        let error = read(&foreign, &at(&[store(&stage)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{wrong}: {error:?}");
    }
}

#[tokio::test]
async fn r13_a_copy_takes_foreign_layers_along_when_told_to_and_resumes_at_their_url() {
    let cut = Reply::registry().status(200).body(layer().bytes).cut(60_000, End::Fin);
    let rest = layer().bytes.slice(60_000..);
    let rest = Reply::new(206).header("Content-Range", "bytes 60000-99999/100000").body(rest);
    let rule = on("GET", "/layer").with_header("range").always(rest);
    let script = Script::new().rule(rule).rule(on("GET", "/layer").always(cut));
    let outside = Stage::single(script).unwrap();
    let url = format!("http://{}/layer", outside.host());
    let image = Image::small().with_manifest(|manifest| {
        let mut foreign = layer().descriptor();
        foreign["urls"] = [url].as_slice().into();
        manifest["layers"].as_array_mut().unwrap().push(foreign);
    });
    let registry = Registry::new().with_image("app", "v1", &image);
    let stage = Stage::single(Script::registry(registry)).unwrap();

    for nondistributable in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path().join("layout"));
        let source: Arc<dyn Source> = Arc::new(remote(&stage));
        let sink: Arc<dyn Sink> = Arc::new(layout);
        let mut options = CopyOptions::default();
        options.nondistributable = nondistributable;
        let from: Identifier = "v1".parse().unwrap();
        copy(&source, &from, &sink, from.tag(), &options).await.unwrap();
        let file = layer().digest.replace("sha256:", "layout/blobs/sha256/");
        let file = std::fs::read(directory.path().join(file)).ok();
        assert_eq!(file, nondistributable.then(|| layer().bytes.to_vec()));
        assert_eq!(outside.log().seen.len(), if nondistributable { 2 } else { 0 });
    }
}
