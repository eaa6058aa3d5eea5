//! How many requests run at one host at once.

use std::num::NonZeroUsize;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use registry_faults::origin::{Reply, Script, Stage, on};
use registry_faults::registry::{Access, Registry};
use registry_transport::Host;

use crate::{get, hosts, transport};

fn only(requests: usize) -> Host {
    Host::new().concurrency(NonZeroUsize::new(requests).unwrap())
}

#[tokio::test]
async fn the_next_request_goes_out_when_the_body_of_one_before_has_been_read_or_dropped() {
    let script = Script::new().rule(on("GET", "/v2/x").always(Reply::new(200).text("body")));
    let stage = Stage::single(script).unwrap();
    let transport = transport(hosts(stage.host(), only(1)), &[]);
    let mut first = get(&transport, stage.host(), "/v2/x").await.unwrap();
    let mut second = Box::pin(get(&transport, stage.host(), "/v2/x"));
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(first.bytes(100).await.unwrap(), "body");
    assert_eq!(stage.log().seen.len(), 1);
    let second = second.await.unwrap();
    let mut third = Box::pin(get(&transport, stage.host(), "/v2/x"));
    assert!((&mut third).now_or_never().is_none());
    drop(second);
    third.await.unwrap();
}

#[tokio::test]
async fn a_transfer_does_not_wait_for_its_own_token() {
    let access = Access::bearer("http://{A}/token", "user", "password");
    let stage = Stage::single(Script::registry(Registry::new().with_access(access))).unwrap();
    let transport = transport(hosts(stage.host(), only(1)), &[(stage.host(), "password")]);
    let all = join_all((0..8).map(|_| async {
        get(&transport, stage.host(), "/v2/").await.unwrap().discard().await;
    }));
    all.await;
    assert_eq!(stage.log().count("GET", "/token"), 1);
}
