//! Starting, stopping, restarting; what survives.

use std::path::Path;
use std::process::Stdio;

use registry_serve::{Error, Registry};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::client::{Answer, Client, on_disk, sha256, sha512};

#[tokio::test]
async fn a_registry_says_where_it_is() {
    let registry = Registry::builder().spawn().await.expect("spawn");
    let address = registry.address();
    assert!(address.ip().is_loopback() && address.port() != 0);
    assert_eq!(registry.host(), address.to_string());
    assert_eq!(registry.url(), format!("http://{address}"));
    let every = Registry::builder().address("0.0.0.0:0".parse().expect("an address"));
    let every = every.spawn().await.expect("spawn");
    assert_eq!(every.host(), format!("127.0.0.1:{}", every.address().port()));
}

#[tokio::test]
async fn what_cannot_be_is_an_error_that_names_it() {
    let registry = Registry::builder().spawn().await.expect("spawn");
    let taken = Registry::builder().address(registry.address()).spawn().await;
    let error = taken.expect_err("the port is taken");
    assert!(matches!(error, Error::Listen { address, .. } if address == registry.address()));
    assert!(error.to_string().contains(&registry.host()), "{error}");

    let file = tempfile::NamedTempFile::new().expect("a file");
    let error = Registry::builder().disk(file.path()).spawn().await.expect_err("a file");
    assert!(error.to_string().contains(&*file.path().to_string_lossy()), "{error}");
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_being_answered() {
    let registry = Registry::builder().spawn().await.expect("spawn");
    let client = Client(registry.address());
    let digest = sha256("0123456789");
    let mut stream = client.connect().await;
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    let head = client.head("POST", &target, &[("Expect", "100-continue")], Some(10));
    stream.write_all(head.as_bytes()).await.expect("head");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("100 Continue: the request is being answered");
    let stopping = tokio::spawn(registry.shutdown());
    stream.write_all(b"0123456789").await.expect("body");
    assert_eq!(Answer::read(&mut stream).await.status, 201);
    stopping.await.expect("stopped");
    let refused = tokio::net::TcpStream::connect(client.0).await;
    assert!(refused.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn dropping_a_registry_stops_it() {
    let registry = Registry::builder().spawn().await.expect("spawn");
    let client = Client(registry.address());
    let mut stream = client.connect().await;
    drop(registry);
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing).await;
    assert_eq!(nothing, b"", "the connection is closed");
}

#[tokio::test]
async fn requests_are_recorded_on_demand_and_up_to_a_limit() {
    let registry = Registry::builder().record_requests(2).spawn().await.expect("spawn");
    let client = Client(registry.address());
    for target in ["/v2/", "/v2/a/tags/list?n=5", "/v2/_catalog"] {
        client.get(target).await;
    }
    let records: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|one| (one.method.to_string(), one.target, one.status.as_u16()))
        .collect();
    let get = |target: &str, status| ("GET".to_owned(), target.to_owned(), status);
    assert_eq!(records, [get("/v2/a/tags/list?n=5", 404), get("/v2/_catalog", 200)]);
    let silent = Registry::builder().spawn().await.expect("spawn");
    Client(silent.address()).get("/v2/").await;
    assert!(silent.requests().is_empty());
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (registry, directory) = on_disk(|builder| builder).await;
    let client = Client(registry.address());
    let manifest = client.push_image("team/app", "v1", "layer").await;
    let untyped = r#"{"manifests":[]}"#;
    let typed = [("Content-Type", "application/vnd.example+json")];
    let answer = client.send("PUT", "/v2/team/app/manifests/untyped", &typed, untyped).await;
    assert_eq!(answer.status, 201);
    let subject = sha256(&manifest);
    let referrer = format!(r#"{{"manifests":[],"subject":{{"digest":"{subject}","size":1}}}}"#);
    client.push_manifest("team/app", "sbom", &referrer).await;
    let upload = client.begin("team/app").await;
    assert_eq!(client.send("PATCH", &upload, &[], "half ").await.status, 202);
    let before = client.get("/v2/team/app/tags/list").await.json();
    registry.shutdown().await;

    let registry = Registry::builder().disk(directory.path()).spawn().await.expect("restart");
    let client = Client(registry.address());
    assert_eq!(client.get("/v2/team/app/manifests/v1").await.body, manifest.as_bytes());
    let blob = format!("/v2/team/app/blobs/{}", sha256("layer"));
    assert_eq!(client.get(&blob).await.body, b"layer");
    let untyped = client.get("/v2/team/app/manifests/untyped").await;
    assert_eq!(untyped.header("content-type"), Some("application/vnd.example+json"));
    assert_eq!(client.get("/v2/team/app/tags/list").await.json(), before);
    let referrers = client.get(&format!("/v2/team/app/referrers/{subject}")).await.json();
    assert_eq!(referrers["manifests"][0]["digest"], sha256(&referrer).as_str());

    assert_eq!(client.get(&upload).await.header("range"), Some("0-4"));
    let target = format!("{upload}?digest={}", sha512("half done"));
    let answer = client.send("PUT", &target, &[("Content-Range", "5-8")], "done").await;
    assert_eq!(answer.status, 201, "an upload goes on where it was");
}

#[tokio::test]
async fn a_blob_takes_its_space_once_and_gives_it_back() {
    let (registry, directory) = on_disk(|builder| builder).await;
    let client = Client(registry.address());
    let digest = client.push_blob("one", "shared").await;
    client.push_blob("two", "shared").await;
    let shared = directory.path().join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
    assert_eq!(std::fs::read(&shared).expect("the shared copy"), b"shared");
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let links = || std::fs::metadata(&shared).map(|metadata| metadata.nlink()).ok();
        assert_eq!(links(), Some(3), "two repositories and the shared copy");
        client.delete(&format!("/v2/one/blobs/{digest}")).await;
        assert_eq!(links(), Some(2));
        client.delete(&format!("/v2/two/blobs/{digest}")).await;
        assert_eq!(links(), None);
    }
    client.push_blob("three", "shared").await;
    assert_eq!(client.get(&format!("/v2/three/blobs/{digest}")).await.body, b"shared");
}

/// The process that the next test kills.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn serves_until_it_is_killed() {
    let Some(directory) = std::env::var_os("REGISTRY_SERVE_TEST_DIRECTORY") else { return };
    let registry = Registry::builder().disk(directory).spawn().await.expect("spawn");
    println!("\nlistening on {}", registry.host());
    std::future::pending::<()>().await;
}

