use super::*;

/// A session in which bytes up to `sent` went out and `confirmed` of them arrived.
fn at(confirmed: u64, sent: u64) -> Progress {
    Progress { confirmed, sent, ..Progress::default() }
}

#[test]
fn u06_u08_only_a_well_formed_range_gives_an_offset() {
    let rows = [
        ("0-9", Some(10)),
        ("bytes=0-9", Some(10)),
        ("0-0", Some(0)),
        ("0--1", None),
        ("9-0", None),
        ("1-9", None),
        ("0-18446744073709551615", None),
        ("0-18446744073709551616", None),
        ("0-", None),
        ("", None),
        ("garbage", None),
    ];
    for (range, offset) in rows {
        assert_eq!(next_offset(range), offset, "{range:?}");
    }
}

#[test]
fn u05_a_registry_is_believed_up_to_what_was_sent() {
    let rows = [
        // Behind: back to there.
        ("0-4", Next::On, 5),
        // Ahead, within what this session has sent: on from there.
        ("0-19", Next::On, 20),
        // Beyond what was ever sent.
        ("0-20", Next::Lost("it has more than was sent"), 10),
    ];
    for (range, next, offset) in rows {
        let mut progress = at(10, 20);
        assert_eq!(progress.out_of_order(Some(range)), next, "{range}");
        assert_eq!(progress.offset(), offset, "{range}");
    }
}

#[test]
fn u06_one_byte_and_none_look_the_same() {
    // Of an answer to one byte it means one byte.
    let mut progress = at(0, 1);
    assert_eq!(progress.accepted(Some("0-0"), 1), Next::On);
    assert_eq!(progress.offset(), 1);
    assert_eq!(progress.asked(Some("0-0")), Next::On);
    assert_eq!(progress.offset(), 1);
    // Otherwise nothing, and if that was wrong, a new session tells.
    let mut progress = at(0, 10);
    assert_eq!(progress.asked(Some("0-0")), Next::On);
    assert_eq!(progress.offset(), 0);
    assert_eq!(progress.out_of_order(Some("0-0")), Next::Lost("it has one byte, or none"));
}

#[test]
fn u07_a_session_that_gets_no_further_is_given_up() {
    let mut progress = at(10, 20);
    assert_eq!(progress.accepted(Some("0-9"), 20), Next::On);
    assert_eq!(progress.accepted(Some("0-9"), 20), Next::On);
    assert_eq!(progress.accepted(Some("0-9"), 20), Next::Lost("it does not get any further"));
    // Something new starts the count again.
    let mut progress = at(10, 30);
    for end in 11..30 {
        assert_eq!(progress.accepted(Some("0-9"), end), Next::On);
        assert_eq!(progress.accepted(Some(&format!("0-{}", end - 1)), end), Next::On);
    }
}

/// Each answer forward is one back, too.
#[test]
fn u07_a_session_that_keeps_taking_back_what_it_had_is_given_up() {
    let mut progress = at(0, 16);
    let there_and_back = ["0-15", "0-7"].into_iter().cycle().take(1000);
    let mut answers = there_and_back.map(|range| progress.accepted(Some(range), 16));
    let end = answers.find(|next| *next != Next::On);
    assert_eq!(end, Some(Next::Lost("it takes back what it had")));
}

#[test]
fn u08_without_a_range_our_own_count_holds_and_a_wrong_one_is_asked_about() {
    let mut progress = at(0, 10);
    assert_eq!(progress.accepted(None, 10), Next::On);
    assert_eq!(progress.offset(), 10);
    assert_eq!(progress.accepted(Some("9-0"), 10), Next::Ask);
    assert_eq!(progress.asked(Some("9-0")), Next::Lost("it does not say where it stands"));
}

#[test]
fn u15_u16_the_way_follows_from_what_was_learnt() {
    let learnt = |change: fn(&mut Learnt)| {
        let mut learnt = Learnt::default();
        change(&mut learnt);
        learnt
    };
    let (small, large) = (Some(1 << 20), Some(1 << 30));
    let rows = [
        (learnt(|_| {}), large, false, Way::Whole),
        (learnt(|_| {}), None, false, Way::Chunks(CHUNK)),
        // Smaller pieces help only what is larger than one.
        (learnt(|_| {}), large, true, Way::Chunks(CHUNK)),
        (learnt(|_| {}), small, true, Way::Whole),
        (learnt(|l| l.chunks = Some(false)), large, true, Way::Whole),
        // 413 for 1 MiB, then for 128 KiB, then for all but nothing.
        (learnt(|l| l.too_large = Some(1 << 20)), small, false, Way::Chunks(512 << 10)),
        (learnt(|l| l.too_large = Some(1 << 20)), Some((1 << 20) - 1), false, Way::Whole),
        (learnt(|l| l.too_large = Some(128 << 10)), small, false, Way::Chunks(64 << 10)),
        (learnt(|l| l.too_large = Some(70 << 10)), small, false, Way::Chunks(64 << 10)),
        // A least length is kept, within reason.
        (learnt(|l| l.chunk_min = 20 << 20), None, false, Way::Chunks(20 << 20)),
        (learnt(|l| l.chunk_min = 9 << 60), None, false, Way::Chunks(u64::MAX)),
        (learnt(|l| l.chunk_min = 9 << 60), large, false, Way::Whole),
    ];
    for (learnt, size, cut, way) in rows {
        assert_eq!(Way::choose(&learnt, size, cut), way, "{learnt:?} {size:?} {cut}");
    }
    assert!(may_shrink(&Learnt::default(), 1 << 20));
    assert!(!may_shrink(&Learnt::default(), 64 << 10));
    assert!(!may_shrink(&learnt(|l| l.chunks = Some(false)), 1 << 20));
}
