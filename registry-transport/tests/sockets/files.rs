//! What files say, as requests: mirrors in the order of the file, their headers, `ns`, and paths.

use std::fs;

use registry_faults::origin::{Reply, Script, on};
use registry_name::Registry;
use registry_transport::files::{HostFiles, Places};
use registry_transport::{Deadlines, Hosts, Method, Request, Transport};

use crate::common::World;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A transport that knows what a `hosts.toml` for `hub.example` says; `{A}` stands for the origin of that name.
fn transport(world: &World, text: &str) -> Transport {
    let directory = tempfile::tempdir().unwrap();
    let registry = directory.path().join("hub.example");
    fs::create_dir(&registry).unwrap();
    let mut text = text.to_owned();
    for (name, origin) in world.stage.origins() {
        text = text.replace(&format!("{{{name}}}"), origin.host());
    }
    fs::write(registry.join("hosts.toml"), text).unwrap();
    let files = HostFiles::read(Places::none().hosts_toml(directory.path()));
    let hub: Registry = "hub.example".parse().unwrap();
    // Read now: the directory goes away.
    assert_eq!(files.explain(&hub, None).broken(), None);
    Transport::builder()
        .hosts(Hosts::default().files(files))
        .deadlines(Deadlines::default().divided_by(3))
        .build()
        .unwrap()
}

async fn status(transport: &Transport, method: Method, path: &str) -> u16 {
    let request = Request::new(method, &"hub.example".parse().unwrap(), path);
    match transport.send(request.expect(&[200, 202])).await {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => error.status().map_or(0, |status| status.as_u16()),
    }
}

/// Method, target and the header `x-who` of what an origin has seen.
fn seen(world: &World, origin: &str) -> Vec<String> {
    let seen = world.log(origin).seen;
    seen.iter()
        .map(|seen| {
            let who = seen.request.header("x-who").unwrap_or("-");
            format!("{} {} {who}", seen.request.method, seen.request.target)
        })
        .collect()
}

fn all(status: u16) -> Script {
    Script::new().rule(on("*", "*").always(Reply::new(status)))
}

#[tokio::test]
async fn containerd_s_hosts_are_asked_for_what_they_can_do_and_the_server_last() {
    let world = World::new([("A", all(404)), ("B", all(404)), ("C", all(200))]);
    let transport = transport(
        &world,
        "server = \"http://{C}\"\n[header]\nx-who = \"server\"\n\
         [host.\"http://{A}/base\"]\ncapabilities = [\"pull\"]\n\
         [host.\"http://{A}/base\".header]\nx-who = \"first\"\n\
         [host.\"http://{B}/whole\"]\noverride_path = true\n",
    );
    let manifest = format!("/v2/team/app/manifests/{DIGEST}");
    assert_eq!(status(&transport, Method::GET, &manifest).await, 200);
    assert_eq!(status(&transport, Method::GET, "/v2/team/app/manifests/v1").await, 200);
    assert_eq!(status(&transport, Method::GET, "/v2/team/app/tags/list").await, 200);
    assert_eq!(status(&transport, Method::POST, "/v2/team/app/blobs/uploads/").await, 200);
    assert_eq!(
        seen(&world, "A"),
        [format!("GET /base/v2/team/app/manifests/{DIGEST}?ns=hub.example first")]
    );
    assert_eq!(
        seen(&world, "B"),
        [
            format!("GET /whole/team/app/manifests/{DIGEST}?ns=hub.example -"),
            "GET /whole/team/app/manifests/v1?ns=hub.example -".to_owned(),
        ]
    );
    assert_eq!(
        seen(&world, "C"),
        [
            format!("GET /v2/team/app/manifests/{DIGEST}?ns=hub.example server"),
            "GET /v2/team/app/manifests/v1?ns=hub.example server".to_owned(),
            "GET /v2/team/app/tags/list?ns=hub.example server".to_owned(),
            "POST /v2/team/app/blobs/uploads/?ns=hub.example server".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_server_with_a_path_of_its_own_is_asked_there() {
    let world = World::new([("A", all(200))]);
    let transport = transport(&world, "server = \"http://{A}/odd/root\"\noverride_path = true\n");
    assert_eq!(status(&transport, Method::GET, "/v2/team/app/tags/list?n=2").await, 200);
    assert_eq!(seen(&world, "A"), ["GET /odd/root/team/app/tags/list?n=2&ns=hub.example -"]);
}
