//! HTTPS.
#![cfg(feature = "tls")]

use std::path::Path;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use registry_serve::{Access, Builder, Error, Registry, Running, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::Client;

async fn spawn(builder: Builder) -> Running {
    builder.spawn().await.expect("spawn")
}

/// Connects as a client that trusts one CA.
async fn connect(
    registry: &Running,
    ca: &str,
    name: &str,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM")).expect("a CA");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(registry.address()).await?;
    let name = name.to_owned().try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn get(registry: &Running, ca: &str, name: &str, target: &str) -> std::io::Result<String> {
    let mut stream = connect(registry, ca, name, "http/1.1").await?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_certificate_that_is_made_at_the_start_is_good_for_its_names() {
    let tls = Tls::self_signed(["registry.test"]);
    let registry = spawn(Registry::builder().tls(tls)).await;
    assert_eq!(registry.url(), format!("https://{}", registry.address()));
    let ca = registry.ca().expect("a CA");
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE"));
    for name in ["localhost", "127.0.0.1", "::1", "registry.test"] {
        let answer = get(&registry, ca, name, "/v2/").await.expect(name);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(get(&registry, ca, "elsewhere.test", "/v2/").await.is_err());
    let other = spawn(Registry::builder().tls(Tls::self_signed(["x.test"]))).await;
    let other = other.ca().expect("a CA");
    assert!(get(&registry, other, "localhost", "/v2/").await.is_err(), "another CA");
}

#[tokio::test]
async fn tokens_are_had_over_https_too() {
    let tls = Tls::self_signed(["registry.test"]);
    let access = Access::bearer([("a", "b")]);
    let registry = spawn(Registry::builder().tls(tls).auth(access)).await;
    let ca = registry.ca().expect("a CA");
    let answer = get(&registry, ca, "registry.test", "/v2/").await.expect("an answer");
    assert!(answer.contains("Bearer realm=\"https://registry.test/token\""), "{answer}");
}

#[tokio::test]
async fn http_2_is_spoken_where_the_client_wants_it() {
    let none: [&str; 0] = [];
    let registry = spawn(Registry::builder().tls(Tls::self_signed(none))).await;
    let ca = registry.ca().expect("a CA");
    let mut stream = connect(&registry, ca, "localhost", "h2").await.expect("h2");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    greet_http_2(&mut stream).await;
    // The same without TLS, with prior knowledge.
    let plain = spawn(Registry::builder()).await;
    greet_http_2(&mut TcpStream::connect(plain.address()).await.expect("connected")).await;
}

/// The preface and SETTINGS of both sides: RFC 9113 section 3.4.
async fn greet_http_2(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("preface");
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("empty SETTINGS");
    stream.flush().await.expect("sent");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "SETTINGS come first");
}

#[tokio::test]
async fn http_2_says_how_long_a_body_is_too() {
    let registry = spawn(Registry::builder()).await;
    let digest = Client(registry.address()).push_blob("a", "").await;
    let stream = TokioIo::new(TcpStream::connect(registry.address()).await.expect("connected"));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    for method in ["GET", "HEAD"] {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v2/a/blobs/{digest}", registry.url()))
            .body(Empty::<bytes::Bytes>::new());
        let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        let length = answer.headers().get("content-length").expect("a length");
        assert_eq!(length, "0", "{method}");
    }
    connection.abort();
}

#[tokio::test]
async fn who_speaks_no_tls_does_not_keep_the_others_out() {
    let none: [&str; 0] = [];
    let registry = spawn(Registry::builder().tls(Tls::self_signed(none))).await;
    let mut silent = TcpStream::connect(registry.address()).await.expect("connected");
    let mut plain = TcpStream::connect(registry.address()).await.expect("connected");
    plain.write_all(b"GET /v2/ HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut refused = Vec::new();
    let _ = plain.read_to_end(&mut refused).await;
    assert!(!refused.starts_with(b"HTTP/"), "{refused:?}");
    let ca = registry.ca().expect("a CA").to_owned();
    let answer = get(&registry, &ca, "localhost", "/healthz").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    registry.shutdown().await;
    let _ = silent.read_to_end(&mut refused).await;
}

#[tokio::test]
async fn certificates_come_from_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let made = rcgen::generate_simple_self_signed(["files.test".to_owned()]).expect("made");
    std::fs::write(path("cert"), made.cert.pem()).expect("written");
    std::fs::write(path("key"), made.signing_key.serialize_pem()).expect("written");
    let tls = Tls::files(path("cert"), path("key"));
    let registry = spawn(Registry::builder().tls(tls)).await;
    assert_eq!(registry.ca(), None);
    let answer = get(&registry, &made.cert.pem(), "files.test", "/v2/").await.expect("trusted");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let other = rcgen::generate_simple_self_signed(["files.test".to_owned()]).expect("made");
    std::fs::write(path("other"), other.signing_key.serialize_pem()).expect("written");
    let refused = async |certificate: &Path, key: &Path| {
        let tls = Tls::files(certificate, key);
        Registry::builder().tls(tls).spawn().await.expect_err("refused")
    };
    assert!(matches!(refused(&path("cert"), &path("other")).await, Error::Https { .. }));
    for (certificate, key, named) in
        [("none", "key", "none"), ("key", "key", "key"), ("cert", "cert", "cert")]
    {
        let error = refused(&path(certificate), &path(key)).await;
        let Error::Certificate { path: found, .. } = error else { panic!("{error}") };
        assert_eq!(found, path(named));
    }
}
