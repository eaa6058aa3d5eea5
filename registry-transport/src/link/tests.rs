use super::{LinkError, next_link};

fn one(line: &str) -> Result<Option<String>, LinkError> {
    next_link([line.as_bytes()])
}

#[test]
fn the_next_page_is_found_however_the_header_is_written() {
    // L04
    for (line, want) in [
        (r#"</v2/a/tags/list?n=100>; rel="next""#, "/v2/a/tags/list?n=100"),
        (r"</v2/a/tags/list?n=100>; rel=next", "/v2/a/tags/list?n=100"),
        (r"</v2/a/tags/list?n=100>;rel=next", "/v2/a/tags/list?n=100"),
        (r#"</x>; REL="NEXT""#, "/x"),
        (r#"</x> ; rel = "next""#, "/x"),
        (r#"</v2/a/tags/list?last=a,b&n=5>; rel="next""#, "/v2/a/tags/list?last=a,b&n=5"),
        (r#"</v2/a/tags/list?last=a;b&n=5>; rel="next""#, "/v2/a/tags/list?last=a;b&n=5"),
        (r#"</x>; title="a, b; c=\"d\""; rel=next"#, "/x"),
        (r#"</first>; rel="first", </x>; rel="next""#, "/x"),
        (r#"</first>; rel="first",</x>; rel="last next""#, "/x"),
        (r#", </x>; rel="next","#, "/x"),
        (r#"</x>; rel="next"; rel="prev""#, "/x"),
        (r"</x>; crossorigin; rel=next", "/x"),
        (r"</x>;; rel=next", "/x"),
        ("<?last=x>", "?last=x"),
        ("<https://example.com/v2/x>", "https://example.com/v2/x"),
    ] {
        assert_eq!(one(line), Ok(Some(want.to_owned())), "{line}");
    }
}

#[test]
fn another_relation_is_the_end_of_the_list() {
    for line in
        [r#"</x>; rel="prev""#, r#"</x>; rel="prev"; rel="next""#, r"</x>; rel=nextone", "", " , "]
    {
        assert_eq!(one(line), Ok(None), "{line}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_the_end_of_the_list() {
    for line in [
        "<",
        "><",
        "<>",
        "https://example.com/x",
        "<\u{7f}>",
        "< a b >",
        "</x> rel=next",
        r#"</x>; title="a"#,
    ] {
        assert!(one(line).is_err(), "{line}");
    }
    assert!(next_link([b"<\xff>; rel=next".as_slice()]).is_err());
}

#[test]
fn every_header_line_is_read() {
    let lines = [br#"</a>; rel="first""#.as_slice(), br#"</b>; rel="next""#.as_slice()];
    assert_eq!(next_link(lines), Ok(Some("/b".to_owned())));
}
