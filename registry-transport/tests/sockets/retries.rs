//! What is sent again, how often, and after which wait.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use registry_authn::Credential;
use registry_faults::origin::{End, Reply, Script, on};
use registry_transport::{
    Body, Budget, Builder, ByteStream, ErrorKind, Method, Replay, Request, RetryPolicy, Transport,
};

use crate::common::{World, printed};

const PATH: &str = "/v2/x";

fn failing(times: u32, reply: Reply) -> World {
    let rule = on("*", PATH).times(times, reply).always(Reply::new(200).text("here"));
    World::new([("A", Script::new().rule(rule))])
}

#[tokio::test]
async fn e05_a_transient_status_is_asked_again_until_it_is_gone() {
    for status in [408, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527, 529, 530] {
        let world = failing(2, Reply::new(status));
        let mut answer = world.transport.send(world.get(PATH)).await.unwrap();
        assert_eq!(answer.bytes(10).await.unwrap(), "here");
        assert_eq!((world.count("A"), world.clock.waits().len()), (3, 2), "{status}");
        assert_eq!(world.transport.counters().retries, 2);
    }
}

#[tokio::test]
async fn e06_a_failure_without_end_is_given_up_after_six_attempts() {
    for replies in [[500, 500], [500, 503]] {
        let rule = replies.iter().cycle().take(20).fold(on("*", PATH), |rule, status| {
            rule.times(
                1,
                Reply::new(*status).text(format!(
                    "{{\"errors\":[{{\"code\":\"UNKNOWN\",\"message\":\"{status}\"}}]}}"
                )),
            )
        });
        let world = World::new([("A", Script::new().rule(rule))]);
        let error = world.transport.send(world.get(PATH)).await.unwrap_err();
        assert_eq!(
            (world.count("A"), error.attempts(), error.kind()),
            (6, 6, ErrorKind::Unavailable)
        );
        assert!(error.is_retryable());
        assert!(error.first_failure().unwrap().to_string().contains("500"));
        assert!(error.to_string().contains("6 attempts"), "{error}");
        let total: Duration = world.clock.waits().iter().sum();
        assert!(
            total >= Duration::from_millis(7750) && total <= Duration::from_secs(16),
            "{total:?}"
        );
        assert!(error.elapsed() >= total);
        let events = world.events.lock().unwrap();
        assert_eq!(events.iter().filter(|event| event.starts_with("Retry")).count(), 5);
    }
}

#[tokio::test]
async fn e07_a_permanent_status_is_asked_once() {
    for status in [
        400, 402, 403, 404, 405, 409, 410, 411, 412, 413, 415, 416, 422, 431, 451, 501, 505, 507,
        511,
    ] {
        let world = failing(1, Reply::new(status));
        let error = world.transport.send(world.get(PATH)).await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!((world.count("A"), error.attempts()), (1, 1), "{status}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_retry_after_is_waited_for_in_both_forms() {
    // E02
    let seconds = Reply::new(429).header("Retry-After", "20");
    let date = Reply::new(503).header("Date", "{now}").header("Retry-After", "{now+20}");
    for reply in [seconds, date] {
        let world = failing(1, reply);
        world.transport.send(world.get(PATH)).await.unwrap();
        let waits = world.clock.waits();
        assert_eq!(waits.len(), 1);
        // Real time passes between the decision and the wait: a little of the 20 s is over by then.
        assert!(
            waits[0] > Duration::from_secs(10) && waits[0] < Duration::from_secs(23),
            "{waits:?}"
        );
        assert_eq!(world.count("A"), 2);
        let events = world.events.lock().unwrap().join("\n");
        assert!(events.contains("Retry") && events.contains("Waiting"), "{events}");
    }
}

#[tokio::test]
async fn a_retry_after_longer_than_allowed_fails_at_once_with_the_time() {
    let world = failing(9, Reply::new(429).header("Retry-After", "3600"));
    let error = world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("A")), (ErrorKind::RateLimited, 1));
    let until = error.retry_at().unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert!(until > Duration::from_secs(3500) && until <= Duration::from_secs(3600), "{until:?}");
    assert!(world.clock.waits().is_empty());
    assert!(error.hint().unwrap().contains("3600"));
}

#[tokio::test]
async fn too_many_requests_in_the_body_of_another_status_is_a_throttle() {
    let text = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    let world = failing(1, Reply::new(403).text(text));
    world.transport.send(world.get(PATH)).await.unwrap();
    assert_eq!(world.count("A"), 2);
}

