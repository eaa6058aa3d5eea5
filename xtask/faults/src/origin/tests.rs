use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::content::Image;

/// Sends these bytes, and returns everything that came back and how it ended.
fn talk(stage: &Stage, sent: &str) -> (Vec<u8>, io::Result<()>) {
    let mut stream = TcpStream::connect(stage.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).map(drop);
    (received, end)
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

fn play(reply: Reply, request: &str) -> (String, io::Result<()>) {
    let stage = Stage::single(Script::new().rule(on("*", "*").always(reply))).unwrap();
    let (received, end) = talk(&stage, request);
    (String::from_utf8_lossy(&received).into_owned(), end)
}

fn body(received: &str) -> &str {
    received.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn a_body_is_cut_at_its_byte_and_ends_with_fin() {
    let (received, end) = play(Reply::new(200).body("0123456789").cut(4, End::Fin), &get("/"));
    assert!(received.contains("Content-Length: 10\r\n"), "{received}");
    assert_eq!(body(&received), "0123");
    end.unwrap();
}

#[test]
fn a_body_is_cut_at_its_byte_and_ends_with_a_reset() {
    let (received, end) = play(Reply::new(200).body("0123456789").cut(4, End::Rst), &get("/"));
    assert_eq!(body(&received), "0123");
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn nothing_is_said_when_the_answer_is_withheld_though_the_work_is_done() {
    let script = Script::new().rule(on("POST", "*").always(Reply::registry().unsaid(End::Fin)));
    let stage = Stage::single(script).unwrap();
    let digest = crate::content::sha256(b"abc");
    let request = format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    );
    let (received, end) = talk(&stage, &request);
    assert!(received.is_empty());
    end.unwrap();
    let origin = stage.origin("A").unwrap();
    assert!(origin.registry().repository("a").unwrap().blobs.contains_key(&digest));
}

#[test]
fn lengths_are_claimed_chunked_or_left_out() {
    let reply = || Reply::new(200).body("0123456789");
    let (received, _) = play(reply().length(Length::Claimed(12)).then(End::Fin), &get("/"));
    assert!(received.contains("Content-Length: 12\r\n"), "{received}");
    let (received, _) = play(reply().length(Length::Chunked).then(End::Fin), &get("/"));
    assert_eq!(body(&received), "a\r\n0123456789\r\n0\r\n\r\n");
    let (received, _) = play(reply().length(Length::Absent).then(End::Fin), &get("/"));
    assert!(!received.contains("Content-Length"), "{received}");
    assert_eq!(body(&received), "0123456789");
}

#[test]
fn a_dripped_body_arrives_whole() {
    let reply = Reply::new(200).body("0123456789").drip(3, Duration::from_millis(1));
    let (received, _) = play(reply.then(End::Fin), &get("/"));
    assert_eq!(body(&received), "0123456789");
}

#[test]
fn an_endless_body_ends_when_the_client_leaves() {
    let reply = Reply::new(200).endless("start", "x");
    let stage = Stage::single(Script::new().rule(on("*", "*").always(reply))).unwrap();
    let mut stream = TcpStream::connect(stage.host()).unwrap();
    stream.write_all(get("/").as_bytes()).unwrap();
    let mut received = vec![0; 100_000];
    stream.read_exact(&mut received).unwrap();
    drop(stream);
    assert!(received.windows(4).any(|window| window == b"xxxx"));
    assert!(stage.log().seen[0].sent >= 90_000);
}

#[test]
fn the_registry_s_answer_is_changed_where_the_script_says_so() {
    let image = Image::small();
    let registry = Registry::new().with_image("a", "v1", &image);
    let flipped = Reply::registry().flip_bit(0).header("docker-content-digest", "{path}?{visit}");
    let script = Script::registry(registry).rule(on("GET", "*").times(1, flipped));
    let stage = Stage::single(script).unwrap();

    let (received, _) = talk(&stage, &get("/v2/a/manifests/v1"));
    let received = String::from_utf8(received).unwrap();
    assert!(received.contains("docker-content-digest: /v2/a/manifests/v1?1\r\n"), "{received}");
    let mut expected = image.manifest.bytes.to_vec();
    expected[0] ^= 1;
    assert_eq!(body(&received).as_bytes(), expected);

    let (received, _) = talk(&stage, &get("/v2/a/manifests/v1"));
    assert_eq!(body(&String::from_utf8(received).unwrap()).as_bytes(), image.manifest.bytes);
}

#[test]
fn rules_are_used_in_order_and_used_up() {
    let script = Script::new()
        .rule(on("GET", "/x*").with_header("range").always(Reply::new(206)))
        .rule(on("GET", "/x*").times(1, Reply::new(500)).times(1, Reply::new(503)))
        .rule(on("GET", "/x*").always(Reply::new(200)));
    let stage = Stage::single(script).unwrap();
    let ranged = "GET /x HTTP/1.1\r\nRange: bytes=1-\r\nConnection: close\r\n\r\n";
    for request in [get("/x1"), get("/x2"), ranged.to_owned(), get("/x3"), get("/y")] {
        let mut stream = TcpStream::connect(stage.host()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    }
    let statuses: Vec<_> = stage.log().seen.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [500, 503, 206, 200, 404]);
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let stage = Stage::single(Script::new()).unwrap();
    let two = format!("HEAD /v2/ HTTP/1.1\r\n\r\n{}", get("/v2/"));
    let mut stream = TcpStream::connect(stage.host()).unwrap();
    stream.write_all(two.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    assert_eq!(received.matches("HTTP/1.1 200 OK").count(), 2);
}

#[test]
fn chunked_and_interrupted_bodies_are_told_apart() {
    let stage = Stage::single(Script::new()).unwrap();
    let chunked = "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
    let short = "POST /s HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc";
    for request in [chunked, short] {
        let mut stream = TcpStream::connect(stage.host()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let log = stage.log();
    let bodies: Vec<_> =
        log.seen.iter().map(|seen| (&seen.request.body[..], seen.request.body_complete)).collect();
    assert_eq!(bodies, [(&b"abcde"[..], true), (&b"abc"[..], false)]);
}

#[test]
fn a_secret_is_found_wherever_it_hides() {
    let request = |target: &str, header: &str, body: &str| Seen {
        at: Instant::now(),
        request: Request {
            method: "GET".into(),
            target: target.into(),
            headers: vec![("X".into(), header.into())],
            body: body.to_owned().into(),
            ..Request::default()
        },
        status: 200,
        sent: 0,
    };
    let places = |seen: Seen| -> Vec<String> {
        let log = Log { seen: vec![seen] };
        log.leaks(&["canary-password"]).into_iter().map(|leak| leak.place).collect()
    };
    assert_eq!(places(request("/", "Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ=", "")), ["X"]);
    assert_eq!(places(request("/?p=canary%2Dpassword", "", "")), ["target"]);
    assert_eq!(places(request("/", "", "a=canary-password&b")), ["body"]);
    assert_eq!(places(request("/", "canary", "password")), Vec::<String>::new());
}

#[test]
fn several_origins_know_each_other_s_addresses() {
    let redirect = Reply::new(307).header("Location", "http://{B}/{nothing}{query}");
    let stage = Stage::start([
        ("A", Script::new().rule(on("*", "*").always(redirect))),
        ("B", Script::new()),
    ])
    .unwrap();
    let (received, _) = talk(&stage, &get("/?x=1"));
    let b = stage.origin("B").unwrap().host();
    let expected = format!("Location: http://{b}/{{nothing}}x=1\r\n");
    assert!(String::from_utf8_lossy(&received).contains(&expected));
}

#[test]
fn a_dropped_stage_closes_its_sockets() {
    let stage = Stage::single(Script::new()).unwrap();
    let host = stage.host().to_owned();
    let mut open = TcpStream::connect(&host).unwrap();
    drop(stage);
    let mut byte = [0];
    assert!(matches!(open.read(&mut byte), Ok(0) | Err(_)));
    assert!(TcpStream::connect(&host).is_err());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_requests_goes_on_when_they_are_there_and_is_told_what_came_instead() {
    let stage = Stage::single(Script::new()).unwrap();
    let (received, _) = talk(&stage, &get("/one"));
    assert!(!received.is_empty());
    stage.until("GET", "/o*", 1).await.unwrap();
    let error = stage.until("GET", "/o*", 2).await.unwrap_err().to_string();
    assert!(error.contains("2 of GET /o*") && error.ends_with("\n  GET /one"), "{error}");
}

#[tokio::test]
async fn a_request_wakes_who_waits_for_it() {
    let stage = Arc::new(Stage::single(Script::new()).unwrap());
    let asking = Arc::clone(&stage);
    let asked = tokio::task::spawn_blocking(move || talk(&asking, &get("/one")).0.len());
    stage.until("GET", "/one", 1).await.unwrap();
    assert!(asked.await.unwrap() > 0);
}
