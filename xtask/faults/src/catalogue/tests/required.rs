//! Every identifier of the project's catalogue of faults is a scenario, or is covered by a test that says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::catalogue::all;

/// The identifiers by chapter, as in the catalogue. Numbers that are missing are cases that it does not list.
const REQUIRED: [(&str, &str); 16] = [
    ("D", "01 02 04 05 06 08 09 10 11 12 13 14 15 16 17 18 21 22 23 25"),
    ("H", "01 02 03 04 05 06 07 08 09 10 11 12 14 15"),
    ("M", "01 02 03 06 07 08 09 10 11 12 13 14 15 16 17 18"),
    ("I", "01 02 03 04 05 06 07 08 09 10 11 12"),
    ("R", "01 02 04 05 07 08 09 10 11 12 13 14"),
    ("A", "01 02 03 04 05 06 07 08 09 10 11 13 14 15 16 18 19 20 21 22 24 25"),
    ("E", "02 05 06 07 08 09 10 11 12 13 14 15 16 17"),
    ("T", "01 03 06 07 08 09 10 11"),
    ("U", "01 02 04 05 06 07 08 09 10 11 12 13 15 16 17 18 19 20 22 25"),
    ("P", "01 02 03 04 05 06 07 08 09 10 12"),
    ("L", "01 02 03 04 05 06 07 09"),
    ("G", "01 02 03 05 07 08 09 10 12"),
    ("N", "01"),
    ("F", "01 02 04 05 06 08 09 10 11 12 13"),
    ("C", "01 02 03 04 07 08 09 10 11 12 13 14"),
    ("X", "01 02 03 04 05 06 07 08 10"),
];

/// What is no matter of a server and a task: the file and the test, which has the identifiers in its name or in what it says of itself.
const ELSEWHERE: [(&str, &str, &[&str]); 49] = [
    (
        "registry-transport/tests/sockets/authentication.rs",
        "an_identity_token_is_exchanged_by_post_and_where_that_is_not_offered_by_get",
        &["A11"],
    ),
    (
        "registry-remote/tests/push.rs",
        "a20_a_mount_that_no_token_allows_is_asked_for_without_its_source_or_becomes_an_upload",
        &["A20"],
    ),
    (
        "registry-transport/tests/sockets/schemes.rs",
        "a21_odd_names_and_passwords_are_sent_right_or_not_at_all",
        &["A21"],
    ),
    (
        "registry-authn/tests/keychains.rs",
        "c01_what_is_no_readable_file_is_an_error_and_never_blocks",
        &["C01"],
    ),
    ("registry-authn/tests/keychains.rs", "c02_utf16_is_named", &["C02"]),
    ("registry-authn/tests/login.rs", "c03_everything_else_in_the_file_stays_as_it_is", &["C03"]),
    (
        "registry-authn/tests/config.rs",
        "c12_every_key_form_is_found_and_a_bad_entry_spoils_nothing_else",
        &["C04", "C12"],
    ),
    (
        "registry-authn/tests/helper.rs",
        "c07_a_failure_says_how_it_ended_and_not_what_was_said",
        &["C07"],
    ),
    (
        "registry-authn/tests/corpus.rs",
        "c08_stored_answers_of_programs_keep_to_the_rules",
        &["C08"],
    ),
    ("registry-authn/tests/helper.rs", "c09_a_helpers_name_is_a_word", &["C09"]),
    (
        "registry-authn/tests/helper.rs",
        "c10_a_server_with_control_characters_never_reaches_a_helper",
        &["C10"],
    ),
    ("registry-authn/tests/config.rs", "helpers_are_asked_for_the_keys_that_are_theirs", &["C11"]),
    ("registry-cli/tests/login.rs", "c13_headers_of_the_configuration_file_are_not_sent", &["C13"]),
    ("registry-authn/tests/keychains.rs", "c14_the_first_place_with_the_key_wins", &["C14"]),
    (
        "registry-remote/tests/offsets.rs",
        "d25_a_transfer_that_is_cut_beyond_4_gib_goes_on_exactly_there",
        &["D25"],
    ),
    ("registry-remote/tests/push.rs", "e09_what_was_just_written_is_looked_for_again", &["E09"]),
    (
        "registry-transport/tests/sockets/retries.rs",
        "e10_a_refused_connection_is_tried_twice_more",
        &["E10"],
    ),
    (
        "registry-transport/tests/sockets/bodies.rs",
        "e11_a_host_that_takes_no_connection_is_given_up",
        &["E11"],
    ),
    (
        "registry-transport/src/service/resolve.rs",
        "a_failing_name_server_is_told_from_a_missing_name",
        &["E12"],
    ),
    (
        "registry-transport/tests/sockets/retries.rs",
        "e13_many_requests_to_a_dead_host_share_one_account",
        &["E13"],
    ),
    (
        "registry-cli/tests/scarcity.rs",
        "e15_x08_whatever_call_lacks_a_file_or_a_byte_first_the_end_is_clean",
        &["E15", "X08"],
    ),
    (
        "registry-transport/src/notice.rs",
        "e16_a_warning_is_said_once_and_cannot_move_the_cursor",
        &["E16"],
    ),
    ("registry-transport/src/notice.rs", "e17_a_rate_limit_is_read_where_it_can_be", &["E17"]),
    (
        "registry-remote/tests/local_hostile_archives.rs",
        "f04_an_archive_that_two_readers_could_understand_differently_is_refused",
        &["F04"],
    ),
    (
        "registry-remote/tests/local_archives.rs",
        "f05_the_same_image_gives_the_same_bytes_in_a_fixed_order",
        &["F05"],
    ),
    (
        "registry-remote/tests/partials.rs",
        "f06_of_several_that_want_the_same_blob_at_once_one_fetches_it",
        &["F06"],
    ),
    (
        "registry-remote/tests/local_faults.rs",
        "f09_a_write_that_fails_is_local_not_repeated_and_leaves_nothing_behind",
        &["F09"],
    ),
    (
        "registry-remote/tests/local_faults.rs",
        "f10_a_blob_that_rotted_is_noticed_when_it_is_read",
        &["F10"],
    ),
    (
        "registry-remote/tests/local_faults.rs",
        "f12_files_are_readable_by_all_and_writable_by_their_owner",
        &["F12"],
    ),
    (
        "registry-name/tests/properties.rs",
        "n01_any_text_parses_or_is_refused_with_a_position",
        &["N01"],
    ),
    (
        "registry-transport/tests/service.rs",
        "r04_r07_a_public_registry_cannot_send_anyone_to_plain_http_or_to_a_private_address",
        &["R04", "R07"],
    ),
    (
        "registry-transport/tests/sockets/redirects.rs",
        "r09_a_307_sends_the_whole_body_again_from_a_fresh_stream",
        &["R09"],
    ),
    (
        "registry-transport/tests/sockets/redirects.rs",
        "r12_the_body_of_a_redirect_is_not_read",
        &["R12"],
    ),
    (
        "registry-transport/tests/connections/mirrors.rs",
        "r14_each_mirror_is_asked_with_its_own_credential_and_then_the_registry_with_its",
        &["R14"],
    ),
    (
        "registry-transport/tests/connections/tls.rs",
        "t06_what_is_said_about_one_host_counts_for_no_other",
        &["T06"],
    ),
    (
        "registry-transport/tests/connections/tls.rs",
        "t11_a_host_is_verified_under_the_name_that_it_was_asked_by",
        &["T11"],
    ),
    (
        "registry-remote/tests/push.rs",
        "u20_a_source_that_changes_is_named_and_nothing_is_committed",
        &["U20"],
    ),
    ("registry-remote/tests/push.rs", "u22_a_blob_named_by_sha512_is_announced_as_such", &["U22"]),
    (
        "registry-remote/tests/upload_sessions.rs",
        "u25_an_upload_that_is_dropped_deletes_its_session",
        &["U25"],
    ),
    (
        "registry-cli/tests/binary.rs",
        "u25_a_push_that_fails_deletes_what_its_other_uploads_had_begun",
        &["U25"],
    ),
    (
        "registry-cli/tests/binary.rs",
        "u25_x01_a_push_that_is_interrupted_deletes_its_uploads_before_it_ends",
        &["U25", "X01"],
    ),
    (
        "registry-cli/tests/binary.rs",
        "x01_an_interrupted_pull_ends_with_130_or_143_and_leaves_nothing",
        &["X01"],
    ),
    (
        "registry-remote/tests/copy_events.rs",
        "x02_a_copy_that_is_dropped_leaves_nothing_half_published",
        &["X02"],
    ),
    ("registry-cli/tests/binary.rs", "x03_a_reader_that_leaves_is_no_failure", &["X03"]),
    ("registry-cli/tests/failures.rs", "x05_a_server_cannot_write_to_the_terminal", &["X05"]),
    (
        "registry-transport/src/token/disk/tests.rs",
        "x06_a_token_never_lives_longer_than_it_may_whatever_the_clock_does",
        &["X06"],
    ),
    (
        "registry-cli/tests/scarcity.rs",
        "x07_f13_little_memory_few_files_one_processor_and_no_tmp_are_enough",
        &["X07", "F13"],
    ),
    (
        "registry-remote/tests/slow_consumer.rs",
        "x10_a_slow_reader_is_neither_hurried_nor_buffered_for_nor_taken_for_a_stall",
        &["X10"],
    ),
    (
        "registry-remote/tests/upload_answers.rs",
        "p12_a_registry_that_keeps_something_else_is_found_out_where_that_is_asked_for",
        &["P12"],
    ),
];

