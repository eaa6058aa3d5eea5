//! Bodies in both directions: exact lengths out, caps and deadlines in; and what is no HTTP at all.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use registry_authn::Credential;
use registry_faults::origin::{End, Length, Reply, Script, on};
use registry_transport::{
    Body, Builder, ByteStream, Caps, Deadlines, ErrorKind, MANIFEST_CAP, Method, Request,
    RetryPolicy, header,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::common::{World, printed};

const PATH: &str = "/v2/x";

/// One attempt, and deadlines of a fiftieth.
fn impatient(reply: Reply) -> World {
    let script = Script::new().rule(on("*", "*").always(reply));
    World::with([("A", script)], Credential::Anonymous, |builder: Builder| {
        builder.policy(RetryPolicy::none()).deadlines(Deadlines::default().divided_by(50))
    })
}

fn patient(reply: Reply) -> World {
    let script = Script::new().rule(on("*", "*").always(reply));
    World::with([("A", script)], Credential::Anonymous, |builder: Builder| {
        builder.policy(RetryPolicy::none())
    })
}

fn body_of(size: u64, pieces: &'static [&'static str]) -> Body {
    let open = move || -> ByteStream {
        Box::pin(stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())))))
    };
    Body::stream(size, Arc::new(open))
}

#[tokio::test]
async fn every_request_says_how_long_its_body_is() {
    for (method, body, want) in [
        (Method::GET, Body::empty(), None),
        (Method::DELETE, Body::empty(), None),
        (Method::POST, Body::empty(), Some("0")),
        (Method::PUT, Body::bytes(""), Some("0")),
        (Method::PATCH, body_of(0, &[]), Some("0")),
        (Method::PUT, Body::bytes("12345"), Some("5")),
        (Method::PATCH, body_of(10, &["12345", "", "67890"]), Some("10")),
    ] {
        let world = patient(Reply::new(202));
        world.transport.send(world.request(method.clone(), PATH).body(body)).await.unwrap();
        let log = world.log("A");
        let seen = &log.seen[0].request;
        assert_eq!(seen.header("content-length"), want, "{method}");
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        assert_eq!(seen.header("user-agent"), Some("registry-transport/0.1.0"));
        assert_eq!(seen.header("authorization"), None);
    }
}

