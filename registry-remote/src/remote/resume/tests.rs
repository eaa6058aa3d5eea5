use super::*;

const SIZE: u64 = 100;

fn at(position: u64) -> Progress {
    Progress::new(SIZE, position..SIZE)
}

fn partial(range: &str) -> Answer<'_> {
    Answer { status: 206, content_ranges: vec![range], ..Answer::default() }
}

#[test]
fn a_right_range_is_appended() {
    for range in ["bytes 40-99/100", "bytes 40-99/*", " bytes 40-99/100 "] {
        assert_eq!(at(40).start(&partial(range), true), Start::Append, "{range}");
    }
}

#[test]
fn d23_a_part_is_answered_by_exactly_that_part() {
    let part = || Progress::new(SIZE, 40..50);
    assert_eq!(part().start(&partial("bytes 40-49/100"), true), Start::Append);
    for range in ["bytes 40-99/100", "bytes 40-48/100", "bytes 39-49/100", "bytes 40-49/50"] {
        let start = part().start(&partial(range), true);
        assert!(matches!(start, Start::Restart(_)), "{range:?} gave {start:?}");
    }
    let long = Answer { content_length: Some(11), ..partial("bytes 40-49/100") };
    assert!(matches!(part().start(&long, true), Start::Restart(_)));
}

#[test]
fn d08_d09_d10_a_range_that_is_not_exactly_the_rest_is_never_spliced() {
    let wrong = [
        "bytes 0-99/100",
        "bytes 39-99/100",
        "bytes 41-99/100",
        "bytes 40-98/100",
        "bytes 40-49/100",
        "bytes 40-100/101",
        "bytes 40-99/101",
        "bytes */100",
        "bytes=40-99/100",
        "bytes 40-99",
        "bytes +40-99/100",
        "bytes 40-99/",
        "bytes 40-18446744073709551616/100",
        "items 40-99/100",
        "",
    ];
    for range in wrong {
        let start = at(40).start(&partial(range), true);
        assert!(matches!(start, Start::Restart(_)), "{range:?} gave {start:?}");
    }
    let none = Answer { status: 206, ..Answer::default() };
    assert!(matches!(at(40).start(&none, true), Start::Restart(_)));
    let two = Answer { content_ranges: vec!["bytes 40-99/100"; 2], ..none };
    assert!(matches!(at(40).start(&two, true), Start::Restart(_)));
    let parts = Answer {
        content_type: Some("multipart/byteranges; boundary=x"),
        ..partial("bytes 40-99/100")
    };
    assert!(matches!(at(40).start(&parts, true), Start::Restart(_)));
    let long = Answer { content_length: Some(61), ..partial("bytes 40-99/100") };
    assert!(matches!(at(40).start(&long, true), Start::Restart(_)));
}

#[test]
fn d09_a_range_that_nobody_asked_for_is_refused() {
    assert!(matches!(at(0).start(&partial("bytes 0-99/100"), false), Start::Restart(_)));
}

#[test]
fn a_whole_body_in_answer_to_a_range_is_read_from_where_it_is_new() {
    let whole = Answer { status: 200, content_length: Some(SIZE), ..Answer::default() };
    assert_eq!(at(40).start(&whole, true), Start::Skip(40));
    let unannounced = Answer { status: 200, ..Answer::default() };
    assert_eq!(at(0).start(&unannounced, false), Start::Skip(0));
}

#[test]
fn d15_an_announced_length_other_than_the_descriptors_is_refused_unread() {
    for length in [0, 99, 101] {
        let answer = Answer { status: 200, content_length: Some(length), ..Answer::default() };
        assert_eq!(at(0).start(&answer, false), Start::Size(length));
    }
}

#[test]
fn d12_an_offset_that_the_registry_does_not_know_restarts() {
    let answer = Answer { status: 416, ..Answer::default() };
    assert!(matches!(at(40).start(&answer, true), Start::Restart(_)));
    let mut progress = at(40);
    assert!(progress.may_restart());
    assert!(progress.may_restart());
    assert!(!progress.may_restart());
}

#[test]
fn progress_is_counted_from_one_interruption_to_the_next() {
    let mut progress = at(10);
    progress.advance(5);
    assert_eq!((progress.since(), progress.position()), (5, 15));
    progress.advance(2);
    assert_eq!((progress.since(), progress.position()), (2, 17));
    assert_eq!(progress.since(), 0);
}

#[test]
fn bytes_fetched_again_are_bounded() {
    let mut progress = at(0);
    progress.skipped(MAX_REFETCHED);
    assert!(progress.may_skip(SIZE) && !progress.may_skip(SIZE + 1));
    progress.skipped(SIZE + 1);
    assert!(!progress.may_restart());
}

#[test]
fn d13_a_rest_with_another_strong_tag_of_the_same_server_is_not_spliced() {
    let tag = |url: &str, etag| Validator::of(&url.parse().unwrap(), Some(etag));
    let (here, there) = ("https://registry.example/a", "https://store.example/a");
    let before = tag(here, "\"1\"");
    for (now, spliced) in [
        (tag("https://registry.example:443/b", "\"1\""), true),
        (tag(here, "\"2\""), false),
        (tag(there, "\"2\""), true),
        (tag(here, "W/\"2\""), true),
        (None, true),
    ] {
        let mut progress = at(40);
        progress.reads(before.clone());
        let answer = Answer { validator: now, ..partial("bytes 40-99/100") };
        assert_eq!(progress.start(&answer, true) == Start::Append, spliced, "{answer:?}");
    }
}

#[test]
fn d25_offsets_beyond_32_bits_are_told_from_those_that_wrap() {
    let cut = (4 << 30) + 1;
    let progress = Progress::new(5 << 30, cut..5 << 30);
    let right = partial("bytes 4294967297-5368709119/5368709120");
    assert_eq!(progress.start(&right, true), Start::Append);
    for wrapped in [
        "bytes 1-1073741823/1073741824",
        "bytes 1-5368709119/5368709120",
        "bytes 4294967297-1073741823/5368709120",
        "bytes 4294967297-5368709119/1073741824",
    ] {
        let start = progress.start(&partial(wrapped), true);
        assert!(matches!(start, Start::Restart(_)), "{wrapped:?} gave {start:?}");
    }
}