#[tokio::test]
async fn a_denial_in_the_body_of_a_500_is_final() {
    let text = r#"{"errors":[{"code":"DENIED","message":"no"}]}"#;
    let world = failing(1, Reply::new(500).text(text));
    world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!(world.count("A"), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_replayed_only_where_that_is_safe() {
    for (reply, safe, unsent) in [
        (Reply::new(502), 2, 1),
        (Reply::new(503), 2, 2),
        (Reply::new(429), 2, 2),
        (Reply::new(201).unsaid(End::Fin), 2, 1),
        (Reply::new(201).unsaid(End::Rst), 2, 1),
    ] {
        for (replay, want) in [(Replay::Safe, safe), (Replay::Unsent, unsent)] {
            let world = failing(1, reply.clone());
            let request =
                world.request(Method::PUT, PATH).body(Body::bytes("content")).replay(replay);
            let answer = world.transport.send(request).await;
            assert_eq!(world.count("A"), want, "{replay:?} {reply:?}");
            assert_eq!(answer.is_ok(), want == 2, "{answer:?}");
            assert!(world.log("A").seen.iter().all(|seen| seen.request.body == "content"));
        }
    }
}

#[tokio::test]
async fn h07_a_connection_that_closes_without_a_word_is_tried_again_and_the_first_time_is_free() {
    let world = failing(1, Reply::new(200).unsaid(End::Fin));
    world.transport.send(world.get(PATH)).await.unwrap();
    assert_eq!((world.count("A"), world.clock.waits()), (2, vec![]));

    let world = failing(99, Reply::new(200).unsaid(End::Fin));
    let error = world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 7));
}

#[tokio::test]
async fn h08_a_server_that_hangs_up_after_each_answer_is_no_failure() {
    // Nothing in the answer says that the connection will close.
    let answer = &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..];
    let world = failing(10_000, Reply::raw(answer));
    for _ in 0..100 {
        world.transport.send(world.get(PATH)).await.unwrap().discard().await;
    }
    assert!(world.clock.waits().is_empty());
}

#[tokio::test]
async fn e10_a_refused_connection_is_tried_twice_more() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let world = World::new([("A", Script::new())]);
    let request = Request::new(Method::PUT, &closed.parse().unwrap(), PATH).body(Body::bytes("x"));
    let error = world.transport.send(request).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 3));
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(printed(&error).contains(&closed));
    assert!(world.clock.waits().iter().all(|wait| *wait <= Duration::from_millis(250)));
}

#[tokio::test]
async fn attempts_of_one_operation_do_not_multiply() {
    let world = failing(99, Reply::new(500));
    let budget = Budget::new();
    for _ in 0..4 {
        world.transport.send(world.get(PATH).budget(&budget)).await.unwrap_err();
    }
    // six for the first, and one for each further request that shares its budget
    assert_eq!(world.count("A"), 9);
}