async fn child(directory: &Path) -> (tokio::process::Child, Client) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--exact", "life::serves_until_it_is_killed", "--ignored", "--nocapture"])
        .env("REGISTRY_SERVE_TEST_DIRECTORY", directory)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        if let Some(host) = line.strip_prefix("listening on ") {
            return (child, Client(host.parse().expect("an address")));
        }
    }
    panic!("the child did not start");
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    for round in 0..3 {
        let (mut child, client) = child(directory.path()).await;
        for (tag, manifest) in &acknowledged {
            let answer = client.get(&format!("/v2/app/manifests/{tag}")).await;
            assert_eq!(answer.body, manifest.as_bytes(), "round {round}: {tag}");
            let layer = format!("layer {tag}").repeat(1000);
            let blob = client.get(&format!("/v2/app/blobs/{}", sha256(&layer))).await;
            assert!(blob.status == 200 && blob.body == layer.as_bytes(), "round {round}: {tag}");
        }
        // Pushes go on until the process is gone, so that the kill falls into one of them.
        let pushing = tokio::spawn(async move {
            let mut done = Vec::new();
            for number in 0.. {
                let tag = format!("r{round}-{number}");
                match push(client, &tag).await {
                    Some(manifest) => done.push((tag, manifest)),
                    None => return done,
                }
                if number == 5 + round {
                    child.start_kill().expect("SIGKILL");
                }
            }
            done
        });
        let done = pushing.await.expect("pushed");
        assert!(done.len() > 5, "round {round}: {} pushes", done.len());
        acknowledged.extend(done);
    }
    let (_child, client) = child(directory.path()).await;
    let tags = client.get("/v2/app/tags/list").await.json()["tags"].clone();
    for (tag, _) in &acknowledged {
        assert!(tags.as_array().is_some_and(|tags| tags.iter().any(|one| one == tag)), "{tag}");
    }
}

/// Pushes an image; `None` once the registry is gone.
async fn push(client: Client, tag: &str) -> Option<String> {
    let layer = format!("layer {tag}").repeat(1000);
    for content in ["{}", layer.as_str()] {
        let target = format!("/v2/app/blobs/uploads/?digest={}", sha256(content));
        try_send(client, "POST", &target, content).await?;
    }
    let (config, digest) = (sha256("{}"), sha256(&layer));
    let manifest = crate::client::image(&config, 2, &[(&digest, layer.len())], "");
    try_send(client, "PUT", &format!("/v2/app/manifests/{tag}"), &manifest).await?;
    Some(manifest)
}

/// `None` unless a whole answer says 201.
async fn try_send(client: Client, method: &str, target: &str, body: &str) -> Option<()> {
    let mut stream = tokio::net::TcpStream::connect(client.0).await.ok()?;
    let request = client.head(method, target, &[], Some(body.len())) + body;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 201 ").then_some(())
}