#[tokio::test]
async fn the_callers_user_agent_stands_before_our_own() {
    let script = Script::new().rule(on("*", "*").always(Reply::new(200)));
    let world = World::with([("A", script)], Credential::Anonymous, |builder: Builder| {
        builder.user_agent("tool/2.1")
    });
    world.transport.send(world.get(PATH)).await.unwrap();
    let agent = world.log("A").seen[0].request.header("user-agent").unwrap().to_owned();
    assert_eq!(agent, "tool/2.1 registry-transport/0.1.0");
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_our_own_failure() {
    let failing = || -> ByteStream {
        Box::pin(stream::iter([
            Ok(Bytes::from_static(b"12")),
            Err(io::Error::other("disk on fire")),
        ]))
    };
    for body in
        [body_of(10, &["12345"]), body_of(3, &["12345"]), Body::stream(10, Arc::new(failing))]
    {
        let world = patient(Reply::new(201));
        let error =
            world.transport.send(world.request(Method::PUT, PATH).body(body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Body, "{}", printed(&error));
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn m01_an_announced_length_over_the_cap_is_refused_before_a_byte_is_read() {
    let world = patient(Reply::new(200).length(Length::Claimed(4 << 30)).then(End::Hold));
    let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
    assert_eq!(answer.content_length(), Some(4 << 30));
    let error = answer.bytes(MANIFEST_CAP).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn m02_a_body_without_end_is_read_up_to_its_cap() {
    let world = patient(Reply::new(200).endless(&b"{"[..], &b" "[..]));
    let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
    let error = answer.bytes(MANIFEST_CAP).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(world.log("A").seen[0].sent < 64 << 20);
}

#[tokio::test]
async fn the_text_of_an_error_is_read_up_to_the_callers_cap() {
    let text = r#"{"errors":[{"code":"DENIED","message":"no"}]}"#;
    for (cap, told) in [(text.len() as u64, 1), (20, 0)] {
        let script = Script::new().rule(on("*", "*").always(Reply::new(400).text(text)));
        let mut caps = Caps::default();
        caps.error = cap;
        let world =
            World::with([("A", script)], Credential::Anonymous, |it: Builder| it.caps(caps));
        let error = world.transport.send(world.get(PATH)).await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
        assert_eq!(error.diagnostics().len(), told, "{error}");
    }
}

#[tokio::test]
async fn m03_an_error_without_end_keeps_its_status() {
    for (status, kind) in
        [(404, ErrorKind::NotFound), (403, ErrorKind::Denied), (500, ErrorKind::Unavailable)]
    {
        let world = patient(Reply::new(status).endless(&b"e"[..], &b"e"[..]));
        let error = world.transport.send(world.get(PATH)).await.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (kind, status));
        assert!(error.to_string().len() < 1000);
        assert!(world.log("A").seen[0].sent < 16 << 20);
    }
}

#[tokio::test]
async fn a_head_has_a_length_and_no_body() {
    let world = patient(Reply::new(200).text("0123456789"));
    let mut answer = world.transport.send(world.request(Method::HEAD, PATH)).await.unwrap();
    assert_eq!(answer.content_length(), Some(10));
    assert_eq!(answer.bytes(5).await.unwrap(), "");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_stalls_is_told_apart_from_one_that_is_wrong() {
    let text = || Reply::new(200).text("0123456789");
    for (reply, want) in [
        (text().cut(5, End::Fin), ErrorKind::Interrupted),
        (text().cut(5, End::Rst), ErrorKind::Interrupted),
        (text().length(Length::Chunked).cut(5, End::Fin), ErrorKind::Interrupted),
        (text().cut(5, End::Hold), ErrorKind::Timeout),
        (
            Reply::raw(
                &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nxyz\r\n"[..],
            ),
            ErrorKind::Protocol,
        ),
    ] {
        let shown = format!("{reply:?}");
        let world = impatient(reply);
        let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
        let error = loop {
            match answer.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was believed: {shown}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), want, "{} {shown}", printed(&error));
        assert_eq!(error.is_retryable(), want != ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn d06_a_dripped_body_is_too_slow() {
    let world =
        impatient(Reply::new(200).endless(&b""[..], &b"x"[..]).drip(1, Duration::from_millis(20)));
    let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
    let error = loop {
        if let Err(error) = answer.chunk().await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TooSlow, "{error}");
}

#[tokio::test]
async fn a_slow_reader_is_not_a_slow_server() {
    let world = impatient(Reply::new(200).body(vec![1; 1 << 20]));
    let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
    let mut size = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        size += chunk.len();
        // Longer than the idle deadline (600 ms), and than the span of the floor (1.2 s), in all.
        if size < 64 << 10 {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
    assert_eq!(size, 1 << 20);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_timeout() {
    let world = impatient(Reply::new(200).unsaid(End::Hold));
    let error = world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn u19_what_a_request_stores_sets_the_time_for_its_answer() {
    let mut deadlines = Deadlines::default();
    (deadlines.head, deadlines.commit) = (Duration::from_millis(100), Duration::from_millis(200));
    (deadlines.commit_rate, deadlines.write_idle) = (10, Duration::from_secs(1));
    for (body, stores, seconds) in [
        (Body::empty(), 0, "0.1 s"),
        (Body::bytes("x"), 0, "0.2 s"),
        (Body::empty(), 1, "0.2 s"),
        (Body::bytes("x"), 10, "1 s"),
    ] {
        let script = Script::new().rule(on("*", "*").always(Reply::new(201).unsaid(End::Hold)));
        let world = World::with([("A", script)], Credential::Anonymous, |builder: Builder| {
            builder.policy(RetryPolicy::none()).deadlines(deadlines)
        });
        let request = world.request(Method::PUT, PATH).body(body).stores(stores);
        let error = world.transport.send(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains(&format!("within {seconds}")), "{stores}: {error}");
    }
}

#[tokio::test]
async fn u18_a_server_that_takes_no_byte_is_a_timeout_and_a_slow_source_is_not() {
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = deaf.local_addr().unwrap().to_string().parse().unwrap();
    let held = tokio::spawn(async move { deaf.accept().await.unwrap() });
    let endless =
        || -> ByteStream { Box::pin(stream::repeat_with(|| Ok(Bytes::from(vec![0; 1 << 16])))) };
    let body = Body::stream(1 << 40, Arc::new(endless));
    let world = impatient(Reply::new(201));
    let request = Request::new(Method::PUT, &registry, PATH).body(body);
    let error = world.transport.send(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("took no byte"), "{error}");
    drop(held.await.unwrap());

    let slow = || -> ByteStream {
        Box::pin(stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(1400)).await;
            (n < 2).then(|| (Ok(Bytes::from_static(b"12345")), n + 1))
        }))
    };
    let body = Body::stream(10, Arc::new(slow));
    world.transport.send(world.request(Method::PUT, PATH).body(body)).await.unwrap();
}

#[tokio::test]
async fn h06_what_is_no_http_is_said_to_be_none() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        &b"\x15\x03\x01\x00\x02\x02\x46"[..],
        &b"<html>hello</html>"[..],
        // H01
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345"[..],
        &b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"[..],
        &b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"[..],
    ] {
        let world = World::new([("A", Script::new().rule(on("*", "*").always(Reply::raw(bytes))))]);
        let error = world.transport.send(world.get(PATH)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{}", printed(&error));
        assert_eq!(world.count("A"), 1);
        assert!(error.hint().unwrap().contains("TLS"));
    }
}

#[tokio::test]
async fn h03_a_head_without_end_is_refused() {
    let mut head = b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec();
    head.resize(4 << 20, b'x');
    let world = World::new([("A", Script::new().rule(on("*", "*").always(Reply::raw(head))))]);
    let error = world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{}", printed(&error));
}

/// A queue that is full is what a host that drops everything looks like.
#[tokio::test]
async fn e11_a_host_that_takes_no_connection_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    let world = impatient(Reply::new(200));
    let url = format!("http://{address}{PATH}").parse().unwrap();
    let error = world.transport.send(world.get(PATH).to(url)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 1), "{}", printed(&error));
    assert!(printed(&error).contains(&address.to_string()), "{}", printed(&error));
}

#[tokio::test]
async fn tls_to_a_port_that_speaks_none_is_never_tried_again() {
    // T01
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let connections = tokio::spawn(async move {
        let mut connections = 0;
        while let Ok(Ok((mut stream, _))) =
            tokio::time::timeout(Duration::from_secs(1), listener.accept()).await
        {
            connections += 1;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
        connections
    });
    let world = World::new([("A", Script::new())]);
    let url = format!("https://{host}{PATH}").parse().unwrap();
    let error = world.transport.send(world.get(PATH).to(url)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1), "{}", printed(&error));
    assert!(error.hint().unwrap().contains("plain HTTP"));
    assert_eq!(connections.await.unwrap(), 1);
}

#[tokio::test]
async fn an_expected_status_is_an_answer_and_check_turns_the_others_into_errors() {
    let world =
        patient(Reply::new(404).text(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}"#));
    let answer = world.transport.send(world.get(PATH).expect(&[200, 404])).await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let error = answer.check(&[200]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.diagnostics()[0].code.as_str(), "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_fails_before_anything_is() {
    let world = patient(Reply::new(200));
    let request = world.get(PATH).header(header::ACCEPT, "a\r\nb");
    assert_eq!(world.transport.send(request).await.unwrap_err().kind(), ErrorKind::Config);
    for path in ["v2/x", "//evil/x", "/v2/../secret", "/v2/./x", "/v2/x#y", "/v2\\x"] {
        let error = world.transport.send(world.get(path)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{path}");
    }
    assert_eq!(world.count("A"), 0);
}
