//! Replays what fuzzing is started from and what it has found (`xtask/fuzz`).

#![allow(clippy::panic, clippy::expect_used, clippy::print_stdout, reason = "only tests")]
#![allow(unreachable_pub, reason = "the targets are a library of their own")]

#[path = "../../xtask/fuzz/src/config_json.rs"]
mod config_json;
#[cfg(unix)]
#[path = "../../xtask/fuzz/src/helper_output.rs"]
mod helper_output;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/fuzz/corpus");
    let files = std::fs::read_dir(format!("{corpus}/{target}")).expect("the stored corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        check(&std::fs::read(path).expect("its bytes"));
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn c01_stored_config_files_keep_to_the_rules() {
    replay("config_json", config_json::check);
}

#[cfg(unix)]
#[test]
fn c08_stored_answers_of_programs_keep_to_the_rules() {
    replay("helper_output", helper_output::check);
}