#[test]
fn every_identifier_is_a_scenario_or_is_covered_by_a_test_elsewhere() {
    let scenarios = all();
    let mut covered: BTreeSet<_> =
        scenarios.iter().flat_map(|scenario| scenario.ids).copied().collect();
    covered.extend(ELSEWHERE.iter().flat_map(|(_, _, ids)| *ids));
    let required = REQUIRED.iter().flat_map(|(chapter, numbers)| {
        numbers.split(' ').map(move |number| format!("{chapter}{number}"))
    });
    let required: BTreeSet<_> = required.collect();
    let missing: Vec<_> = required.iter().filter(|id| !covered.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "nothing covers {missing:?}");
    let unknown: Vec<_> = covered.iter().filter(|id| !required.contains(**id)).collect();
    assert!(unknown.is_empty(), "the catalogue has no {unknown:?}");
}

#[test]
fn the_tests_elsewhere_are_there_and_name_what_they_cover() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    for (file, test, ids) in ELSEWHERE {
        let text = fs::read_to_string(workspace.join(file));
        let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
        let said = said_of(&text, test).unwrap_or_else(|| panic!("{file} has no test {test}"));
        for id in ids {
            let in_name = test.split('_').any(|word| word == id.to_lowercase());
            assert!(in_name || said.contains(id), "{test} in {file} does not say {id}");
        }
    }
}

/// The documentation of a test, if it is there and is one.
fn said_of(text: &str, test: &str) -> Option<String> {
    let (before, _) = text.split_once(&format!("fn {test}("))?;
    let (before, _) = before.rsplit_once('\n')?;
    let above = before.lines().rev().map(str::trim);
    let above: Vec<_> =
        above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect();
    above.iter().any(|line| line.contains("test")).then(|| above.join("\n"))
}
