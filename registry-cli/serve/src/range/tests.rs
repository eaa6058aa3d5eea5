use super::Wanted::{Everything, Part, Unsatisfiable};
use super::{Chunk, chunk, wanted};

#[test]
fn one_range_is_cut_to_what_exists() {
    for (header, expected) in [
        ("bytes=0-0", Part { first: 0, last: 0 }),
        ("bytes=2-5", Part { first: 2, last: 5 }),
        ("bytes=2-", Part { first: 2, last: 9 }),
        ("bytes=-3", Part { first: 7, last: 9 }),
        ("bytes=-30", Part { first: 0, last: 9 }),
        ("bytes=9-999999999999999999999999", Part { first: 9, last: 9 }),
        ("bytes=10-", Unsatisfiable),
        ("bytes=5-2", Unsatisfiable),
        ("bytes=-0", Unsatisfiable),
        ("bytes=99999999999999999999999-", Unsatisfiable),
    ] {
        assert_eq!(wanted(Some(header), 10), expected, "{header}");
    }
}

#[test]
fn what_cannot_be_understood_is_ignored() {
    for header in [
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1",
        "items=0-1",
        "bytes=0-1,3-4",
        "bytes=0-1, ",
        "0-1",
        "bytes = 0-1",
        "bytes=--1",
        "bytes=1--",
    ] {
        assert_eq!(wanted(Some(header), 10), Everything, "{header}");
    }
    assert_eq!(wanted(None, 10), Everything);
}

#[test]
fn nothing_of_an_empty_blob_can_be_asked_for() {
    for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
        assert_eq!(wanted(Some(header), 0), Unsatisfiable, "{header}");
    }
}

#[test]
fn a_chunk_is_two_numbers_in_order() {
    assert_eq!(chunk("0-0"), Some(Chunk { first: 0, length: 1 }));
    assert_eq!(chunk("10-19"), Some(Chunk { first: 10, length: 10 }));
    for header in ["", "-", "0-", "-1", "2-1", "a-b", "bytes 0-1", "0-1/2", "+0-1", "0--1", " 0-1"]
    {
        assert_eq!(chunk(header), None, "{header}");
    }
    let huge = u64::MAX.to_string();
    assert_eq!(chunk(&format!("0-{huge}")), None, "its length does not fit");
}
