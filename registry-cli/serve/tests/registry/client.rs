//! A client that writes requests byte by byte, so that tests say exactly what is on the wire.

use std::fmt::Write as _;
use std::net::SocketAddr;

use registry_serve::{Builder, Registry, Running};
use sha2::{Digest as _, Sha256, Sha512};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Runs a test against a registry in memory and one on disk.
pub(crate) async fn both<F: AsyncFn(Client)>(test: F) {
    both_with(|builder| builder, test).await;
}

/// The same, with settings.
pub(crate) async fn both_with<F: AsyncFn(Client)>(settings: impl Fn(Builder) -> Builder, test: F) {
    let registry = settings(Registry::builder()).spawn().await.expect("memory");
    test(Client(registry.address())).await;
    registry.shutdown().await;
    let (registry, _directory) = on_disk(settings).await;
    test(Client(registry.address())).await;
    registry.shutdown().await;
}

pub(crate) async fn on_disk(settings: impl Fn(Builder) -> Builder) -> (Running, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = settings(Registry::builder().disk(directory.path()));
    (builder.spawn().await.expect("disk"), directory)
}

/// Sends each request on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) SocketAddr);

impl Client {
    pub(crate) async fn connect(self) -> TcpStream {
        TcpStream::connect(self.0).await.expect("a connection")
    }

    pub(crate) async fn send(
        self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut stream = self.connect().await;
        let head = self.head(method, target, headers, Some(body.as_ref().len()));
        stream.write_all(head.as_bytes()).await.expect("the head is taken");
        // The registry may answer and close before it has taken a body that it does not want.
        let _ = stream.write_all(body.as_ref()).await;
        Answer::read(&mut stream).await
    }

    pub(crate) async fn get(self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn head_of(self, target: &str) -> Answer {
        self.send("HEAD", target, &[], "").await
    }

    pub(crate) async fn delete(self, target: &str) -> Answer {
        self.send("DELETE", target, &[], "").await
    }

    /// The head of a request whose body may follow piece by piece; `None`: it comes in chunks.
    pub(crate) fn head(
        self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: Option<usize>,
    ) -> String {
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.0);
        match length {
            Some(length) => write!(head, "Content-Length: {length}\r\n"),
            None => write!(head, "Transfer-Encoding: chunked\r\n"),
        }
        .expect("a string takes everything");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes everything");
        }
        head + "\r\n"
    }

    /// Pushes a blob in one POST.
    pub(crate) async fn push_blob(self, name: &str, content: impl AsRef<[u8]>) -> String {
        let digest = sha256(content.as_ref());
        let target = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.send("POST", &target, &[], content).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        digest
    }

    /// Begins an upload and returns its location.
    pub(crate) async fn begin(self, name: &str) -> String {
        let answer = self.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("location").expect("a location").to_owned()
    }

    pub(crate) async fn push_manifest(self, name: &str, tag: &str, manifest: &str) -> String {
        let target = format!("/v2/{name}/manifests/{tag}");
        let answer = self.send("PUT", &target, &[], manifest).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("docker-content-digest").expect("a digest").to_owned()
    }

    /// Pushes an image of one layer, and returns its manifest.
    pub(crate) async fn push_image(self, name: &str, tag: &str, layer: &str) -> String {
        let config = self.push_blob(name, "{}").await;
        let digest = self.push_blob(name, layer).await;
        let manifest = image(&config, 2, &[(&digest, layer.len())], "");
        self.push_manifest(name, tag, &manifest).await;
        manifest
    }
}

/// An image manifest; `more` are further fields, each with a comma before it.
pub(crate) fn image(config: &str, size: usize, layers: &[(&str, usize)], more: &str) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|(digest, size)| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{size}}},"layers":[{}]{more}}}"#,
        layers.join(",")
    )
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads until the registry closes the connection.
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an answer");
        Self::parse(&bytes)
            .unwrap_or_else(|| panic!("not an answer: {:?}", String::from_utf8_lossy(&bytes)))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `code` of the first error in the body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code of an error at once.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

pub(crate) fn error(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(crate) fn sha512(bytes: impl AsRef<[u8]>) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
