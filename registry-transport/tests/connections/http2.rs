//! Servers that speak HTTP/2 and use its ways to end a stream or a connection, or to keep a client busy (H10 to H12).

use registry_faults::http2::{Act, Flood, code};
use registry_faults::origin::{Reply, Script, Stage, on};
use registry_faults::tls::{Front, Handshake, Identity, Valid};
use registry_transport::{Body, Error, ErrorKind, Host, Method, Request, Response};

use crate::{hosts, registry, told, transport};

struct World {
    /// Who asks for HTTP/1.1 gets here.
    stage: Stage,
    front: Front,
}

impl World {
    fn new(acts: &[Act]) -> Self {
        let old = Script::new().rule(on("*", "/v2/x").always(Reply::new(200)));
        let stage = Stage::single(old).unwrap();
        let identity = Identity::self_signed(&["127.0.0.1"], Valid::Now, true).unwrap();
        let front = Front::start(Handshake::Http2(identity, acts.to_vec()), stage.host()).unwrap();
        Self { stage, front }
    }

    async fn send(&self, method: Method, body: &str) -> Result<Response, Error> {
        let name = format!("127.0.0.1:{}", self.front.port());
        let host = Host::new().tls().dangerous_accept_any_certificate();
        let request = Request::new(method, &registry(&name), "/v2/x");
        let request = request.body(Body::bytes(body.to_owned()));
        transport(hosts(&name, host), &[]).send(request).await
    }

    /// How the body of a GET ends.
    async fn get(&self) -> Result<String, Error> {
        let bytes = self.send(Method::GET, "").await?.bytes(1 << 10).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[tokio::test]
async fn h10_what_a_goaway_says_was_not_looked_at_goes_again_whatever_the_method() {
    for method in [Method::GET, Method::POST] {
        let world = World::new(&[Act::TurnAway]);
        world.send(method, "body").await.unwrap();
        assert_eq!((world.front.http2_requests(), world.front.connections()), (2, 2));
    }
}

#[tokio::test]
async fn h10_what_was_under_way_at_a_goaway_is_answered_and_what_broke_after_all_is_in_doubt() {
    let world = World::new(&[Act::AnswerLast]);
    assert!(world.get().await.unwrap().contains("v1"));
    assert_eq!(world.front.http2_requests(), 1);
    // The server has it, and may have acted on it.
    let world = World::new(&[Act::BreakPromise]);
    let error = world.send(Method::POST, "body").await.unwrap_err();
    assert_eq!((error.kind(), world.front.http2_requests()), (ErrorKind::Network, 1), "{error}");
    let world = World::new(&[Act::BreakPromise]);
    world.get().await.unwrap();
    assert_eq!(world.front.http2_requests(), 2);
}

#[tokio::test]
async fn h11_a_refused_stream_goes_again_whatever_the_method() {
    for method in [Method::GET, Method::POST] {
        let world = World::new(&[Act::Reset(code::REFUSED_STREAM)]);
        world.send(method, "body").await.unwrap();
        assert_eq!(world.front.http2_requests(), 2);
    }
}

#[tokio::test]
async fn h11_a_stream_that_is_reset_for_another_reason_goes_again_where_that_does_no_harm() {
    for code in [code::INTERNAL_ERROR, code::CANCEL, code::ENHANCE_YOUR_CALM] {
        let world = World::new(&[Act::Reset(code)]);
        world.get().await.unwrap();
        assert_eq!(world.front.http2_requests(), 2, "{code}");
        let world = World::new(&[Act::Reset(code)]);
        let error = world.send(Method::POST, "body").await.unwrap_err();
        assert_eq!(world.front.http2_requests(), 1, "{}", told(&error));
    }
}

#[tokio::test]
async fn h11_a_body_that_is_reset_was_interrupted() {
    for code in [code::INTERNAL_ERROR, code::CANCEL, code::REFUSED_STREAM] {
        let error = World::new(&[Act::CutShort(code)]).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{}", told(&error));
        assert!(error.is_retryable(), "{}", told(&error));
    }
}

#[tokio::test]
async fn h11_a_server_that_wants_patience_is_given_it_and_named_when_it_never_has_enough() {
    let world = World::new(&[Act::Reset(code::ENHANCE_YOUR_CALM); 30]);
    let error = world.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{}", told(&error));
    // Not one of them was sent again at once.
    assert_eq!(u32::try_from(world.front.http2_requests()), Ok(error.attempts()));
}

#[tokio::test]
async fn h11_a_server_that_requires_http_1_1_is_asked_that_way() {
    for method in [Method::GET, Method::POST] {
        let world = World::new(&[Act::Reset(code::HTTP_1_1_REQUIRED); 30]);
        world.send(method, "body").await.unwrap();
        assert_eq!((world.front.http2_requests(), world.stage.log().seen.len()), (1, 1));
    }
}

#[tokio::test]
async fn h12_a_server_that_takes_no_byte_or_gives_none_is_given_up() {
    let world = World::new(&[Act::ZeroWindow]);
    let error = world.send(Method::PUT, &"x".repeat(1 << 20)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1), "{}", told(&error));
    let error = World::new(&[Act::Stall]).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{}", told(&error));
}

#[tokio::test]
async fn h12_a_connection_that_gives_no_answer_in_time_is_not_asked_again() {
    let world = World::new(&[Act::Flood(Flood::Ping)]);
    world.get().await.unwrap();
    assert_eq!((world.front.http2_requests(), world.front.connections()), (2, 2));
}

#[tokio::test]
async fn h12_no_flood_of_frames_keeps_a_client_busy_for_ever() {
    for (flood, kind) in [
        (Flood::Settings, ErrorKind::Timeout),
        (Flood::Ping, ErrorKind::Timeout),
        (Flood::Continuation, ErrorKind::Protocol),
        (Flood::Push, ErrorKind::Protocol),
    ] {
        let world = World::new(&[Act::Flood(flood); 30]);
        let error = world.send(Method::POST, "").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, 1), "{flood:?}: {}", told(&error));
    }
}
