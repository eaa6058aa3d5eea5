//! Every public future can be spawned: it is `Send`, whatever it holds across its waits.

use std::sync::Arc;

use registry_name::Registry;
use registry_transport::{Body, Budget, Error, Method, Request, Response, Transport};

fn assert_send<T: Send>(_: T) {}

fn assert_shareable<T: Send + Sync + Clone>() {}

// Compiled, never run.
#[allow(dead_code, reason = "what is checked here is checked by the compiler")]
fn every_public_future_is_send(
    transport: &Transport,
    mut response: Response,
    registry: &Registry,
    request: Request,
    error: Error,
    budget: &Budget,
) {
    assert_send(transport.send(request));
    assert_send(transport.ping(registry));
    assert_send(transport.resume_after(error, 0, budget));
    assert_send(response.chunk());
    assert_send(response.bytes(1));
    assert_send(response.json::<u8>(1));
    assert_send(response.discard());
}

#[test]
fn what_is_passed_between_tasks_can_be() {
    assert_shareable::<Transport>();
    assert_shareable::<Request>();
    assert_shareable::<Body>();
    assert_shareable::<Budget>();
    assert_shareable::<Error>();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_can_be_sent_from_a_spawned_task() {
    let transport = Arc::new(Transport::builder().build().unwrap());
    let request = Request::new(Method::GET, &"localhost:1".parse().unwrap(), "no path");
    let sent = tokio::spawn(async move { transport.send(request).await.map(|_| ()) });
    assert!(sent.await.unwrap().is_err());
}
