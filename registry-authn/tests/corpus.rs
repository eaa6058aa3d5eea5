//! Replays what fuzzing is started from and what it has found (`xtask/fuzz`).

#![allow(clippy::panic, clippy::expect_used, clippy::print_stdout, reason = "only tests")]
#![allow(unreachable_pub, reason = "the targets are a library of their own")]

#[path = "../../xtask/fuzz/src/config_json.rs"]
mod config_json;
#[cfg(unix)]
#[path = "../../xtask/fuzz/src/helper_output.rs"]
mod helper_output;
#[path = "../../xtask/fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn c01_stored_config_files_keep_to_the_rules() {
    replay("config_json", config_json::check);
}

#[cfg(unix)]
#[test]
fn c08_stored_answers_of_programs_keep_to_the_rules() {
    replay("helper_output", helper_output::check);
}
