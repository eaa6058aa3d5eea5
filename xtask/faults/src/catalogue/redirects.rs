//! Redirects, and what may travel along.

use super::{basic, bearer, last_layer, stocked};
use crate::content::{Blob, Image, noise};
use crate::origin::{Reply, Script, on};
use crate::registry::{Access, Registry};
use crate::scenario::{Action, Class, Expect, REPOSITORY, Scenario, TAG};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        to_other_origin("redirect-with-basic", "Basic", basic()),
        to_other_origin("redirect-with-bearer", "Bearer", bearer("http://{A}/token")),
        challenge_at_target(),
        loop_to_itself(),
        post_becomes_get(),
        foreign_layer(),
    ]
}

fn script(access: Access, status: u16, target: &str) -> Script {
    let (_, rule) = last_layer();
    // Without credentials the registry's own 401 comes first.
    let redirect = Reply::new(status).header("Location", target);
    Script::registry(stocked().with_access(access))
        .rule(rule.with_header("authorization").always(redirect))
}

fn to_other_origin(name: &'static str, scheme: &'static str, access: Access) -> Scenario {
    let (layer, _) = last_layer();
    let title = match scheme {
        "Basic" => "A layer is redirected to another origin; the password stays at home",
        _ => "A layer is redirected to another origin; the token stays at home",
    };
    Scenario::new(&["R01", "R02"], name, title)
        .at("A", script(access, 307, "http://{B}/store/layer?signature=abc"))
        .at(
            "B",
            Script::new().rule(on("GET", "/store/layer").always(Reply::new(200).body(layer.bytes))),
        )
        .logged_in()
        .requests("B", "GET", "/store/layer", 1..=2)
}

fn challenge_at_target() -> Scenario {
    let title = "A redirect's target asks for the password";
    let challenge = Reply::new(401).header("WWW-Authenticate", "Basic realm=\"store\"");
    Scenario::new(&["R11"], "challenge-at-redirect-target", title)
        .at("A", script(basic(), 307, "http://{B}/store/layer"))
        .at("B", Script::new().rule(on("*", "*").always(challenge)))
        .logged_in()
        .expecting(Expect::Failure(&[Class::Denied]))
        .requests("B", "*", "*", 1..=4)
}

fn loop_to_itself() -> Scenario {
    let (layer, rule) = last_layer();
    Scenario::new(&["R05"], "redirect-loop", "A layer is redirected to itself")
        .with_rules([rule.always(Reply::new(307).header("Location", "{target}"))])
        .expecting(Expect::Failure(&[]))
        .requests("A", "GET", &format!("*/blobs/{}", layer.digest), 1..=12)
}

fn post_becomes_get() -> Scenario {
    let title = "The start of an upload is redirected with 303";
    let reply =
        Reply::new(303).header("Location", "http://{A}/v2/real/app/blobs/uploads/elsewhere");
    Scenario::new(&["R08"], "post-redirected-303", title)
        .at("A", Script::new().rule(on("POST", "*").always(reply)))
        .asked_to(Action::Push)
        .expecting(Expect::Failure(&[]))
        .requests("A", "GET", "*/uploads/elsewhere", 0..=0)
}

/// A manifest cannot name the port of an origin that is yet to start, so that this is the part about the default.
fn foreign_layer() -> Scenario {
    let media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let foreign = Blob::new(media_type, noise(7, 1000));
    let image = Image::small().with_manifest(|manifest| {
        let mut descriptor = foreign.descriptor();
        descriptor["urls"] = ["http://127.0.0.1:1/layer"].as_slice().into();
        if let Some(layers) = manifest["layers"].as_array_mut() {
            layers.push(descriptor);
        }
    });
    let title = "A layer is not for redistribution, and the manifest names a URL for it";
    Scenario::new(&["R13"], "foreign-layer", title)
        .at("A", Script::registry(Registry::new().with_image(REPOSITORY, TAG, &image)))
        .with_image(image)
}
