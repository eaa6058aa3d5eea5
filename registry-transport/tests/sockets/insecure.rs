//! Registries that may do without TLS: only those that were named so, and only where there is no HTTPS.

use std::sync::{Arc, Mutex};

use registry_authn::{Credential, Fixed};
use registry_name::Registry;
use registry_transport::{Deadlines, ErrorKind, Host, Hosts, Method, Request, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::common::{PASSWORD, USER};

/// A registry without TLS that wants a password: it refuses what is no HTTP, as servers do. What it was sent.
async fn plain() -> (Registry, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = listener.local_addr().unwrap().to_string().parse().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.starts_with(b"\x16") && !head.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap() == 0 {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&head).to_lowercase();
            let status = match () {
                () if !text.starts_with("get ") => "400 Bad Request",
                () if text.contains("authorization: basic") => "200 OK",
                () => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            log.lock().unwrap().push(head);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (registry, seen)
}

fn transport(registry: &Registry, host: Host) -> Transport {
    let credential = Credential::basic(USER, PASSWORD);
    Transport::builder()
        .hosts(Hosts::default().host(registry.clone().into(), host))
        .keychain(Arc::new(Fixed::for_registry(registry.clone(), credential)))
        .deadlines(Deadlines::default().divided_by(3))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_server_without_tls_is_found_out_once_and_no_secret_goes_first() {
    let (registry, seen) = plain().await;
    let transport = transport(&registry, Host::new().dangerous_insecure());
    for _ in 0..2 {
        let request = Request::new(Method::GET, &registry, "/v2/app/manifests/v1");
        let answer = transport.send(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.url().scheme()), (200, "http"));
    }
    let seen = seen.lock().unwrap();
    let (hellos, requests): (Vec<_>, Vec<_>) = seen.iter().partition(|head| head[0] == 0x16);
    assert_eq!((hellos.len(), requests.len()), (1, 3), "a hello; refused, answered, answered");
}

#[tokio::test]
async fn nobody_else_goes_without_tls() {
    for host in [
        Host::new().tls(),
        Host::new().tls().dangerous_accept_any_certificate(),
        Host::new().tls().dangerous_insecure(),
    ] {
        let (registry, seen) = plain().await;
        let request = Request::new(Method::GET, &registry, "/v2/app/manifests/v1");
        let error = transport(&registry, host).send(request).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Protocol), "{error:?}");
        assert!(seen.lock().unwrap().iter().all(|head| head[0] == 0x16));
    }
}