#[tokio::test]
async fn an_interrupted_body_may_be_resumed_five_times_without_progress() {
    let world = World::new([(
        "A",
        Script::new()
            .rule(on("*", "*").always(Reply::new(200).text("0123456789").cut(5, End::Fin))),
    )]);
    let budget = Budget::new();
    let interrupted = || async {
        let mut answer = world.transport.send(world.get(PATH).budget(&budget)).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "01234");
        answer.chunk().await.unwrap_err()
    };
    for _ in 0..5 {
        let error = interrupted().await;
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        world.transport.resume_after(error, 5, &budget).await.unwrap();
    }
    let error = interrupted().await;
    let error = world.transport.resume_after(error, 5, &budget).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    // Progress makes good for what was before.
    let budget = Budget::for_blob(1 << 30);
    for _ in 0..200 {
        let error = interrupted().await;
        world.transport.resume_after(error, 1 << 20, &budget).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e13_many_requests_to_a_dead_host_share_one_account() {
    let world = failing(u32::MAX, Reply::new(500));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (transport, request) = (world.transport.clone(), world.get(PATH));
            tokio::spawn(async move { transport.send(request).await.map(|_| ()) })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap_err();
    }
    assert_eq!(world.count("A"), 64 + 35);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e14_a_throttle_makes_everyone_wait_and_one_go_first() {
    let world = failing(1, Reply::new(429).header("Retry-After", "10"));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (transport, request) = (world.transport.clone(), world.get(PATH));
            tokio::spawn(async move { transport.send(request).await.map(|_| ()) })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(world.count("A"), 9);
    // One wait for all of them.
    assert_eq!(world.clock.waits().len(), 1);
}

/// As in a copy between two repositories of one registry: what is sent is read from the same host.
#[tokio::test]
async fn e14_an_upload_does_not_hold_up_what_it_is_read_from() {
    let rule = on("PUT", PATH).times(1, Reply::new(429).header("Retry-After", "10"));
    let script = Script::new()
        .rule(rule.always(Reply::new(201)))
        .rule(on("GET", PATH).always(Reply::new(200).text("here")));
    let world = World::new([("A", script)]);
    let (transport, get) = (world.transport.clone(), world.get(PATH));
    let open = move || -> ByteStream {
        let (transport, get) = (transport.clone(), get.clone());
        Box::pin(stream::once(async move {
            let mut answer = transport.send(get).await.map_err(io::Error::other)?;
            answer.bytes(10).await.map_err(io::Error::other)
        }))
    };
    let body = Body::stream(4, Arc::new(open));
    let sent = world.transport.send(world.request(Method::PUT, PATH).body(body));
    let sent = tokio::time::timeout(Duration::from_secs(30), sent).await;
    assert_eq!(sent.expect("it waits for itself").unwrap().status().as_u16(), 201);
    assert_eq!((world.count("A"), world.clock.waits().len()), (4, 1));
    // The host is open again.
    world.transport.send(world.get(PATH)).await.unwrap();
}

#[tokio::test]
async fn a_policy_without_retries_sends_once() {
    let script = Script::new().rule(on("*", "*").always(Reply::new(503)));
    let world = World::with([("A", script)], Credential::Anonymous, |builder: Builder| {
        builder.policy(RetryPolicy::none())
    });
    world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!(world.count("A"), 1);
}

#[tokio::test]
async fn a_scaled_policy_needs_no_clock_of_its_own() {
    let stage = registry_faults::origin::Stage::single(
        Script::new().rule(on("*", "*").times(2, Reply::new(503)).always(Reply::new(200))),
    )
    .unwrap();
    let policy = RetryPolicy::default().divided_by(50);
    let transport = Transport::builder().policy(policy).build().unwrap();
    let request = Request::new(Method::GET, &stage.host().parse().unwrap(), PATH);
    transport.send(request).await.unwrap();
    assert_eq!(stage.log().seen.len(), 3);
}

#[tokio::test]
async fn a_misdirected_request_goes_once_more_and_over_a_connection_of_its_own() {
    let rule = on("*", PATH)
        .times(1, Reply::new(200))
        .times(1, Reply::new(421))
        .always(Reply::new(200).text("here"));
    let world = World::new([("A", Script::new().rule(rule))]);
    world.transport.send(world.get(PATH)).await.unwrap().discard().await;
    let request = world.request(Method::PUT, PATH).body(Body::bytes("content"));
    world.transport.send(request).await.unwrap().discard().await;
    let ports: Vec<_> = world.log("A").seen.iter().map(|seen| seen.request.peer).collect();
    assert_eq!(ports.len(), 3);
    assert!(ports[0] == ports[1] && ports[1] != ports[2], "{ports:?}");

    let world = failing(99, Reply::new(421));
    world.transport.send(world.get(PATH)).await.unwrap_err();
    assert_eq!(world.count("A"), 2);
}

#[tokio::test]
async fn a22_a_head_that_is_denied_is_asked_once_as_a_get_for_the_reason() {
    let text = r#"{"errors":[{"code":"DENIED","message":"not on weekends"}]}"#;
    let script = Script::new()
        .rule(on("HEAD", PATH).always(Reply::new(403)))
        .rule(on("GET", PATH).always(Reply::new(403).text(text)));
    let world = World::new([("A", script)]);
    let error = world.transport.send(world.request(Method::HEAD, PATH)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("A")), (ErrorKind::Denied, 2));
    assert!(error.to_string().ends_with("403 Forbidden: DENIED: not on weekends"), "{error}");

    // A GET that works says nothing about the HEAD.
    let script = Script::new()
        .rule(on("HEAD", PATH).always(Reply::new(403)))
        .rule(on("GET", PATH).always(Reply::new(200)));
    let world = World::new([("A", script)]);
    let error = world.transport.send(world.request(Method::HEAD, PATH)).await.unwrap_err();
    assert_eq!((error.kind(), world.count("A")), (ErrorKind::Denied, 2));
}

#[tokio::test]
async fn what_leaves_something_behind_is_repeated_twice_at_most_where_no_answer_came() {
    let unanswered = Reply::new(200).unsaid(End::Rst);
    for (reply, want) in [(unanswered, 3), (Reply::new(502), 6), (Reply::new(429), 6)] {
        let world = failing(99, reply.clone());
        let request = world.request(Method::POST, PATH).replay(Replay::Twice);
        world.transport.send(request).await.unwrap_err();
        assert_eq!(world.count("A"), want, "{reply:?}");
    }
}

#[tokio::test]
async fn the_caller_chooses_which_statuses_and_which_failures_are_worth_another_attempt() {
    let with = |policy: RetryPolicy, status| {
        let rule = on("*", PATH).times(1, Reply::new(status)).always(Reply::new(200));
        World::with([("A", Script::new().rule(rule))], Credential::Anonymous, |builder: Builder| {
            builder.policy(policy)
        })
    };
    let mut listed = RetryPolicy::default();
    listed.statuses = Some(vec![404, 418]);
    let conflicts = RetryPolicy::default().retry_when(|error| match error.kind() {
        ErrorKind::Conflict => Some(true),
        ErrorKind::Unavailable => Some(false),
        _ => None,
    });
    for (policy, status, want) in [
        (&listed, 404, 2),
        (&listed, 418, 2),
        (&listed, 503, 1),
        (&conflicts, 409, 2),
        (&conflicts, 503, 1),
        (&conflicts, 429, 2),
        (&conflicts, 404, 1),
    ] {
        let world = with(policy.clone(), status);
        let answer = world.transport.send(world.get(PATH)).await;
        assert_eq!((world.count("A"), answer.is_ok()), (want, want == 2), "{status}");
        // What may have been processed is the caller's to repeat, whatever the policy says.
        let world = with(policy.clone(), status);
        let put = world.request(Method::PUT, PATH).body(Body::bytes("content"));
        let _ = world.transport.send(put).await;
        assert_eq!(world.count("A"), if status == 429 { 2 } else { 1 }, "{status}");
    }
}
