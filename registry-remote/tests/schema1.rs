//! Docker's schema 1, signed: a registry names it by what was signed, and signs it anew whenever it is
//! asked for. So it has no digest of its own that could be relied on.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod stage;

use std::sync::Arc;

use registry_faults::{
    origin::{Script, Stage as Origins},
    peers::{Kind, Server},
    registry::Registry as Fake,
};
use registry_name::{Algorithm, Digest, Identifier};
use registry_remote::{
    Client, CopyOptions, Manifest, Memory, Remote, Report, Sink, Source, copy, media_type, verify,
};
use registry_transport::Transport;
use stage::{index, remote, tag};

/// Signed with a key that signed nothing else.
const SIGNED: &str = r#"{
   "schemaVersion": 1,
   "name": "team/old",
   "tag": "v1",
   "architecture": "amd64",
   "fsLayers": [{"blobSum": "sha256:e28d98ac666afd34f089b971a663264d54d67a60ddc82996d48d8f3c204eb75f"}],
   "history": [{"v1Compatibility": "{\"id\":\"a\"}"}],
   "signatures": [{"header":{"jwk":{"crv":"P-256","kid":"TXJZ:5R5B:Z2G6:SYKC:FR5U:Y4IM:WGRT:4HLT:PPM2:BFUG:7Z6E:EZ5I","kty":"EC","x":"xhL8vzEIsSZglty49ZbS5LI8L_IBidCLY9Cl67NRxJQ","y":"1xfMg4N09rmSeKEJmVjdInGeA5ygP9kOl9V-DkIGzgY"},"alg":"ES256"},"signature":"N0vk6fWoKWUro1PZHXFoa0wNVX2UH1XBpV3h16oD1StbHbZ9tjUH51Ic26ATXjzriaxM4-E05IqOdLjRzopneQ","protected":"eyJmb3JtYXRMZW5ndGgiOjI1MCwiZm9ybWF0VGFpbCI6IkNuMCIsInRpbWUiOiIyMDI0LTAxLTAxVDAwOjAwOjAwWiJ9"}]
}"#;
const LAYER: &str = "a layer";

/// What a registry calls it: the digest without the signatures.
fn name() -> Digest {
    let at = SIGNED.find(",\n   \"signatures\"").unwrap();
    verify::digest(Algorithm::Sha256, format!("{}\n}}", &SIGNED[..at]).as_bytes())
}

async fn transfer(from: Arc<dyn Source>, to: &Remote, tagged: bool) -> Report {
    let sink: Arc<dyn Sink> = Arc::new(to.clone());
    let (v1, options) = (tag("v1"), CopyOptions::default());
    copy(&from, &v1.clone().into(), &sink, tagged.then_some(&v1), &options).await.unwrap()
}

#[tokio::test]
async fn m14_a_signed_manifest_goes_by_what_was_signed() {
    let memory = Memory::new();
    memory.add_blob(media_type::DOCKER_LAYER, LAYER);
    let manifest = Manifest::new(SIGNED, None, "test").unwrap();
    assert_eq!(*manifest.name(), name());
    memory.add_manifest(manifest, Some(tag("v1")));
    let memory = Arc::new(memory);
    let server = match Server::start(Kind::DockerRegistry) {
        Ok(server) => server,
        Err(reason) => {
            registry_faults::skip!("a registry of another make: {reason}");
            return;
        }
    };
    let builder = Client::builder().transport(Transport::builder().build().unwrap());
    let client = builder.verify_pushes(true).build().unwrap();
    let [one, two, bare] =
        ["team/one", "team/two", "team/bare"].map(|path| remote(&client, &server.host(), path));

    // Into the registry, and on within it, where what is read is never the same twice.
    assert_eq!(transfer(memory, &one, true).await.root.digest, name());
    let source: Arc<dyn Source> = Arc::new(one.clone());
    for _ in 0..2 {
        let copied = transfer(source.clone(), &two, true).await;
        assert_eq!((&copied.root.digest, &copied.roots[0].name), (&name(), &name()));
    }
    assert_eq!(transfer(source, &bare, false).await.root.digest, name());
    assert!(bare.head_manifest(&Identifier::Digest(name())).await.unwrap().is_some());

    let found = two.get(&tag("v1").into()).await.unwrap();
    assert_eq!(*found.manifest().unwrap().name(), name());
    assert_eq!(found.version().digest, name());
    assert!(two.get_if_changed(&tag("v1").into(), &found.version()).await.unwrap().is_none());
    assert_eq!(two.summary(&tag("v1").into()).await.unwrap().digest, name());
    let bytes = found.bytes().clone();
    let stored = two.put_raw(bytes, Some(media_type::DOCKER_SCHEMA1_SIGNED), &[]).await.unwrap();
    assert_eq!(stored.digest, name());
    two.delete_manifest(&found.version().digest).await.unwrap();
    assert!(two.head_manifest(&tag("v1").into()).await.unwrap().is_none());
}

/// Such an index goes to registries that name everything by its bytes.
#[tokio::test]
async fn m14_an_entry_of_an_index_goes_by_the_name_that_its_index_uses() {
    let memory = Memory::new();
    memory.add_blob(media_type::DOCKER_LAYER, LAYER);
    let manifest = Manifest::new(SIGNED, None, "test").unwrap();
    memory.add_manifest(manifest.clone(), None);
    index(&memory, &[(&manifest, "linux/amd64")], "v1");
    let server = Origins::single(Script::registry(Fake::new())).unwrap();
    let app = remote(&stage::client(), server.host(), "app");
    transfer(Arc::new(memory), &app, true).await;
    assert!(app.head_manifest(&manifest.digest().clone().into()).await.unwrap().is_some());
}
