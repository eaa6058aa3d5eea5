//! Replays what fuzzing is started from and what it has found (`xtask/fuzz`).

#![allow(clippy::panic, clippy::expect_used, clippy::print_stdout, reason = "only tests")]
#![allow(unreachable_pub, reason = "the targets are a library of their own")]

#[path = "../../xtask/fuzz/src/digest.rs"]
mod digest;
#[path = "../../xtask/fuzz/src/reference.rs"]
mod reference;
#[path = "../../xtask/fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn n01_stored_references_keep_to_the_rules() {
    replay("reference", reference::check);
}

#[test]
fn i07_stored_digests_keep_to_the_rules() {
    replay("digest", digest::check);
}
