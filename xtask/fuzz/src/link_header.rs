//! The `Link` header: whatever its lines are, the next page is a target that stands in one of them.

use registry_transport::next_link;

/// Checks what every header has to keep to. Its lines are the lines of `data`.
///
/// # Panics
///
/// Where a rule is broken.
pub fn check(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let found = next_link(lines.iter().copied());

    // What comes before the next page, and what comes after it, is not looked at.
    let before =
        std::iter::once(&b"</first>; rel=\"first\", </prev>; title=\"a, b\"; rel=prev"[..]);
    assert_eq!(next_link(before.chain(lines.iter().copied())), found);
    match found {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(None) => {
            let last = &b"</last>; rel=next"[..];
            let with_last = lines.iter().copied().chain([last]);
            assert_eq!(next_link(with_last), Ok(Some("/last".to_owned())));
        }
        Ok(Some(target)) => {
            let holds = |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|l| l.contains(&target));
            assert!(lines.iter().any(holds), "{target:?} is nobody's");
            assert!(!target.is_empty() && !target.contains([' ', '>']), "{target:?}");
            assert!(!target.contains(char::is_control), "{target:?}");
            let after = lines.iter().copied().chain([&b"<"[..]]);
            assert_eq!(next_link(after), Ok(Some(target.clone())));
            let alone = format!("<{target}>; rel=\"next\"");
            assert_eq!(next_link([alone.as_bytes()]), Ok(Some(target)));
        }
    }
}
