//! Replays what fuzzing is started from and what it has found (`xtask/fuzz`).

#![allow(clippy::panic, clippy::expect_used, clippy::print_stdout, reason = "only tests")]
#![allow(unreachable_pub, reason = "the targets are a library of their own")]

#[path = "../../xtask/fuzz/src/challenge.rs"]
mod challenge;
#[path = "../../xtask/fuzz/src/error_body.rs"]
mod error_body;
#[path = "../../xtask/fuzz/src/link_header.rs"]
mod link_header;
#[path = "../../xtask/fuzz/src/location_origin.rs"]
mod location_origin;
#[path = "../../xtask/fuzz/src/replay.rs"]
mod replay;
#[path = "../../xtask/fuzz/src/retry_after.rs"]
mod retry_after;
#[path = "../../xtask/fuzz/src/token_response.rs"]
mod token_response;

use replay::replay;

#[test]
fn l01_stored_link_headers_keep_to_the_rules() {
    replay("link_header", link_header::check);
}

#[test]
fn e02_stored_waits_keep_to_the_rules() {
    replay("retry_after", retry_after::check);
}

#[test]
fn m03_stored_error_bodies_keep_to_the_rules() {
    replay("error_body", error_body::check);
}

#[test]
fn r02_stored_locations_keep_to_the_rules() {
    replay("location_origin", location_origin::check);
}

#[test]
fn a05_stored_challenges_keep_to_the_rules() {
    replay("challenge", challenge::check);
}

#[test]
fn m18_stored_token_answers_keep_to_the_rules() {
    replay("token_response", token_response::check);
}
